package e2e_test

import (
	"fmt"
	"strings"
	"testing"
)

// message is one in the list that a page shows.
type shown struct {
	Seq       int    `json:"seq"`
	User      string `json:"user"`
	Text      string `json:"text"`
	Retracted bool   `json:"retracted"`
}

// chatSite starts a Caddy with a chat at its root.
func chatSite(t *testing.T, options string) *site {
	t.Helper()
	return memorySite(t, unlimited+"\n\t\t"+options)
}

// create creates a room on the page that a tab shows, as Anna, and returns the link
// that invites others.
func (b *tab) create() string {
	b.t.Helper()
	b.fill("Your name", "Anna")
	b.click("button", "Create room")
	return b.link()
}

// link returns the link that the page of a room offers.
func (b *tab) link() string {
	b.t.Helper()
	return b.find("textbox", "Link to this room").value
}

// invite has somebody else follow a link, and join with a name or none.
func invite(t *testing.T, looks look, link, name string) *tab {
	t.Helper()
	b := newPerson(t, looks).open(t, link)
	b.join(name)
	return b
}

// join joins the room that the page asks one into.
func (b *tab) join(name string) {
	b.t.Helper()
	b.find("button", "Join")
	if name != "" {
		b.fill("Your name", name)
	}
	b.click("button", "Join")
	b.find("textbox", "Message")
}

// say writes a message and sends it.
func (b *tab) say(content string) {
	b.t.Helper()
	b.fill("Message", content)
	b.click("button", "Send")
}

// messages returns those that are in the document.
func (b *tab) messages() []shown {
	b.t.Helper()
	return eval[[]shown](b, `(() => {
		const list = document.querySelector('ephemeral-chat')?.shadowRoot.querySelectorAll('[data-seq]') ?? []
		return [...list].map(row => ({
			seq: Number(row.dataset.seq), user: row.dataset.user, retracted: row.dataset.retracted !== undefined,
			text: row.querySelector('.bubble')?.textContent ?? '',
		}))
	})()`)
}

// hears waits until the page shows a message of a user, or of anybody.
func (b *tab) hears(user, content string) shown {
	b.t.Helper()
	var found shown
	if !poll(waitTime, func() bool {
		for _, m := range b.messages() {
			if (m.User == user || user == "") && m.Text == content {
				found = m
				return true
			}
		}
		return false
	}) {
		b.t.Fatalf("no message %q of %s; there are %+v\n%s", content, user, b.messages(), b.outline())
	}
	return found
}

// texts are those of the messages, one a line, in their order.
func (b *tab) texts() string {
	b.t.Helper()
	var lines strings.Builder
	for _, m := range b.messages() {
		fmt.Fprintln(&lines, m.Text)
	}
	return lines.String()
}

// leftovers fails the test if the browser remembers anything.
func (b *tab) leftovers() {
	b.t.Helper()
	if left := eval[string](b, "JSON.stringify({...localStorage, ...sessionStorage}) + document.cookie"); left != "{}" {
		b.t.Errorf("remembered: %s", left)
	}
}
