package e2e_test

import (
	"strings"
	"testing"
)

// TestPageAdmin is of what only the admin of a room can do.
func TestPageAdmin(t *testing.T) {
	t.Parallel()
	s := chatSite(t, "")
	anna := newPerson(t, look{}).open(t, s.base(0)+"/")
	link := anna.create()
	ben := invite(t, look{}, link, "Ben")
	carla := invite(t, look{}, link, "Carla")
	for _, name := range []string{"Delete the room", "Start the clock now", "Remove Anna"} {
		if ben.look("button", name) != nil {
			t.Errorf("a member is offered: %s", name)
		}
	}
	if ben.look("switch", "Lock the room*") != nil {
		t.Error("a member is offered to lock the room")
	}

	anna.click("button", "Start the clock now")
	for _, b := range []*tab{anna, ben, carla} {
		b.awaitText("Gone at")
	}
	anna.gone("button", "Start the clock now")

	// Taken back by the admin, whoever has said it, and by oneself.
	ben.say("something rude")
	ben.say("something else")
	anna.hears("Ben", "something rude")
	anna.retract("something rude")
	ben.retract("something else")
	for _, b := range []*tab{anna, ben, carla} {
		for _, text := range []string{"something rude", "something else"} {
			if !poll(waitTime, func() bool { return !strings.Contains(b.text(), text) }) {
				t.Fatalf("%q is still there: %s", text, b.text())
			}
		}
		if n := strings.Count(b.texts(), "Message taken back"); n != 2 {
			t.Errorf("%d messages are marked as taken back: %s", n, b.texts())
		}
	}
	carla.reload()
	carla.awaitText("Message taken back")
	if strings.Contains(carla.text(), "something") {
		t.Errorf("taken back, and there after a reload: %s", carla.text())
	}

	// Locked: nobody new.
	anna.click("switch", "Lock the room*")
	for _, b := range []*tab{anna, ben, carla} {
		b.awaitText("Locked")
	}
	dora := newPerson(t, look{}).openBlank(t, s.base(0))
	dora.tolerate("network error.*403.*joinRoom")
	dora.visit(link)
	dora.awaitText("This room is locked")
	dora.click("button", "Join")
	dora.awaitText("This room is locked")
	anna.click("switch", "Lock the room*")
	if !poll(waitTime, func() bool { return !strings.Contains(ben.text(), "Locked") }) {
		t.Error("not unlocked")
	}
	dora.click("button", "Join")
	dora.find("textbox", "Message")

	// Removed, who may come back as somebody else; and removed with the door shut.
	anna.remove("Carla", false)
	carla.find("heading", "You have been removed")
	carla.leftovers()
	carla.reload()
	carla.join("Carla")
	anna.remove("Ben", true)
	ben.find("heading", "You have been removed")
	ben.leftovers()
	anna.awaitText("Locked")

	anna.click("button", "Delete the room")
	anna.find("dialog", "Delete this room now?").press("Delete the room")
	for _, b := range []*tab{anna, carla, dora} {
		b.find("heading", "This room is gone")
		b.leftovers()
	}
}

// retract takes a message back.
func (b *tab) retract(content string) {
	b.t.Helper()
	for _, row := range b.all("listitem") {
		if strings.Contains(on[string](row, "function() { return this.textContent }"), content) {
			row.click()
			b.click("button", "Take back")
			b.find("dialog", "Take this message back?").press("Take back")
			b.gone("dialog", "Take this message back?")
			return
		}
	}
	b.t.Fatalf("no message %q:\n%s", content, b.outline())
}

// remove has the admin remove a member, and lock the room or not.
func (b *tab) remove(name string, lock bool) {
	b.t.Helper()
	b.click("button", "Remove "+name)
	dialog := b.find("dialog", "Remove "+name+"?")
	more := b.find("switch", "And lock the room")
	if (more.states["checked"] == "true") != lock {
		more.click()
	}
	dialog.press("Remove")
	b.gone("dialog", "Remove "+name+"?")
}

// press clicks at the button of a dialog that does what it asks.
func (e *element) press(name string) {
	b := e.tab
	b.t.Helper()
	var found *element
	for _, button := range b.all("button") {
		inside := on[bool](button, "function() { return this.closest('dialog[open]') !== null }")
		if button.name == name && inside {
			found = button
		}
	}
	if found == nil {
		b.t.Fatalf("the dialog %q has no button %q:\n%s", e.name, name, b.outline())
	}
	found.click()
}
