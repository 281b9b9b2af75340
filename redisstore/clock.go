package redisstore

import (
	"sync"
	"sync/atomic"
	"time"
)

const (
	// sampleAge is how long a sample of the server's time is used while younger ones
	// exist.
	sampleAge = time.Minute
	// maxSamples is the maximum number of samples kept to fall back on.
	maxSamples = 32
	// maxDrift is the assumed maximum clock drift: 1/maxDrift.
	maxDrift = 10_000
)

// clock estimates the server's time. It is never ahead, unless the server's clock steps
// back: a reply that contains the time S and arrived at L was made before L, so the time
// now is at least S plus the time since L. Safe for concurrent use.
type clock struct {
	base time.Time // local times count from its monotonic reading
	best atomic.Pointer[sample]

	mu      sync.Mutex
	samples []sample // the best first, each younger than the one before; guarded by mu
}

// sample means that the server's time was at least server at the local time at.
type sample struct {
	server time.Time
	at     time.Duration
	// slack is how long the call took: the server's time may be ahead of the
	// estimate by as much.
	slack time.Duration
}

func (s sample) estimate(at time.Duration) time.Time {
	passed := at - s.at
	return s.server.Add(passed - passed/maxDrift)
}

func newClock() *clock { return &clock{base: time.Now()} }

// Local returns the local time, by the monotonic clock.
func (c *clock) Local() time.Duration { return time.Since(c.base) }

// now returns the server's time; the local one before the first sample.
func (c *clock) now() time.Time {
	if best := c.best.Load(); best != nil {
		return best.estimate(c.Local())
	}
	return time.Now()
}

// slack returns by how much the server's time may be ahead of now.
func (c *clock) slack() time.Duration {
	if best := c.best.Load(); best != nil {
		return best.slack
	}
	return 0
}

// Add adds the server's time from the reply to a call that was sent at one local time
// and answered at another.
func (c *clock) Add(server time.Time, sent, received time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	// Replies are in whole milliseconds, rounded down.
	if len(c.samples) > 0 && c.samples[0].estimate(sent).After(server.Add(time.Millisecond)) {
		c.samples = nil // the server's clock has stepped back
	}
	for n := len(c.samples); n > 0 && !c.samples[n-1].estimate(received).After(server); n = len(c.samples) {
		c.samples = c.samples[:n-1]
	}
	if len(c.samples) == maxSamples {
		c.samples = c.samples[:maxSamples-1]
	}
	c.samples = append(c.samples, sample{server, received, received - sent})
	for len(c.samples) > 1 && received-c.samples[0].at > sampleAge {
		c.samples = c.samples[1:]
	}
	best := c.samples[0]
	c.best.Store(&best)
}
