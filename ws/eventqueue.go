package ws

import (
	"runtime"
	"sync"
	"time"

	"github.com/ephemeralchat/caddy-ephemeral-chat/room"
)

// eventQueue takes the events of a room from the store, which must not wait, and
// hands them on in order, in batches of all that have arrived.
type eventQueue struct {
	// handle is called by one goroutine at a time, and returns for how long to pause
	// before the next events. Fixed before the first put.
	handle func(events []room.Event) time.Duration

	mu       sync.Mutex
	events   []room.Event
	held     bool // until open
	draining bool

	yield yieldPolicy // owned by the draining goroutine

	closing chan struct{} // closed by close
	running sync.WaitGroup
}

// yieldPolicy decides whether to yield to other goroutines before a drain. In a busy
// room more events then arrive, and go out together, which saves system calls.
// Where two clients take turns, yielding is fruitless and delays each message by the
// time in which a thread wakes. It decides by the results of the last drains.
type yieldPolicy struct {
	fruitless int // drains in a row with a single event, up to maxFruitless
	skipped   int // drains since without a yield
}

const (
	// maxFruitless is how many fruitless yields in a row end the yielding.
	maxFruitless = 8
	// probeInterval is how many drains pass from then on between two probes.
	probeInterval = 32
)

// shouldYield reports whether to yield before this drain.
func (p *yieldPolicy) shouldYield() bool {
	if p.fruitless < maxFruitless {
		return true
	}
	p.skipped = (p.skipped + 1) % probeInterval
	return p.skipped == 0
}

// record notes how many events a drain has found.
func (p *yieldPolicy) record(n int) {
	if n > 1 {
		p.fruitless = 0
		return
	}
	p.fruitless = min(p.fruitless+1, maxFruitless)
}

// put queues an event. It never blocks.
func (q *eventQueue) put(e room.Event) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.events = append(q.events, e)
	q.startDrain()
}

// open starts to hand on the events of a queue that was held from the start.
func (q *eventQueue) open() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.held = false
	q.startDrain()
}

func (q *eventQueue) startDrain() {
	if len(q.events) > 0 && q.acquireLocked() {
		go q.drain(0) // it ends when no event is left; close waits for it
	}
}

// acquire makes the caller the draining goroutine, if it returns true. It is for a
// caller that is about to cause events, and that drains them soon by drainInline.
func (q *eventQueue) acquire() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.acquireLocked()
}

func (q *eventQueue) acquireLocked() bool {
	if q.held || q.draining {
		return false
	}
	q.draining = true
	q.running.Add(1)
	return true
}

// drainInline hands on the events that were put since acquire, on the caller's
// goroutine. After a pause another goroutine goes on.
func (q *eventQueue) drainInline() {
	if pause := q.drainUntilPause(); pause > 0 {
		go q.drain(pause) // see startDrain
		return
	}
	q.running.Done()
}

// drain hands on events after a pause, until none is left.
func (q *eventQueue) drain(pause time.Duration) {
	defer q.running.Done()
	for {
		if pause > 0 {
			q.pause(pause)
		}
		if pause = q.drainUntilPause(); pause <= 0 {
			return
		}
	}
}

// drainUntilPause hands on events until none is left, or handle asks for a pause.
func (q *eventQueue) drainUntilPause() time.Duration {
	if q.yield.shouldYield() {
		runtime.Gosched()
	}
	var batch []room.Event
	for first := true; ; first = false {
		q.mu.Lock()
		clear(batch)
		batch, q.events = q.events, batch[:0]
		if first {
			q.yield.record(len(batch))
		}
		if len(batch) == 0 {
			q.draining = false
			q.events = nil // a quiet room keeps no memory for events
			q.mu.Unlock()
			return 0
		}
		q.mu.Unlock()
		if pause := q.handle(batch); pause > 0 {
			return pause
		}
	}
}

// pause waits for d, or until close.
func (q *eventQueue) pause(d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-q.closing:
	}
}

// close waits for the draining goroutine. No put may follow.
func (q *eventQueue) close() {
	close(q.closing)
	q.running.Wait()
}
