package redisstore

import (
	"context"
	"math/rand/v2"
	"time"
)

// How long is waited before something that failed is tried again: the shorter
// time first, then twice as long each time, up to the longer one.
const (
	minBackoff = 100 * time.Millisecond
	maxBackoff = 500 * time.Millisecond
)

// pause waits; false if ctx is done.
func pause(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// jitter is a random time from d/2 to d, so that nodes that lost the same
// server don't come back as one.
func jitter(d time.Duration) time.Duration {
	return d/2 + rand.N(d/2+1) //nolint:gosec // G404: nothing secret
}
