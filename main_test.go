package ephemeralchat_test

import (
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m,
		// What packages start when the program starts.
		goleak.IgnoreCurrent(),
		// certmagic keeps the lock file of a storage fresh until its key is
		// unlocked, and looks whether it was only every few seconds.
		goleak.IgnoreAnyFunction("github.com/caddyserver/certmagic.keepLockfileFresh"),
	)
}
