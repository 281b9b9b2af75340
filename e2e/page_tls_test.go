package e2e_test

import (
	"testing"

	permissions "github.com/chromedp/cdproto/browser"
	"github.com/chromedp/chromedp"
)

// TestPageTLS is of HTTPS with a certificate of Caddy's own, two nodes and Redis:
// what browsers allow only on such pages works, and nothing stands in the way.
func TestPageTLS(t *testing.T) {
	t.Parallel()
	s, _, _ := tlsSite(t, startRedis(t))
	anna := newPerson(t, look{trusting: true}).open(t, s.base(0)) // the slash is added
	for _, name := range []string{"clipboard-read", "clipboard-write"} {
		if _, err := chromedp.CallBrowser(anna.context, permissions.SetPermission, permissions.SetPermissionParams{
			Permission:       &permissions.PermissionDescriptor{Name: name},
			Setting:          permissions.PermissionSettingGranted,
			BrowserContextID: anna.person.id,
		}); err != nil {
			t.Fatal(err)
		}
	}
	if eval[bool](anna, "!isSecureContext") {
		t.Error("not a secure page")
	}
	anna.click("switch", "End-to-end encrypted*")
	link := anna.create()
	ben := invite(t, look{trusting: true}, s.base(1)+link[len(s.base(0)):], "Ben")
	anna.say("over TLS")
	ben.hears("Anna", "over TLS")
	ben.say("and back")
	anna.hears("Ben", "and back")
	if protocol := eval[string](anna, "performance.getEntriesByType('navigation')[0].nextHopProtocol"); protocol != "h2" && protocol != "h3" {
		t.Errorf("over %s", protocol)
	}
	anna.click("button", "Copy link")
	anna.find("button", "Copied")
	if got := eval[string](anna, "navigator.clipboard.readText()"); got != link {
		t.Errorf("copied is %q, the link is %q", got, link)
	}
	anna.reload()
	anna.hears("Ben", "and back")
}
