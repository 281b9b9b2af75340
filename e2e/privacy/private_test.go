package privacy_test

import (
	"strings"
	"testing"

	"github.com/ephemeralchat/caddy-ephemeral-chat/e2e/harness"
	"github.com/ephemeralchat/caddy-ephemeral-chat/e2e/harness/browser"
)

// TestPrivateRoomInMemory searches the memory of a node and of Redis for the texts and
// the key of a private room while it lives. A message from a member without the key
// shows that the search finds plain text.
func TestPrivateRoomInMemory(t *testing.T) {
	server := harness.StartRedis(t)
	s := harness.StartSite(t, server, harness.Unlimited+"\n\t\tpage on", server.Addr())
	anna := browser.NewUser(t, browser.Device{}).Open(t, s.Base(0)+"/")
	anna.Fill("Your name", "Anna")
	anna.Click("switch", "End-to-end encrypted*")
	anna.Click("button", "Create room")
	link := anna.Link()
	dot := strings.LastIndexByte(link, '.')
	address, key := link[:max(dot, 0)], link[dot+1:]
	if len(key) != 43 {
		t.Fatalf("the link is %s", link)
	}
	ben := browser.Invite(t, browser.Device{}, link, "Ben")
	fromAnna, fromBen, control := newMarker("private", "anna"), newMarker("private", "ben"), newMarker("plain", "carla")
	anna.Publish(fromAnna.text)
	ben.AwaitMessage("Anna", fromAnna.text)
	ben.Publish(fromBen.text)
	anna.AwaitMessage("Ben", fromBen.text)
	carla := browser.Invite(t, browser.Device{}, address, "Carla")
	carla.Publish(control.text)
	ben.AwaitText(control.text)

	markers := []*marker{fromAnna, fromBen, markerOf("private", key), control}
	for where, pid := range map[string]int{"the node": s.Nodes[0].PID(), "Redis": redisPID(t, server)} {
		found := searchMemory(t, pid, markers, nil)
		if n := found.of("private"); n > 0 {
			t.Errorf("the memory of %s has %d copies of texts or the key: %v", where, n, found)
		}
		if found.of("plain") == 0 {
			t.Errorf("the memory of %s has no copy of the message without encryption: the search proves nothing", where)
		}
	}
}
