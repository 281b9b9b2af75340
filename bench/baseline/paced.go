package baseline

import (
	"runtime"
	"sync"
	"time"
)

const (
	// manyConnections is the number of connections above which a writer pauses
	// after it has written to them.
	manyConnections = 64
	pause           = 25 * time.Millisecond
)

// paced implements Paced. It divides the room's members among the writers.
type paced struct {
	shares []*share
	joined int
	of     map[*member]*share
}

// share is the members of one room that one writer serves.
type share struct {
	writer  *writer
	members []*member // owned by the writer
}

// writer writes to its shares of all rooms.
type writer struct {
	wake    chan struct{}
	waiting []*member // those with queued frames; owned by run

	mu   sync.Mutex
	jobs []func() // for run
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

func newPaced(writers []*writer) *paced {
	p := &paced{of: make(map[*member]*share)}
	for _, w := range writers {
		p.shares = append(p.shares, &share{writer: w})
	}
	return p
}

func (p *paced) join(m *member) {
	s := p.shares[p.joined%len(p.shares)]
	p.joined++
	p.of[m] = s
	s.writer.do(func() { s.members = append(s.members, m) })
}

func (p *paced) leave(m *member) {
	s := p.of[m]
	delete(p.of, m)
	s.writer.do(func() { s.members = without(s.members, m) })
}

func (p *paced) deliver(payload []byte) {
	frame := newFrame(payload)
	for _, s := range p.shares {
		s.writer.do(func() { s.queue(frame) })
	}
}

// queue queues a frame for each member. The writer calls it.
func (s *share) queue(frame []byte) {
	for _, m := range s.members {
		if len(m.queue) == 0 {
			s.writer.waiting = append(s.writer.waiting, m)
		}
		m.queue = append(m.queue, frame...)
	}
}

// do has run call a function.
func (w *writer) do(job func()) {
	w.mu.Lock()
	w.jobs = append(w.jobs, job)
	w.mu.Unlock()
	notify(w.wake)
}

// run does the jobs and then writes to each waiting connection, again and again.
func (w *writer) run() {
	timer := time.NewTimer(0)
	var jobs []func()
	for range w.wake {
		w.mu.Lock()
		jobs, w.jobs = w.jobs, jobs[:0]
		w.mu.Unlock()
		for _, job := range jobs {
			job()
		}
		clear(jobs)
		for _, m := range w.waiting {
			_, _ = m.ws.NetConn().Write(m.queue) // the connection's reader fails as well
			m.queue = m.queue[:0]
		}
		if len(w.waiting) > manyConnections {
			timer.Reset(pause)
			<-timer.C
		}
		w.waiting = w.waiting[:0]
	}
}
