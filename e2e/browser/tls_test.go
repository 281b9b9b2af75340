package browser_test

import (
	"testing"

	"github.com/ephemeralchat/caddy-ephemeral-chat/e2e/harness"
	"github.com/ephemeralchat/caddy-ephemeral-chat/e2e/harness/browser"
)

// TestPageTLS uses the page over HTTPS, with a certificate of Caddy's own authority, two
// nodes and Redis, including features that browsers have on secure pages only.
func TestPageTLS(t *testing.T) {
	t.Parallel()
	s, _, _ := harness.TLSSite(t)
	anna := browser.NewUser(t, browser.Device{TrustAll: true}).Open(t, s.Base(0)) // the slash is added
	anna.GrantClipboard()
	if browser.Eval[bool](anna, "!isSecureContext") {
		t.Error("not a secure page")
	}
	anna.Click("switch", "End-to-end encrypted*")
	link := anna.CreateRoom()
	ben := browser.Invite(t, browser.Device{TrustAll: true}, s.Base(1)+link[len(s.Base(0)):], "Ben")
	anna.Publish("over TLS")
	ben.AwaitMessage("Anna", "over TLS")
	ben.Publish("and back")
	anna.AwaitMessage("Ben", "and back")
	if protocol := browser.Eval[string](anna, "performance.getEntriesByType('navigation')[0].nextHopProtocol"); protocol != "h2" && protocol != "h3" {
		t.Errorf("over %s", protocol)
	}
	anna.Click("button", "Copy link")
	anna.Find("button", "Copied")
	if got := browser.Eval[string](anna, "navigator.clipboard.readText()"); got != link {
		t.Errorf("copied is %q, the link is %q", got, link)
	}
	anna.Reload()
	anna.AwaitMessage("Ben", "and back")
}
