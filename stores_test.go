package ephemeralchat_test

import "testing"

// forEachStore runs a test on every store that is shipped. What it is given is
// the option of the Caddyfile that chooses the store.
func forEachStore(t *testing.T, test func(t *testing.T, store string)) {
	t.Helper()
	t.Run("memory", func(t *testing.T) { test(t, "store memory") })
}
