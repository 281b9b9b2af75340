package e2e_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/chromedp/cdproto/network"
)

// TestPageNetworkLost cuts the network of one of two people, in each way in which
// networks fail. What either says meanwhile reaches both once, and in order.
func TestPageNetworkLost(t *testing.T) {
	t.Parallel()
	s := memorySite(t, unlimited+"\n\t\tping_interval 2s")
	wire := startProxy(t, s.base(0)[len("http://"):])
	anna := newPerson(t, look{}).open(t, s.base(0)+"/")
	link := anna.create()
	ben := newPerson(t, look{}).openBlank(t, "http://"+wire.address)
	ben.tolerate("WebSocket connection to .* failed")
	ben.tolerate("net::ERR_(CONNECTION|EMPTY_RESPONSE|INTERNET_DISCONNECTED|SOCKET)")
	ben.visit("http://" + wire.address + "/#" + link[len(s.base(0)+"/#"):])
	ben.join("Ben")
	said := []string{"before"}
	anna.say("before")
	ben.hears("Anna", "before")

	for _, cut := range []struct {
		name       string
		fail, heal func()
	}{
		{"reset", func() { wire.set(refused) }, func() { wire.set(noOutage) }},
		// As when a phone goes from one network to another, of which it tells.
		{"silent", func() { wire.set(silent); eval[any](ben, "dispatchEvent(new Event('online'))") }, func() { wire.set(noOutage) }},
		{"offline", func() { wire.set(refused); ben.offline(true) }, func() { wire.set(noOutage); ben.offline(false) }},
	} {
		name := cut.name
		cut.fail()
		ben.say("Ben, " + name)
		anna.say("Anna, " + name)
		anna.hears("Anna", "Anna, "+name)
		ben.awaitAny("You are offline", "Connection lost", "Connecting…")
		if slices.ContainsFunc(anna.messages(), func(m shown) bool { return m.Text == "Ben, "+name }) {
			t.Errorf("%s: nothing was cut", name)
		}
		cut.heal()
		anna.hears("Ben", "Ben, "+name)
		ben.hears("Ben", "Ben, "+name)
		ben.hears("Anna", "Anna, "+name)
		said = append(said, "Anna, "+name, "Ben, "+name)
	}
	anna.say("the end")
	said = append(said, "the end")
	for _, b := range []*tab{anna, ben} {
		b.hears("Anna", "the end")
	}
	want := ""
	for _, text := range said {
		want += fmt.Sprintln(text)
	}
	for _, b := range []*tab{anna, ben} {
		if got := b.texts(); got != want {
			t.Errorf("messages\n%s, want\n%s", got, want)
		}
	}
}

// offline tells the page that the browser has no network, or has one again. The
// browser can also be told to act on it, but then cuts connections of others.
func (b *tab) offline(is bool) {
	b.t.Helper()
	call(b, network.OverrideNetworkState, network.OverrideNetworkStateParams{Offline: is, DownloadThroughput: -1, UploadThroughput: -1})
}
