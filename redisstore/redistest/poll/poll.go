// Package poll waits for conditions that announce themselves by no event, such as the
// state of another process.
package poll

import (
	"context"
	"fmt"
	"time"
)

// interval is the time between two checks of a condition.
const interval = 20 * time.Millisecond

// Pause waits for d, and reports whether ctx is still not done.
func Pause(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// Until calls check until it returns nil. It returns the last error of check if that
// takes longer than within, or ctx is done earlier.
func Until(ctx context.Context, within time.Duration, check func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	for {
		err := check(ctx)
		if err == nil {
			return nil
		}
		if !Pause(ctx, interval) {
			return fmt.Errorf("not within %s: %w", within, err)
		}
	}
}
