package load

import "time"

// snapshot is the counters of a run at one time.
type snapshot struct {
	at                    int64 // nanoseconds since the start
	sent, received, reads uint64
	servers               []time.Duration // CPU time of each process of the server
	// CPU time of this process and of the whole machine, and the most that the
	// machine could have spent; 0 if unknown.
	client, busy, all time.Duration
}

func (r *run) snapshot() (*snapshot, error) {
	s := &snapshot{at: r.now(), received: r.received()}
	for _, room := range r.rooms {
		s.sent += room.sent.Load()
	}
	for _, c := range r.conns {
		s.reads += c.reads.Load()
	}
	s.client, _ = cpuOf("self") // unknown except on Linux
	s.busy, s.all = machine()
	var err error
	s.servers, err = r.meter.cpu()
	return s, err
}
