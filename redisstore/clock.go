package redisstore

import (
	"sync"
	"sync/atomic"
	"time"
)

const (
	// sampleAge is how long a sample of the server's time is used while there
	// are younger ones.
	sampleAge = time.Minute
	// maxSamples is how many are kept to fall back on.
	maxSamples = 32
	// drift is by how much faster than the server's this machine's clock may
	// run: by 1/drift of the time that has passed.
	drift = 10_000
)

// clock is the server's time, as well as this process knows it. It is never
// ahead, as long as the server's clock does not step back: a reply that says S
// and arrived at L was made before L, so the time now is at least S plus what
// has passed since L. Safe for concurrent use.
type clock struct {
	base time.Time // carries the monotonic reading that local times count from
	best atomic.Pointer[sample]

	mu      sync.Mutex
	samples []sample // guarded by mu; the best first, each younger than the one before
}

// sample says that the server's time was at least server at the local time at.
type sample struct {
	server time.Time
	at     time.Duration
	// slack is how long the call took: the server's time may be ahead of the
	// estimate by as much.
	slack time.Duration
}

func (s sample) estimate(at time.Duration) time.Time {
	passed := at - s.at
	return s.server.Add(passed - passed/drift)
}

func newClock() *clock { return &clock{base: time.Now()} }

// local is the local time, by the monotonic clock.
func (c *clock) local() time.Duration { return time.Since(c.base) }

// now is the server's time; the local one before the server was first asked.
func (c *clock) now() time.Time {
	if best := c.best.Load(); best != nil {
		return best.estimate(c.local())
	}
	return time.Now()
}

// slack is by how much the server's time may be ahead of now.
func (c *clock) slack() time.Duration {
	if best := c.best.Load(); best != nil {
		return best.slack
	}
	return 0
}

// add notes the server's time from a reply to a call that was made at the local
// time sent and returned at received.
func (c *clock) add(server time.Time, sent, received time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	// Replies are in whole milliseconds, rounded down.
	if len(c.samples) > 0 && c.samples[0].estimate(sent).After(server.Add(time.Millisecond)) {
		c.samples = nil // the server's clock has stepped back
	}
	next := sample{server, received, received - sent}
	for n := len(c.samples); n > 0 && !c.samples[n-1].estimate(received).After(server); n = len(c.samples) {
		c.samples = c.samples[:n-1]
	}
	if len(c.samples) == maxSamples {
		c.samples = c.samples[:maxSamples-1]
	}
	c.samples = append(c.samples, next)
	for len(c.samples) > 1 && received-c.samples[0].at > sampleAge {
		c.samples = c.samples[1:]
	}
	best := c.samples[0]
	c.best.Store(&best)
}
