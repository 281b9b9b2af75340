package baseline

import (
	"runtime"
	"sync"
	"time"
)

const (
	// manyConnections is after how many a writer rests.
	manyConnections = 64
	// rest is for how long.
	rest = 25 * time.Millisecond
)

// pacedSink is Paced. It has a share of the room for each writer.
type pacedSink struct {
	writers []*writer
	shares  []*share
	next    int
	of      map[*member]*share
}

// share is what one writer has of a room. It belongs to the writer.
type share struct {
	writer  *writer
	members []*member
}

// writer writes to its share of all rooms.
type writer struct {
	wake chan struct{}

	mu    sync.Mutex
	inbox []job
}

// job is something that happens to a share: a frame for its members, or one that
// joins or leaves.
type job struct {
	share          *share
	frame          []byte
	joins, leaving *member
}

// startWriters starts a writer for each core. They live as long as the process.
func startWriters() []*writer {
	writers := make([]*writer, runtime.GOMAXPROCS(0))
	for i := range writers {
		writers[i] = &writer{wake: make(chan struct{}, 1)}
		go writers[i].run()
	}
	return writers
}

func (s *pacedSink) join(m *member) {
	if s.shares == nil {
		for _, w := range s.writers {
			s.shares = append(s.shares, &share{writer: w})
		}
		s.of = make(map[*member]*share)
	}
	share := s.shares[s.next%len(s.shares)]
	s.next++
	s.of[m] = share
	share.writer.put(job{share: share, joins: m})
}

func (s *pacedSink) leave(m *member) {
	share := s.of[m]
	delete(s.of, m)
	share.writer.put(job{share: share, leaving: m})
}

func (s *pacedSink) deliver(payload []byte) {
	frame := appendFrame(make([]byte, 0, len(payload)+10), payload)
	for _, share := range s.shares {
		share.writer.put(job{share: share, frame: frame})
	}
}

func (w *writer) put(j job) {
	w.mu.Lock()
	w.inbox = append(w.inbox, j)
	w.mu.Unlock()
	select {
	case w.wake <- struct{}{}:
	default:
	}
}

// run passes over the connections that have something queued, again and again.
func (w *writer) run() {
	var jobs []job
	var waiting []*member // with something queued
	for range w.wake {
		w.mu.Lock()
		jobs, w.inbox = w.inbox, jobs[:0]
		w.mu.Unlock()
		waiting = waiting[:0]
		for _, j := range jobs {
			waiting = j.queue(waiting)
		}
		clear(jobs)
		for _, m := range waiting {
			_, _ = m.ws.NetConn().Write(m.queue) // its reader fails as well
			m.queue = m.queue[:0]
		}
		if len(waiting) > manyConnections {
			<-time.After(rest)
		}
	}
}

// queue does the job, and adds to waiting those who had nothing queued.
func (j *job) queue(waiting []*member) []*member {
	switch {
	case j.joins != nil:
		j.share.members = append(j.share.members, j.joins)
	case j.leaving != nil:
		j.share.members = without(j.share.members, j.leaving)
	}
	if j.frame == nil {
		return waiting
	}
	for _, m := range j.share.members {
		if len(m.queue) == 0 {
			waiting = append(waiting, m)
		}
		m.queue = append(m.queue, j.frame...)
	}
	return waiting
}
