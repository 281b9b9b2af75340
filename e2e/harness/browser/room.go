package browser

import (
	"fmt"
	"strings"
	"testing"

	"github.com/ephemeralchat/caddy-ephemeral-chat/e2e/harness"
)

// ChatSite starts a node without limits, with a chat at its root.
func ChatSite(t *testing.T, options string) *harness.Site {
	t.Helper()
	return harness.MemorySite(t, harness.Unlimited+"\n\t\t"+options)
}

// Message is a message that the page shows.
type Message struct {
	Seq       int    `json:"seq"`
	User      string `json:"user"`
	Text      string `json:"text"`
	Retracted bool   `json:"retracted"`
}

// CreateRoom creates a room as Anna, and returns the link that invites others.
func (b *Tab) CreateRoom() string {
	b.t.Helper()
	b.Fill("Your name", "Anna")
	b.Click("button", "Create room")
	return b.Link()
}

// Link returns the link to the room that the page shows.
func (b *Tab) Link() string {
	b.t.Helper()
	return b.Find("textbox", "Link to this room").Value
}

// Invite has another user open a link, and join with a name or, if it is "", without.
func Invite(t *testing.T, device Device, link, name string) *Tab {
	t.Helper()
	b := NewUser(t, device).Open(t, link)
	b.Join(name)
	return b
}

// Join joins the room that the page asks the user to join.
func (b *Tab) Join(name string) {
	b.t.Helper()
	b.Find("button", "Join")
	if name != "" {
		b.Fill("Your name", name)
	}
	b.Click("button", "Join")
	b.Find("textbox", "Message")
}

// Publish writes a message and sends it.
func (b *Tab) Publish(content string) {
	b.t.Helper()
	b.Fill("Message", content)
	b.Click("button", "Send")
}

// Messages returns the messages in the document.
func (b *Tab) Messages() []Message {
	b.t.Helper()
	return Eval[[]Message](b, `(() => {
		const list = document.querySelector('ephemeral-chat')?.shadowRoot.querySelectorAll('[data-seq]') ?? []
		return [...list].map(row => ({
			seq: Number(row.dataset.seq), user: row.dataset.user, retracted: row.dataset.retracted !== undefined,
			text: row.querySelector('.bubble')?.textContent ?? '',
		}))
	})()`)
}

// AwaitMessage waits until the page shows a message of a user; "" stands for any.
func (b *Tab) AwaitMessage(user, content string) (found Message) {
	b.t.Helper()
	if !harness.Poll(harness.WaitTime, func() bool {
		for _, m := range b.Messages() {
			if (m.User == user || user == "") && m.Text == content {
				found = m
				return true
			}
		}
		return false
	}) {
		b.t.Fatalf("no message %q of %s; there are %+v\n%s", content, user, b.Messages(), b.Outline())
	}
	return found
}

// Texts returns the texts of the messages, one a line.
func (b *Tab) Texts() string {
	b.t.Helper()
	var lines strings.Builder
	for _, m := range b.Messages() {
		fmt.Fprintln(&lines, m.Text)
	}
	return lines.String()
}

// Retract retracts a message.
func (b *Tab) Retract(content string) {
	b.t.Helper()
	for _, row := range b.All("listitem") {
		if strings.Contains(row.TextContent(), content) {
			row.Click()
			b.Click("button", "Take back")
			b.Confirm("Take this message back?", "Take back")
			b.AwaitGone("dialog", "Take this message back?")
			return
		}
	}
	b.t.Fatalf("no message %q:\n%s", content, b.Outline())
}

// RemoveMember removes a member as the admin, and locks the room if lock is set.
func (b *Tab) RemoveMember(name string, lock bool) {
	b.t.Helper()
	b.Click("button", "Remove "+name)
	b.Find("dialog", "Remove "+name+"?")
	if more := b.Find("switch", "And lock the room"); (more.States["checked"] == "true") != lock {
		more.Click()
	}
	b.Confirm("Remove "+name+"?", "Remove")
	b.AwaitGone("dialog", "Remove "+name+"?")
}

// Confirm clicks at a button of a dialog.
func (b *Tab) Confirm(dialog, name string) {
	b.t.Helper()
	b.Find("dialog", dialog)
	for _, button := range b.All("button") {
		if button.Name == name && CallOn[bool](button, "function() { return this.closest('dialog[open]') !== null }") {
			button.Click()
			return
		}
	}
	b.t.Fatalf("the dialog %q has no button %q:\n%s", dialog, name, b.Outline())
}

// ExpectNothingStored fails the test if the browser stores data of the page.
func (b *Tab) ExpectNothingStored() {
	b.t.Helper()
	if left := Eval[string](b, "JSON.stringify({...localStorage, ...sessionStorage}) + document.cookie"); left != "{}" {
		b.t.Errorf("stored: %s", left)
	}
}
