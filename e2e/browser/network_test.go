package browser_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/ephemeralchat/caddy-ephemeral-chat/e2e/harness"
	"github.com/ephemeralchat/caddy-ephemeral-chat/e2e/harness/browser"
)

// TestPageNetworkLost breaks the network of one of two users, in each way in which
// networks fail. Messages of both meanwhile arrive once, in order.
func TestPageNetworkLost(t *testing.T) {
	t.Parallel()
	s := harness.MemorySite(t, harness.Unlimited+"\n\t\tping_interval 2s")
	proxy := harness.StartProxy(t, s.Base(0)[len("http://"):])
	anna := browser.NewUser(t, browser.Device{}).Open(t, s.Base(0)+"/")
	link := anna.CreateRoom()
	ben := browser.NewUser(t, browser.Device{}).OpenBlank(t, "http://"+proxy.Addr())
	ben.Tolerate("WebSocket connection to .* failed")
	ben.Tolerate("net::ERR_(CONNECTION|EMPTY_RESPONSE|INTERNET_DISCONNECTED|SOCKET)")
	ben.Visit("http://" + proxy.Addr() + "/#" + link[len(s.Base(0)+"/#"):])
	ben.Join("Ben")
	published := []string{"before"}
	anna.Publish("before")
	ben.AwaitMessage("Anna", "before")

	for _, cut := range []struct {
		name       string
		fail, heal func()
	}{
		{"reset", func() { proxy.Set(harness.Refused) }, func() { proxy.Set(harness.NoOutage) }},
		// As when a phone changes its network, which the browser reports.
		{"silent", func() { proxy.Set(harness.Silent); browser.Eval[any](ben, "dispatchEvent(new Event('online'))") }, func() { proxy.Set(harness.NoOutage) }},
		{"offline", func() { proxy.Set(harness.Refused); ben.SetOffline(true) }, func() { proxy.Set(harness.NoOutage); ben.SetOffline(false) }},
	} {
		name := cut.name
		cut.fail()
		ben.Publish("Ben, " + name)
		anna.Publish("Anna, " + name)
		anna.AwaitMessage("Anna", "Anna, "+name)
		ben.AwaitText("You are offline", "Connection lost", "Connecting…")
		if slices.ContainsFunc(anna.Messages(), func(m browser.Message) bool { return m.Text == "Ben, "+name }) {
			t.Errorf("%s: nothing was cut", name)
		}
		cut.heal()
		anna.AwaitMessage("Ben", "Ben, "+name)
		ben.AwaitMessage("Ben", "Ben, "+name)
		ben.AwaitMessage("Anna", "Anna, "+name)
		published = append(published, "Anna, "+name, "Ben, "+name)
	}
	anna.Publish("the end")
	published = append(published, "the end")
	for _, b := range []*browser.Tab{anna, ben} {
		b.AwaitMessage("Anna", "the end")
	}
	want := ""
	for _, text := range published {
		want += fmt.Sprintln(text)
	}
	for _, b := range []*browser.Tab{anna, ben} {
		if got := b.Texts(); got != want {
			t.Errorf("messages\n%s, want\n%s", got, want)
		}
	}
}
