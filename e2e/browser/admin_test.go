package browser_test

import (
	"strings"
	"testing"

	"github.com/ephemeralchat/caddy-ephemeral-chat/e2e/harness/browser"
)

// TestPageAdmin does what only the admin of a room can do.
func TestPageAdmin(t *testing.T) {
	t.Parallel()
	s := browser.ChatSite(t, "")
	anna := browser.NewUser(t, browser.Device{}).Open(t, s.Base(0)+"/")
	link := anna.CreateRoom()
	ben := browser.Invite(t, browser.Device{}, link, "Ben")
	carla := browser.Invite(t, browser.Device{}, link, "Carla")
	for _, name := range []string{"Delete the room", "Start the clock now", "Remove Anna"} {
		if ben.Lookup("button", name) != nil {
			t.Errorf("a member is offered: %s", name)
		}
	}
	if ben.Lookup("switch", "Lock the room*") != nil {
		t.Error("a member is offered to lock the room")
	}

	anna.Click("button", "Start the clock now")
	for _, b := range []*browser.Tab{anna, ben, carla} {
		b.AwaitText("Gone at")
	}
	anna.AwaitGone("button", "Start the clock now")

	// The admin retracts messages of all members, a member their own.
	ben.Publish("something rude")
	ben.Publish("something else")
	anna.AwaitMessage("Ben", "something rude")
	anna.Retract("something rude")
	ben.Retract("something else")
	for _, b := range []*browser.Tab{anna, ben, carla} {
		for _, text := range []string{"something rude", "something else"} {
			b.AwaitNoText(text)
		}
		if n := strings.Count(b.Texts(), "Message taken back"); n != 2 {
			t.Errorf("%d messages are marked as retracted: %s", n, b.Texts())
		}
	}
	carla.Reload()
	carla.AwaitText("Message taken back")
	if strings.Contains(carla.Text(), "something") {
		t.Errorf("retracted, and there after a reload: %s", carla.Text())
	}

	// No new member joins a locked room.
	anna.Click("switch", "Lock the room*")
	for _, b := range []*browser.Tab{anna, ben, carla} {
		b.AwaitText("Locked")
	}
	dora := browser.NewUser(t, browser.Device{}).OpenBlank(t, s.Base(0))
	dora.Tolerate("network error.*403.*joinRoom")
	dora.Visit(link)
	dora.AwaitText("This room is locked")
	dora.Click("button", "Join")
	dora.AwaitText("This room is locked")
	anna.Click("switch", "Lock the room*")
	ben.AwaitNoText("Locked")
	dora.Click("button", "Join")
	dora.Find("textbox", "Message")

	// A removed member can join again under another session, unless the room is locked
	// with the removal.
	anna.RemoveMember("Carla", false)
	carla.Find("heading", "You have been removed")
	carla.ExpectNothingStored()
	carla.Reload()
	carla.Join("Carla")
	anna.RemoveMember("Ben", true)
	ben.Find("heading", "You have been removed")
	ben.ExpectNothingStored()
	anna.AwaitText("Locked")

	anna.Click("button", "Delete the room")
	anna.Confirm("Delete this room now?", "Delete the room")
	for _, b := range []*browser.Tab{anna, carla, dora} {
		b.Find("heading", "This room is gone")
		b.ExpectNothingStored()
	}
}
