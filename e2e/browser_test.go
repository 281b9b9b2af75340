package e2e_test

import (
	"fmt"
	"strings"
	"testing"
)

// TestBrowserNotices does on a page what no page under test may do, and checks that
// each of it would have failed the test.
func TestBrowserNotices(t *testing.T) {
	t.Parallel()
	address, other := freeAddress(t), freeAddress(t)
	startNode(t, "", fmt.Sprintf(`http://%s {
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
		b := newPerson(t, look{}).open(t, "http://"+address+"/")
		eval[any](b, test.does)
		noticed := func() string {
			b.mu.Lock()
			defer b.mu.Unlock()
			return strings.Join(b.faults, "\n")
		}
		if test.complaint == "" {
			if noticed() != "" {
				t.Errorf("%s: %s", name, noticed())
			}
		} else if !poll(waitTime, func() bool { return strings.Contains(noticed(), test.complaint) }) {
			t.Errorf("%s: only %q is noticed", name, noticed())
		}
		b.tolerate(".*")
		b.mu.Lock()
		b.faults = nil
		b.mu.Unlock()
	}
}
