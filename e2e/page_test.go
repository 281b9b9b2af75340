package e2e_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"
)

// TestPageTwoPeople is the main job in a browser: somebody creates a room, another
// follows the link, they talk, and the room is gone for both.
func TestPageTwoPeople(t *testing.T) {
	t.Parallel()
	s := chatSite(t, "ttl 8s")
	anna := newPerson(t, look{}).open(t, s.base(0)+"/")
	link := anna.create()
	if !strings.HasPrefix(link, s.base(0)+"/#") {
		t.Errorf("the link is %s", link)
	}
	anna.awaitText("The first message starts the clock")
	ben := invite(t, look{}, link, "Ben")
	ben.awaitText("The first message starts the clock")
	anna.awaitText("2 here")

	anna.say("Good morning")
	start := time.Now()
	ben.hears("Anna", "Good morning")
	anna.hears("Anna", "Good morning")
	ben.say("Morning, Anna")
	anna.hears("Ben", "Morning, Anna")
	for _, b := range []*tab{anna, ben} {
		b.awaitText("Time left")
	}
	for _, b := range []*tab{anna, ben} {
		b.find("heading", "This room is gone")
		if took := time.Since(start); took < 7*time.Second {
			t.Errorf("gone after %s", took)
		}
		if left := b.text(); strings.Contains(left, "orning") {
			t.Errorf("still there: %s", left)
		}
		b.leftovers()
	}
	// The link leads nowhere, for those who were there and for others.
	carla := newPerson(t, look{}).openBlank(t, originOf(link))
	for _, b := range []*tab{ben, carla} {
		b.tolerate("network error.*404.*roomInfo")
		b.visit(link)
		b.find("heading", "This room is gone")
	}
}

// TestPageFirstMessage is of somebody who has never been here: three clicks and
// two fields are as much as it may take to say something in a new room.
func TestPageFirstMessage(t *testing.T) {
	t.Parallel()
	s := chatSite(t, "")
	b := newPerson(t, look{}).open(t, s.base(0)+"/")
	b.click("button", "Create room")
	b.fill("Message", "Hello?")
	b.click("button", "Send")
	if m := b.hears("", "Hello?"); m.Seq != 1 {
		t.Errorf("message %+v", m)
	}
	t.Logf("%d clicks, %d fields", b.clicks, b.fields)
	if b.clicks > 3 || b.fields > 2 {
		t.Errorf("%d clicks and %d fields to the first message", b.clicks, b.fields)
	}
}

// TestPageReload is of somebody who loads the page again, and of one with two tabs:
// both are who they were.
func TestPageReload(t *testing.T) {
	t.Parallel()
	s := chatSite(t, "")
	annasBrowser := newPerson(t, look{})
	anna := annasBrowser.open(t, s.base(0)+"/")
	link := anna.create()
	ben := invite(t, look{}, link, "Ben")
	anna.say("before")
	ben.hears("Anna", "before")

	anna.reload()
	anna.hears("Anna", "before")
	anna.find("button", "Delete the room") // still the admin
	anna.say("after")
	ben.hears("Anna", "after")

	second := annasBrowser.open(t, link)
	second.hears("Anna", "after")
	second.say("from the other tab")
	for _, b := range []*tab{anna, ben, second} {
		b.hears("Anna", "from the other tab")
		b.awaitText("2 here")
	}
	anna.say("from the first tab")
	second.hears("Anna", "from the first tab")
	ben.say("to both")
	for _, b := range []*tab{anna, second} {
		b.hears("Ben", "to both")
		if got, want := b.texts(), "before\nafter\nfrom the other tab\nfrom the first tab\nto both\n"; got != want {
			t.Errorf("messages %q, want %q", got, want)
		}
	}
	// Closing one tab takes nobody away.
	second.close()
	anna.say("one tab is closed")
	ben.hears("Anna", "one tab is closed")
	ben.awaitText("2 here")
}

// TestPageWrongPassword is of a room with a password.
func TestPageWrongPassword(t *testing.T) {
	t.Parallel()
	s := chatSite(t, "")
	anna := newPerson(t, look{}).open(t, s.base(0)+"/")
	anna.fill("Your name", "Anna")
	anna.click("switch", "Password*")
	anna.fill("Password of the room", "Zaunkönig 7")
	anna.click("button", "Create room")
	link := anna.link()
	anna.say("only for us")

	ben := newPerson(t, look{}).openBlank(t, s.base(0))
	ben.tolerate("network error.*403.*joinRoom")
	ben.visit(link)
	ben.fill("Your name", "Ben")
	for _, wrong := range []string{"", "zaunkönig 7", "Zaunkönig 7 "} {
		ben.fill("Password", wrong)
		ben.click("button", "Join")
		ben.awaitText("not the password")
		if field := ben.find("textbox", "Password"); field.states["invalid"] != "true" {
			t.Errorf("the field is not marked: %v", field.states)
		}
	}
	ben.fill("Password", "Zaunkönig 7")
	ben.click("button", "Join")
	ben.hears("Anna", "only for us")
	if stored := eval[string](ben, "JSON.stringify(localStorage)"); strings.Contains(stored, "Zaun") || strings.Contains(stored, "only") {
		t.Errorf("stored: %s", stored)
	}
}

// TestPageForgets is of somebody who comes back when the room that the browser
// remembers has ended meanwhile.
func TestPageForgets(t *testing.T) {
	t.Parallel()
	s := chatSite(t, "")
	annasBrowser := newPerson(t, look{})
	anna := annasBrowser.open(t, s.base(0)+"/")
	link := anna.create()
	room := link[strings.Index(link, "#")+1:]
	var credentials struct{ UserID, SessionID string }
	stored := eval[string](anna, "Object.values(localStorage)[0]")
	if err := json.Unmarshal([]byte(stored), &credentials); err != nil {
		t.Fatalf("remembered: %s, %v", stored, err)
	}
	anna.close()
	s.api(0).succeed(t, "/deleteRoom", fields{"roomId": room, "userId": credentials.UserID, "sessionId": credentials.SessionID})

	again := annasBrowser.openBlank(t, s.base(0))
	again.tolerate("network error.*404.*roomInfo")
	again.visit(s.base(0) + "/")
	again.find("button", "Create room")
	until(t, waitTime, "the room is forgotten", func() bool { return eval[int](again, "localStorage.length") == 0 })
	again.leftovers()
}
