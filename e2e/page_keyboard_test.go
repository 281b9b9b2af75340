package e2e_test

import (
	"strings"
	"testing"

	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/chromedp/kb"
)

// TestPageKeyboard does everything with the keyboard alone.
func TestPageKeyboard(t *testing.T) {
	t.Parallel()
	s := chatSite(t, "")
	b := newPerson(t, look{}).open(t, s.base(0)+"/")
	b.find("button", "Create room")
	b.tabTo("textbox", "Your name")
	b.write("Anna")
	b.tabTo("textbox", "Room name")
	b.write("Keys")
	b.tabTo("radio", "1 hr")
	b.press(kb.ArrowLeft)
	b.tabTo("button", "Create room")
	b.press(kb.Enter)
	b.find("heading", "Keys")
	b.awaitText("10 min")

	// The focus is where one writes.
	b.awaitFocus("textbox", "Message")
	b.write("first line")
	b.press(kb.Enter, 8)
	b.write("second line")
	b.press(kb.Enter)
	b.hears("Anna", "first line\nsecond line")
	b.write("to be taken back")
	b.press(kb.Enter)
	b.hears("Anna", "to be taken back")
	b.awaitFocus("textbox", "Message")

	// Back to the list, from message to message, and one is taken back.
	b.tabBackTo("listitem", "")
	b.press(kb.ArrowUp)
	b.press(kb.ArrowDown)
	b.press(kb.Delete)
	b.find("dialog", "Take this message back?")
	b.awaitFocus("button", "Cancel")
	b.press(kb.Escape)
	b.gone("dialog", "Take this message back?")
	b.press(kb.Delete)
	b.find("dialog", "Take this message back?")
	b.tabTo("button", "Take back")
	b.press(kb.Enter)
	b.gone("dialog", "Take this message back?")
	b.awaitText("Message taken back")
	if strings.Contains(b.text(), "to be taken back") {
		t.Error("the message is still there")
	}

	b.tabTo("switch", "Lock the room*")
	b.press(" ")
	b.awaitText("Locked")
	b.tabTo("button", "Delete the room")
	b.press(kb.Enter)
	b.find("dialog", "Delete this room now?")
	b.tabTo("button", "Delete the room")
	b.press(kb.Enter)
	b.find("heading", "This room is gone")
	b.tabTo("button", "New room")
	b.press(kb.Enter)
	b.find("button", "Create room")
	b.leftovers()
	if b.clicks+b.fields > 0 {
		t.Error("not the keyboard alone")
	}
}

// write types a text where the focus is.
func (b *tab) write(content string) {
	b.t.Helper()
	call(b, input.InsertText, input.InsertTextParams{Text: content})
}

// focused returns what has the focus among everything that has a role; nil if
// nothing has.
func (b *tab) focused(role string) *element {
	b.t.Helper()
	for _, e := range b.all(role) {
		if e.states["focused"] == "true" {
			return e
		}
	}
	return nil
}

// awaitFocus waits until something has the focus.
func (b *tab) awaitFocus(role, name string) {
	b.t.Helper()
	until(b.t, waitTime, "the focus is on "+role+" "+name, func() bool { return b.hasFocus(role, name) })
}

func (b *tab) hasFocus(role, name string) bool {
	b.t.Helper()
	e := b.focused(role)
	prefix, begins := strings.CutSuffix(name, "*")
	return e != nil && (name == "" || e.name == name || begins && strings.HasPrefix(e.name, prefix))
}

// tabTo presses the tab key until the focus is on something.
func (b *tab) tabTo(role, name string) {
	b.t.Helper()
	b.tabUntil(role, name)
}

// tabBackTo does so backwards.
func (b *tab) tabBackTo(role, name string) {
	b.t.Helper()
	b.tabUntil(role, name, 8)
}

func (b *tab) tabUntil(role, name string, modifiers ...int64) {
	b.t.Helper()
	for range 60 {
		if b.hasFocus(role, name) {
			return
		}
		b.press(kb.Tab, modifiers...)
	}
	b.t.Fatalf("%s %q is not reached with the tab key; there are:\n%s", role, name, b.outline())
}
