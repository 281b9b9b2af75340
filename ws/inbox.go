package ws

import (
	"runtime"
	"sync"
	"time"

	"github.com/ephemeralchat/caddy-ephemeral-chat/room"
)

// inbox takes the events of a room from the store, which must not be kept
// waiting, and hands them on in order, as many at a time as have come.
type inbox struct {
	// handle is called by one goroutine at a time, and returns how long the next
	// events are to wait. Fixed before the first put.
	handle func(events []room.Event) time.Duration

	mu       sync.Mutex
	events   []room.Event
	held     bool
	draining bool

	ending  chan struct{} // closed by wait
	running sync.WaitGroup
}

// put queues an event.
func (b *inbox) put(e room.Event) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.events = append(b.events, e)
	b.wake()
}

// hold keeps events until open is called.
func (b *inbox) hold() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.held = true
}

func (b *inbox) open() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.held = false
	b.wake()
}

func (b *inbox) wake() {
	if b.held || b.draining || len(b.events) == 0 {
		return
	}
	b.draining = true
	b.running.Add(1)
	go b.drain() // it ends when no event is left; wait waits for it
}

func (b *inbox) drain() {
	defer b.running.Done()
	// Whoever is ready to run goes first. Where many have something to say, more
	// of it goes out together; where nobody else is ready, this costs nothing.
	runtime.Gosched()
	var batch []room.Event
	for {
		b.mu.Lock()
		clear(batch)
		batch, b.events = b.events, batch[:0]
		if len(batch) == 0 {
			b.draining = false
			b.events = nil // a quiet room keeps no memory for events
			b.mu.Unlock()
			return
		}
		b.mu.Unlock()
		if rest := b.handle(batch); rest > 0 {
			b.rest(rest)
		}
	}
}

// rest waits. It is over early when nothing will be put any more.
func (b *inbox) rest(d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-b.ending:
	}
}

// wait waits until nothing is being handled. No put may follow.
func (b *inbox) wait() {
	close(b.ending)
	b.running.Wait()
}
