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

// Backoff pauses after a failed attempt, counted from 0: from about 100 to about 500 ms,
// each time twice as long. It returns false if ctx is done. The pause is random by half,
// so that nodes that lost the same server do not reconnect all at once.
func Backoff(ctx context.Context, attempt int) bool {
	d := min(minBackoff<<min(attempt, 10), maxBackoff)
	t := time.NewTimer(d/2 + rand.N(d/2+1)) //nolint:gosec // G404: nothing secret
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}
