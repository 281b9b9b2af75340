package browser_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/ephemeralchat/caddy-ephemeral-chat/e2e/harness"
	"github.com/ephemeralchat/caddy-ephemeral-chat/e2e/harness/browser"
)

// TestPageTwoPeople has a user create a room, and another one open its link. They chat,
// and the room ends for both.
func TestPageTwoPeople(t *testing.T) {
	t.Parallel()
	s := browser.ChatSite(t, "ttl 8s")
	anna := browser.NewUser(t, browser.Device{}).Open(t, s.Base(0)+"/")
	link := anna.CreateRoom()
	if !strings.HasPrefix(link, s.Base(0)+"/#") {
		t.Errorf("the link is %s", link)
	}
	anna.AwaitText("The first message starts the clock")
	ben := browser.Invite(t, browser.Device{}, link, "Ben")
	ben.AwaitText("The first message starts the clock")
	anna.AwaitText("2 here")

	anna.Publish("Good morning")
	start := time.Now()
	ben.AwaitMessage("Anna", "Good morning")
	anna.AwaitMessage("Anna", "Good morning")
	ben.Publish("Morning, Anna")
	anna.AwaitMessage("Ben", "Morning, Anna")
	for _, b := range []*browser.Tab{anna, ben} {
		b.AwaitText("Time left")
	}
	for _, b := range []*browser.Tab{anna, ben} {
		b.Find("heading", "This room is gone")
		if took := time.Since(start); took < 7*time.Second {
			t.Errorf("gone after %s", took)
		}
		if left := b.Text(); strings.Contains(left, "orning") {
			t.Errorf("still there: %s", left)
		}
		b.ExpectNothingStored()
	}
	// The link leads to no room, for the members and for others.
	carla := browser.NewUser(t, browser.Device{}).OpenBlank(t, browser.OriginOf(link))
	for _, b := range []*browser.Tab{ben, carla} {
		b.Tolerate("network error.*404.*roomInfo")
		b.Visit(link)
		b.Find("heading", "This room is gone")
	}
}

// TestPageFirstMessage publishes a message in a new room as a new user: it takes at most
// three clicks and two fields.
func TestPageFirstMessage(t *testing.T) {
	t.Parallel()
	s := browser.ChatSite(t, "")
	b := browser.NewUser(t, browser.Device{}).Open(t, s.Base(0)+"/")
	b.Click("button", "Create room")
	b.Fill("Message", "Hello?")
	b.Click("button", "Send")
	if m := b.AwaitMessage("", "Hello?"); m.Seq != 1 {
		t.Errorf("message %+v", m)
	}
	t.Logf("%d clicks, %d fields", b.Clicks, b.Fills)
	if b.Clicks > 3 || b.Fills > 2 {
		t.Errorf("%d clicks and %d fields to the first message", b.Clicks, b.Fills)
	}
}

// TestPageReload reloads the page, and opens it in a second tab. The user stays the
// same.
func TestPageReload(t *testing.T) {
	t.Parallel()
	s := browser.ChatSite(t, "")
	annasBrowser := browser.NewUser(t, browser.Device{})
	anna := annasBrowser.Open(t, s.Base(0)+"/")
	link := anna.CreateRoom()
	ben := browser.Invite(t, browser.Device{}, link, "Ben")
	anna.Publish("before")
	ben.AwaitMessage("Anna", "before")

	anna.Reload()
	anna.AwaitMessage("Anna", "before")
	anna.Find("button", "Delete the room") // still the admin
	anna.Publish("after")
	ben.AwaitMessage("Anna", "after")

	second := annasBrowser.Open(t, link)
	second.AwaitMessage("Anna", "after")
	second.Publish("from the other tab")
	for _, b := range []*browser.Tab{anna, ben, second} {
		b.AwaitMessage("Anna", "from the other tab")
		b.AwaitText("2 here")
	}
	anna.Publish("from the first tab")
	second.AwaitMessage("Anna", "from the first tab")
	ben.Publish("to both")
	for _, b := range []*browser.Tab{anna, second} {
		b.AwaitMessage("Ben", "to both")
		if got, want := b.Texts(), "before\nafter\nfrom the other tab\nfrom the first tab\nto both\n"; got != want {
			t.Errorf("messages %q, want %q", got, want)
		}
	}
	// The user stays online when one of two tabs is closed.
	second.Close()
	anna.Publish("one tab is closed")
	ben.AwaitMessage("Anna", "one tab is closed")
	ben.AwaitText("2 here")
}

// TestPageWrongPassword joins a room with wrong passwords, then with the right one.
func TestPageWrongPassword(t *testing.T) {
	t.Parallel()
	s := browser.ChatSite(t, "")
	anna := browser.NewUser(t, browser.Device{}).Open(t, s.Base(0)+"/")
	anna.Fill("Your name", "Anna")
	anna.Click("switch", "Password*")
	anna.Fill("Password of the room", "Zaunkönig 7")
	anna.Click("button", "Create room")
	link := anna.Link()
	anna.Publish("only for us")

	ben := browser.NewUser(t, browser.Device{}).OpenBlank(t, s.Base(0))
	ben.Tolerate("network error.*403.*joinRoom")
	ben.Visit(link)
	ben.Fill("Your name", "Ben")
	for _, wrong := range []string{"", "zaunkönig 7", "Zaunkönig 7 "} {
		ben.Fill("Password", wrong)
		ben.Click("button", "Join")
		ben.AwaitText("not the password")
		if field := ben.Find("textbox", "Password"); field.States["invalid"] != "true" {
			t.Errorf("the field is not marked: %v", field.States)
		}
	}
	ben.Fill("Password", "Zaunkönig 7")
	ben.Click("button", "Join")
	ben.AwaitMessage("Anna", "only for us")
	if stored := browser.Eval[string](ben, "JSON.stringify(localStorage)"); strings.Contains(stored, "Zaun") || strings.Contains(stored, "only") {
		t.Errorf("stored: %s", stored)
	}
}

// TestPageForgets returns to the page when the room has ended whose session the browser
// has stored.
func TestPageForgets(t *testing.T) {
	t.Parallel()
	s := browser.ChatSite(t, "")
	annasBrowser := browser.NewUser(t, browser.Device{})
	anna := annasBrowser.Open(t, s.Base(0)+"/")
	link := anna.CreateRoom()
	room := link[strings.Index(link, "#")+1:]
	var credentials struct{ UserID, SessionID string }
	stored := browser.Eval[string](anna, "Object.values(localStorage)[0]")
	if err := json.Unmarshal([]byte(stored), &credentials); err != nil {
		t.Fatalf("remembered: %s, %v", stored, err)
	}
	anna.Close()
	s.API(0).Succeed(t, "/deleteRoom", harness.Fields{"roomId": room, "userId": credentials.UserID, "sessionId": credentials.SessionID})

	again := annasBrowser.OpenBlank(t, s.Base(0))
	again.Tolerate("network error.*404.*roomInfo")
	again.Visit(s.Base(0) + "/")
	again.Find("button", "Create room")
	harness.Until(t, harness.WaitTime, "the room is forgotten", func() bool { return browser.Eval[int](again, "localStorage.length") == 0 })
	again.ExpectNothingStored()
}
