package browser_test

import (
	"strings"
	"testing"

	"github.com/chromedp/chromedp/kb"

	"github.com/ephemeralchat/caddy-ephemeral-chat/e2e/harness/browser"
)

// TestPageKeyboard uses the page with the keyboard alone.
func TestPageKeyboard(t *testing.T) {
	t.Parallel()
	s := browser.ChatSite(t, "")
	b := browser.NewUser(t, browser.Device{}).Open(t, s.Base(0)+"/")
	b.Find("button", "Create room")
	b.TabTo("textbox", "Your name")
	b.Type("Anna")
	b.TabTo("textbox", "Room name")
	b.Type("Keys")
	b.TabTo("radio", "1 hr")
	b.Press(kb.ArrowLeft)
	b.TabTo("button", "Create room")
	b.Press(kb.Enter)
	b.Find("heading", "Keys")
	b.AwaitText("10 min")

	// The focus is in the field for messages.
	b.AwaitFocus("textbox", "Message")
	b.Type("first line")
	b.Press(kb.Enter, browser.Shift)
	b.Type("second line")
	b.Press(kb.Enter)
	b.AwaitMessage("Anna", "first line\nsecond line")
	b.Type("to be retracted")
	b.Press(kb.Enter)
	b.AwaitMessage("Anna", "to be retracted")
	b.AwaitFocus("textbox", "Message")

	// From there to the list, from message to message, and retract one.
	b.TabTo("listitem", "", browser.Shift)
	b.Press(kb.ArrowUp)
	b.Press(kb.ArrowDown)
	b.Press(kb.Delete)
	b.Find("dialog", "Take this message back?")
	b.AwaitFocus("button", "Cancel")
	b.Press(kb.Escape)
	b.AwaitGone("dialog", "Take this message back?")
	b.Press(kb.Delete)
	b.Find("dialog", "Take this message back?")
	b.TabTo("button", "Take back")
	b.Press(kb.Enter)
	b.AwaitGone("dialog", "Take this message back?")
	b.AwaitText("Message taken back")
	if strings.Contains(b.Text(), "to be retracted") {
		t.Error("the message is still there")
	}

	b.TabTo("switch", "Lock the room*")
	b.Press(" ")
	b.AwaitText("Locked")
	b.TabTo("button", "Delete the room")
	b.Press(kb.Enter)
	b.Find("dialog", "Delete this room now?")
	b.TabTo("button", "Delete the room")
	b.Press(kb.Enter)
	b.Find("heading", "This room is gone")
	b.TabTo("button", "New room")
	b.Press(kb.Enter)
	b.Find("button", "Create room")
	b.ExpectNothingStored()
	if b.Clicks+b.Fills > 0 {
		t.Error("not the keyboard alone")
	}
}
