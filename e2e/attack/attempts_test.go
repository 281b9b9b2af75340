package attack_test

import (
	"net/http"
	"testing"

	"github.com/ephemeralchat/caddy-ephemeral-chat/e2e/harness"
)

// attacks counts the attempts of a test, and those that the server has held off.
type attacks struct {
	t           *testing.T
	tried, held int
}

// newAttacks returns a count, which is logged at the end of the test.
func newAttacks(t *testing.T) *attacks {
	t.Helper()
	a := &attacks{t: t}
	t.Cleanup(func() { t.Logf("%d attacks tried, %d held", a.tried, a.held) })
	return a
}

// hold counts an attempt, and fails the test unless it was held off.
func (a *attacks) hold(held bool, format string, args ...any) {
	a.t.Helper()
	a.tried++
	if held {
		a.held++
		return
	}
	a.t.Errorf(format, args...)
}

// refused expects a problem document.
func (a *attacks) refused(what string, got *harness.Response, status int, code string) {
	a.t.Helper()
	a.hold(got.Status == status && got.Code() == code && got.Header.Get("Cache-Control") == "no-store",
		"%s: %d %s, not %d %s", what, got.Status, got.Body, status, code)
}

// closed expects that a WebSocket is closed with a code and no welcome.
func (a *attacks) closed(what string, k *harness.Socket, code int) {
	a.t.Helper()
	end := k.AwaitEnd()
	a.hold(end.Code == code && k.Count("welcome") == 0, "%s: %+v after %s, not %d", what, end, k.Summary(), code)
}

// notUpgraded expects that a WebSocket is refused before its upgrade.
func (a *attacks) notUpgraded(what, base string, header http.Header, status int, code string) {
	a.t.Helper()
	k, got, err := harness.OpenSocket(a.t.Context(), harness.WebSocketURL(base), header, nil)
	if k != nil {
		k.Close()
	}
	if got == nil {
		a.hold(false, "%s: no answer: %v", what, err)
		return
	}
	a.refused(what, got, status, code)
}
