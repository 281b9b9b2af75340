package browser_test

import (
	"regexp"
	"strings"
	"testing"

	"github.com/ephemeralchat/caddy-ephemeral-chat/e2e/harness"
	"github.com/ephemeralchat/caddy-ephemeral-chat/e2e/harness/browser"
)

// TestPagePrivate exchanges encrypted messages, and searches Redis, Caddy's log and the
// browser's storage for the texts and the key.
func TestPagePrivate(t *testing.T) {
	t.Parallel()
	server := harness.StartRedis(t)
	s := harness.StartSite(t, server, harness.Unlimited+"\n\t\tpage on", server.Addr())
	annasBrowser := browser.NewUser(t, browser.Device{})
	anna := annasBrowser.Open(t, s.Base(0)+"/")
	anna.Fill("Your name", "Anna")
	anna.Click("switch", "End-to-end encrypted*")
	anna.Click("button", "Create room")
	link := anna.Link()
	parts := regexp.MustCompile(`#([\w-]{22})\.([\w-]{43})$`).FindStringSubmatch(link)
	if parts == nil {
		t.Fatalf("the link is %s", link)
	}
	room, key := parts[1], parts[2]
	ben := browser.Invite(t, browser.Device{}, link, "Ben")
	anna.Publish("the treasure is under the oak")
	ben.AwaitMessage("Anna", "the treasure is under the oak")
	ben.Publish("which oak?")
	anna.AwaitMessage("Ben", "which oak?")
	anna.Reload()
	anna.AwaitMessage("Ben", "which oak?")

	// Members without the key, or with another one, read nothing. Their messages are
	// marked.
	plain := browser.Invite(t, browser.Device{}, s.Base(0)+"/#"+room, "Carla")
	plain.AwaitText("Encrypted: the link lacks its key")
	plain.Publish("hello from outside")
	ben.AwaitText("hello from outside Not encrypted")
	wrong := browser.Invite(t, browser.Device{}, s.Base(0)+"/#"+room+"."+strings.Repeat("A", 43), "Dora")
	wrong.AwaitText("does not decrypt")
	for _, b := range []*browser.Tab{plain, wrong} {
		if text := b.Text(); strings.Contains(text, "oak") {
			t.Errorf("read without the key: %s", text)
		}
	}

	secrets := []string{"treasure", "which oak", key}
	contents := s.Redis.Contents(t, "")
	var raw strings.Builder
	for name, value := range contents {
		raw.WriteString(name + " " + value + "\n")
	}
	entries, err := s.Redis.Client().LRange(t.Context(), "room:messages:"+room, 0, -1).Result()
	if err != nil || len(entries) != 3 {
		t.Fatalf("%d messages in Redis, %v", len(entries), err)
	}
	raw.WriteString(strings.Join(entries, "\n"))
	if !strings.Contains(raw.String(), "hello from outside") {
		t.Error("the message without encryption is not found: the search proves nothing")
	}
	for where, text := range map[string]string{
		"Redis": raw.String(), "the log": s.Nodes[0].Log(),
		"the browser's storage": browser.Eval[string](anna, "JSON.stringify({...localStorage, ...sessionStorage})"),
	} {
		for _, secret := range secrets {
			if strings.Contains(text, secret) {
				t.Errorf("%s has %q", where, secret)
			}
		}
	}
}
