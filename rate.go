package ephemeralchat

import (
	"errors"
	"fmt"
	"time"

	"github.com/caddyserver/caddy/v2"
	"golang.org/x/time/rate"
)

// Bounds of a rate.
const (
	maxRateCount = 1_000_000
	minWindow    = time.Millisecond
	maxWindow    = 24 * time.Hour
)

// Rate allows a number of events in a window of time. It is a token bucket: all
// of them may come at once, and a new one is allowed each time that the
// window's share of it has passed.
type Rate struct {
	// How many, from 1 to 1000000.
	Count int `json:"count,omitempty"`

	// In which time, from `1ms` to `24h`.
	Window caddy.Duration `json:"window,omitempty"`

	// Whether there is no limit, instead of the above.
	Off bool `json:"off,omitempty"`
}

// check reports what is wrong with the rate.
func (r *Rate) check() error {
	switch {
	case r.Off && (r.Count != 0 || r.Window != 0):
		return errors.New("a rate that is off has neither count nor window")
	case r.Off:
		return nil
	case r.Count < 1 || r.Count > maxRateCount:
		return fmt.Errorf("count must be from 1 to %d, not %d", maxRateCount, r.Count)
	case timeOf(r.Window) < minWindow || timeOf(r.Window) > maxWindow:
		return fmt.Errorf("window must be from %s to %s, not %s", minWindow, maxWindow, show(r.Window))
	}
	return nil
}

// interval is the time in which one more event is allowed.
func (r *Rate) interval() time.Duration { return timeOf(r.Window) / time.Duration(r.Count) }

// perSecond is the rate in the terms of package golang.org/x/time/rate.
func (r *Rate) perSecond() rate.Limit {
	if r.Off {
		return rate.Inf
	}
	return rate.Every(r.interval())
}
