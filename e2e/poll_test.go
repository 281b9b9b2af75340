package e2e_test

import (
	"testing"
	"time"
)

// pollInterval is how often something is looked at that sends no event.
const pollInterval = 20 * time.Millisecond

// poll waits until done, and reports whether it was before the time was up.
func poll(within time.Duration, done func() bool) bool {
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

// until fails the test unless it is done in time.
func until(t *testing.T, within time.Duration, what string, done func() bool) {
	t.Helper()
	if !poll(within, done) {
		t.Fatalf("not within %s: %s", within, what)
	}
}

// stays fails the test unless a condition holds for as long as it says.
func stays(t *testing.T, period time.Duration, what string, holds func() bool) {
	t.Helper()
	if poll(period, func() bool { return !holds() }) {
		t.Fatalf("does not hold for %s: %s", period, what)
	}
}
