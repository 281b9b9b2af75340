package harness

import (
	"context"
	"fmt"
	"net"
	"slices"
	"testing"
	"time"

	"github.com/ephemeralchat/caddy-ephemeral-chat/redisstore/redistest/loopback"
	"github.com/ephemeralchat/caddy-ephemeral-chat/redisstore/redistest/poll"
)

// pollInterval is the time between two checks of a condition.
const pollInterval = 20 * time.Millisecond

// Poll waits for a condition that announces itself by no event. It reports whether
// the condition held before the time was over.
func Poll(within time.Duration, done func() bool) bool {
	deadline := time.Now().Add(within)
	ticker := time.NewTicker(pollInterval)
	defer ticker.Stop()
	for !done() {
		if time.Now().After(deadline) {
			return false
		}
		<-ticker.C
	}
	return true
}

// Until fails the test unless the condition holds in time.
func Until(t *testing.T, within time.Duration, what string, done func() bool) {
	t.Helper()
	if !Poll(within, done) {
		t.Fatalf("not within %s: %s", within, what)
	}
}

// Stays fails the test unless the condition holds during the whole period.
func Stays(t *testing.T, period time.Duration, what string, holds func() bool) {
	t.Helper()
	if Poll(period, func() bool { return !holds() }) {
		t.Fatalf("does not hold for %s: %s", period, what)
	}
}

// Pace waits for the next step of a load that the test generates, but not longer than
// ctx. It reports whether ctx is still not done.
func Pace(ctx context.Context, d time.Duration) bool { return poll.Pause(ctx, d) }

// Percentile returns the duration that n of a hundred do not exceed, rounded; 0 if there
// are none.
func Percentile(durations []time.Duration, n int) time.Duration {
	if len(durations) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(durations))
	return sorted[min(len(sorted)*n/100, len(sorted)-1)].Round(10 * time.Microsecond)
}

// Summary describes durations by percentiles, for logs.
func Summary(durations []time.Duration) string {
	return fmt.Sprintf("%d: median %s, 99%% %s, longest %s", len(durations), Percentile(durations, 50), Percentile(durations, 99), Percentile(durations, 100))
}

// FreeAddress returns a loopback address on which no program listens.
func FreeAddress(t *testing.T) string {
	t.Helper()
	port, err := loopback.FreePort(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return loopback.Address(port)
}

// PortOf returns the port of an address.
func PortOf(t *testing.T, address string) string {
	t.Helper()
	_, port, err := net.SplitHostPort(address)
	if err != nil {
		t.Fatal(err)
	}
	return port
}

// Listening reports whether a program listens on an address.
func Listening(ctx context.Context, address string) bool {
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", address)
	if err != nil {
		return false
	}
	_ = conn.Close()
	return true
}
