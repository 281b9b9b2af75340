package chaos

import (
	"context"
	"fmt"
	"math/rand/v2"
	"time"
)

// pollInterval is how often something is looked at that sends no event.
const pollInterval = 50 * time.Millisecond

// pause waits, and reports whether ctx is not done.
func pause(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// until waits until what is looked at is as it should be. look returns nil then,
// and otherwise what is missing.
func until(ctx context.Context, within time.Duration, look func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	for {
		err := look(ctx)
		if err == nil {
			return nil
		}
		if !pause(ctx, pollInterval) {
			return fmt.Errorf("not within %s: %w", within, err)
		}
	}
}

// between returns a random time from an interval.
func between(r *rand.Rand, least, most time.Duration) time.Duration {
	return least + time.Duration(r.Int64N(int64(most-least)+1))
}

// exponential returns a random time to the next of events that come independently
// of each other, with a mean; at most four times that.
func exponential(r *rand.Rand, mean time.Duration) time.Duration {
	return time.Duration(min(r.ExpFloat64(), 4) * float64(mean))
}
