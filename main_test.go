package ephemeralchat_test

import (
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m,
		// Goroutines that packages start in their init functions.
		goleak.IgnoreCurrent(),
		// certmagic checks only every few seconds whether the key of a lock file was
		// unlocked.
		goleak.IgnoreAnyFunction("github.com/caddyserver/certmagic.keepLockfileFresh"),
	)
}
