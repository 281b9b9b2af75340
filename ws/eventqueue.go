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

	patience patience // owned by whoever is draining

	ending  chan struct{} // closed by wait
	running sync.WaitGroup
}

// patience decides whether those who are ready to run go first when there is
// something to hand on. Where many have something to say, more of it goes out
// together then, and a system call for each is saved. Where two take turns, it is
// in vain, and costs them the time in which a thread wakes. It goes by what was
// found the last times.
type patience struct {
	vain    int // how often in a row there was but one event, up to maxVain
	skipped int // how often it did not yield since
}

const (
	// maxVain is how often patience may be in vain before it ends.
	maxVain = 8
	// probeInterval is how seldom it is tried then.
	probeInterval = 32
)

// yields reports whether to yield now.
func (p *patience) yields() bool {
	if p.vain < maxVain {
		return true
	}
	p.skipped = (p.skipped + 1) % probeInterval
	return p.skipped == 0
}

// found notes how many events there were.
func (p *patience) found(n int) {
	if n > 1 {
		p.vain = 0
		return
	}
	p.vain = min(p.vain+1, maxVain)
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
	if len(b.events) > 0 && b.claimLocked() {
		go b.drain(0) // it ends when no event is left; wait waits for it
	}
}

// claim makes the caller the one who hands on what is put from now on, if it
// reports true: it is about to bring events about, and must call settle soon.
func (b *inbox) claim() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.claimLocked()
}

func (b *inbox) claimLocked() bool {
	if b.held || b.draining {
		return false
	}
	b.draining = true
	b.running.Add(1)
	return true
}

// settle hands on what has come since claim, and leaves to a goroutine what has
// to wait.
func (b *inbox) settle() {
	if rest := b.drainUntilRest(); rest > 0 {
		go b.drain(rest) // see wake
		return
	}
	b.running.Done()
}

func (b *inbox) drain(rest time.Duration) {
	defer b.running.Done()
	for {
		if rest > 0 {
			b.rest(rest)
		}
		if rest = b.drainUntilRest(); rest <= 0 {
			return
		}
	}
}

// drainUntilRest hands on events until none is left, or until the next ones have
// to wait for so long.
func (b *inbox) drainUntilRest() time.Duration {
	if b.patience.yields() {
		runtime.Gosched()
	}
	var batch []room.Event
	for first := true; ; first = false {
		b.mu.Lock()
		clear(batch)
		batch, b.events = b.events, batch[:0]
		if first {
			b.patience.found(len(batch))
		}
		if len(batch) == 0 {
			b.draining = false
			b.events = nil // a quiet room keeps no memory for events
			b.mu.Unlock()
			return 0
		}
		b.mu.Unlock()
		if rest := b.handle(batch); rest > 0 {
			return rest
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
