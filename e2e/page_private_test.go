package e2e_test

import (
	"regexp"
	"strings"
	"testing"
)

// TestPagePrivate is of a room whose messages are encrypted, and looks for what
// was said, and for the key, in everything that Redis holds and Caddy has logged.
func TestPagePrivate(t *testing.T) {
	t.Parallel()
	server := startRedis(t)
	s := startSite(t, server, unlimited+"\n\t\tpage on", server.address)
	annasBrowser := newPerson(t, look{})
	anna := annasBrowser.open(t, s.base(0)+"/")
	anna.fill("Your name", "Anna")
	anna.click("switch", "End-to-end encrypted*")
	anna.click("button", "Create room")
	link := anna.link()
	parts := regexp.MustCompile(`#([\w-]{22})\.([\w-]{43})$`).FindStringSubmatch(link)
	if parts == nil {
		t.Fatalf("the link is %s", link)
	}
	room, key := parts[1], parts[2]
	ben := invite(t, look{}, link, "Ben")
	anna.say("the treasure is under the oak")
	ben.hears("Anna", "the treasure is under the oak")
	ben.say("which oak?")
	anna.hears("Ben", "which oak?")
	anna.reload()
	anna.hears("Ben", "which oak?")

	// Who has no key, or another, reads nothing; who talks without one is marked.
	plain := invite(t, look{}, s.base(0)+"/#"+room, "Carla")
	plain.awaitText("Encrypted: the link lacks its key")
	plain.say("hello from outside")
	ben.awaitText("hello from outside Not encrypted")
	wrong := invite(t, look{}, s.base(0)+"/#"+room+"."+strings.Repeat("A", 43), "Dora")
	wrong.awaitText("does not decrypt")
	for _, b := range []*tab{plain, wrong} {
		if text := b.text(); strings.Contains(text, "oak") {
			t.Errorf("read without the key: %s", text)
		}
	}

	secrets := []string{"treasure", "which oak", key}
	contents := s.redis.contents(t, "")
	var raw strings.Builder
	for name, value := range contents {
		raw.WriteString(name + " " + value + "\n")
	}
	entries, err := s.redis.client.LRange(t.Context(), "room:messages:"+room, 0, -1).Result()
	if err != nil || len(entries) != 3 {
		t.Fatalf("%d messages in Redis, %v", len(entries), err)
	}
	raw.WriteString(strings.Join(entries, "\n"))
	if !strings.Contains(raw.String(), "hello from outside") {
		t.Error("what is not encrypted is not found either: the search is worth nothing")
	}
	for where, text := range map[string]string{
		"Redis": raw.String(), "the log": s.nodes[0].log(t),
		"the browser's storage": eval[string](anna, "JSON.stringify({...localStorage, ...sessionStorage})"),
	} {
		for _, secret := range secrets {
			if strings.Contains(text, secret) {
				t.Errorf("%s has %q", where, secret)
			}
		}
	}
}
