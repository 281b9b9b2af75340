package browser

import (
	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/chromedp/kb"

	"github.com/ephemeralchat/caddy-ephemeral-chat/e2e/harness"
)

// Modifiers of keys in the DevTools protocol.
const (
	Ctrl  int64 = 2
	Shift int64 = 8
)

// Press presses keys, each a character of package kb, with modifiers.
func (b *Tab) Press(keys string, modifiers ...int64) {
	b.t.Helper()
	for _, key := range keys {
		for _, event := range kb.Encode(key) {
			for _, modifier := range modifiers {
				event.Modifiers |= modifier
			}
			Command(b, input.DispatchKeyEvent, *event)
		}
	}
}

// Type inserts a text where the focus is.
func (b *Tab) Type(content string) {
	b.t.Helper()
	Command(b, input.InsertText, input.InsertTextParams{Text: content})
}

// AwaitFocus waits until an element has the focus. The name "" stands for any.
func (b *Tab) AwaitFocus(role, name string) {
	b.t.Helper()
	harness.Until(b.t, harness.WaitTime, "the focus is on "+role+" "+name, func() bool { return b.hasFocus(role, name) })
}

func (b *Tab) hasFocus(role, name string) bool {
	b.t.Helper()
	for _, e := range b.All(role) {
		if e.States["focused"] == "true" {
			return name == "" || e.isNamed(name)
		}
	}
	return false
}

// TabTo presses the tab key, with modifiers, until an element has the focus.
func (b *Tab) TabTo(role, name string, modifiers ...int64) {
	b.t.Helper()
	for range 60 {
		if b.hasFocus(role, name) {
			return
		}
		b.Press(kb.Tab, modifiers...)
	}
	b.t.Fatalf("the tab key does not reach %s %q; there are:\n%s", role, name, b.Outline())
}
