package browser_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/ephemeralchat/caddy-ephemeral-chat/e2e/harness"
	"github.com/ephemeralchat/caddy-ephemeral-chat/e2e/harness/browser"
)

// TestComplaints does on a page what no page under test may do, and checks that each of
// it would have failed the test.
func TestComplaints(t *testing.T) {
	t.Parallel()
	address, other := harness.FreeAddress(t), harness.FreeAddress(t)
	harness.StartNode(t, "", fmt.Sprintf(`http://%s {
	header Content-Security-Policy "script-src 'self'; img-src data:; connect-src *; style-src 'self'"
	header Content-Type text/html
	respond / <title>x</title><link/rel=icon/href=data:,>
}
http://%s {
	header Access-Control-Allow-Origin *
	respond hello
}`, address, other), address, other)
	for name, test := range map[string]struct{ does, complaint string }{
		"nothing":             {"0", ""},
		"console":             {"console.error('oh')", "console.error"},
		"exception":           {"setTimeout(() => { throw new Error('oh') })", "exception: Uncaught Error: oh"},
		"rejection":           {"void Promise.reject(new Error('oh'))", "exception: Uncaught (in promise) Error: oh"},
		"inline script":       {"document.head.append(Object.assign(document.createElement('script'), { text: 'window.x = 1' }))", "CSP"},
		"inline style":        {"document.body.setAttribute('style', 'color: red')", "CSP"},
		"forbidden image":     {"new Image().src = '/x.png'", "CSP"},
		"another origin":      {"fetch('http://" + other + "/').then(() => 0)", "a request to http://" + other},
		"another's WebSocket": {"void new WebSocket('ws://" + other + "/')", "a request to ws://" + other},
	} {
		b := browser.NewUser(t, browser.Device{}).Open(t, "http://"+address+"/")
		browser.Eval[any](b, test.does)
		complaints := func() string { return strings.Join(b.Complaints(), "\n") }
		if test.complaint == "" {
			if complaints() != "" {
				t.Errorf("%s: %s", name, complaints())
			}
		} else if !harness.Poll(harness.WaitTime, func() bool { return strings.Contains(complaints(), test.complaint) }) {
			t.Errorf("%s: the complaints are %q", name, complaints())
		}
		b.ForgiveAll()
	}
}
