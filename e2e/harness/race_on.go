//go:build race

package harness

// Race reports whether the tests, and so Caddy, have the race detector.
const Race = true
