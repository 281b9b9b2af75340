package client

import (
	"context"
	"math/rand/v2"
	"time"
)

const (
	minBackoff = 100 * time.Millisecond
	maxBackoff = 500 * time.Millisecond
)

// Backoff makes the pauses between attempts, from about 100 to about 500 ms, each
// twice as long as the one before. The zero Backoff begins with the shortest.
type Backoff struct{ next time.Duration }

// Wait pauses, and returns false if ctx is done. The pauses are random by half, so
// that nodes that lost the same server do not reconnect all at once.
func (b *Backoff) Wait(ctx context.Context) bool {
	d := max(b.next, minBackoff)
	b.next = min(2*d, maxBackoff)
	t := time.NewTimer(d/2 + rand.N(d/2+1)) //nolint:gosec // G404: nothing secret
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}
