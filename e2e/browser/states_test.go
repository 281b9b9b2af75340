package browser_test

import (
	"strings"
	"testing"

	"github.com/ephemeralchat/caddy-ephemeral-chat/e2e/harness"
	"github.com/ephemeralchat/caddy-ephemeral-chat/e2e/harness/browser"
)

// TestPageStates brings the page into each of its states, on a broad screen and on a
// phone, and inspects it.
func TestPageStates(t *testing.T) {
	t.Parallel()
	for name, device := range map[string]browser.Device{"broad": {}, "phone": {Phone: true}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := &walk{t: t, device: device, site: browser.ChatSite(t, "")}
			w.start()
			w.conversation()
			w.dialogs()
			w.admission()
			w.network()
			w.ends()
		})
	}
}

// walk is a way through the states of the page. Anna has the device that is tested, Ben
// a broad screen.
type walk struct {
	t         *testing.T
	device    browser.Device
	site      *harness.Site
	anna, ben *browser.Tab
	link      string
}

func (w *walk) start() {
	w.t.Helper()
	b := browser.NewUser(w.t, w.device).Open(w.t, w.site.Base(0)+"/")
	w.anna = b
	b.Find("button", "Create room")
	b.Inspect("start")
	b.Click("switch", "Password*")
	b.Find("textbox", "Password of the room")
	b.Inspect("start-password")
	b.Click("switch", "Password*")
	b.Fill("Your name", "Anna")
	b.Fill("Room name", "Saturday's picnic")
	b.Click("button", "Create room")
	b.AwaitText("The first message starts the clock")
	b.Inspect("waiting")
	w.link = b.Link()
	b.Click("button", "QR code")
	if got := b.Find("image", "QR code of the link to this room").QRCode(); got != w.link {
		w.t.Errorf("the QR code says %q, the link is %q", got, w.link)
	}
	b.Inspect("share")
	b.Click("button", "Close")
}

func (w *walk) conversation() {
	w.t.Helper()
	ben := browser.NewUser(w.t, w.device).Open(w.t, w.link)
	ben.Find("button", "Join")
	ben.Inspect("join")
	w.ben = browser.Invite(w.t, browser.Device{}, w.link, "Ben")
	carla := browser.Invite(w.t, browser.Device{}, w.link, "")
	anna := w.anna
	for _, m := range []struct {
		tab  *browser.Tab
		text string
	}{
		{anna, "Who brings what on Saturday? 🧺"},
		{w.ben, "I can make a salad"},
		{w.ben, "and bring the big blanket"},
		{carla, "🎉"},
		{carla, "The map: https://www.example.com/park?spot=7#oak"},
		{anna, "Perfect. Then I bring:\n– bread\n– cheese\n– lemonade"},
		{w.ben, "מה השעה? נפגשים ב־14:00 ליד העץ"},
		{anna, "Two o'clock, by the oak"},
	} {
		m.tab.Publish(m.text)
		anna.AwaitMessage("", m.text)
	}
	w.ben.Find("textbox", "Message").Click()
	harness.Until(w.t, harness.WaitTime, "it is seen that Ben is typing", func() bool {
		w.ben.Press("r")
		return strings.Contains(anna.Text(), "Ben is typing")
	})
	anna.Inspect("conversation")
	anna.Click("button", "Emoji")
	anna.Find("button", "👍*")
	anna.Inspect("emoji")
	anna.Press("\x1b")

	// New messages are marked while the user reads older ones.
	for _, dish := range []string{"Pasta salad", "Apple pie", "Cherries", "Iced tea", "Olives", "A cake", "Grapes", "Crackers", "Hummus"} {
		anna.Publish(dish + "\nfor eight,\nin the blue box")
		anna.AwaitMessage("Anna", dish+"\nfor eight,\nin the blue box")
	}
	browser.Eval[any](anna, "document.querySelector('ephemeral-chat').shadowRoot.querySelector('[role=log]').scrollTop = 300")
	w.ben.Publish("And if it rains?")
	anna.Find("button", "1 new message")
	if title := browser.Eval[string](anna, "document.title"); !strings.HasPrefix(title, "(1) Saturday's picnic") {
		w.t.Errorf("the title is %q", title)
	}
	anna.Inspect("unread")
	anna.Click("button", "1 new message")
	anna.AwaitText("New")
	anna.AwaitMessage("Ben", "And if it rains?")
	anna.Inspect("new")

	// Near the end.
	browser.Eval[any](anna, "{ const now = Date.now; Date.now = () => now() + 3_420_000; 0 }")
	anna.AwaitText("2:5", "2:4", "2:3", "2:2", "2:1", "2:0")
	anna.Inspect("last-minutes")
	anna.Reload()
	anna.AwaitMessage("Ben", "And if it rains?")
}

func (w *walk) dialogs() {
	w.t.Helper()
	b := w.anna
	if w.device.Phone {
		b.Click("button", "Room and people")
		b.Find("dialog", "Saturday's picnic")
		b.Inspect("details")
	}
	for state, button := range map[string]string{"remove": "Remove Ben", "delete": "Delete the room", "leave": "Leave"} {
		b.Click("button", button)
		b.Find("button", "Cancel")
		b.Inspect(state)
		b.Click("button", "Cancel")
		b.AwaitGone("button", "Cancel")
	}
	if w.device.Phone {
		b.Click("button", "Close")
		b.AwaitGone("dialog", "Saturday's picnic")
	}
	w.ben.Publish("Oops, wrong room")
	b.AwaitMessage("Ben", "Oops, wrong room")
	b.Retract("Oops, wrong room")
	b.AwaitText("Message taken back")
	b.Inspect("retracted")
}

// admission opens rooms that refuse a user: by a password, a lock, or their end.
func (w *walk) admission() {
	w.t.Helper()
	a := w.site.API(0)
	var guarded harness.Member
	a.Succeed(w.t, "/createRoom", harness.Fields{"roomName": "Guarded", "username": "admin", "password": "oak"}).Decode(w.t, &guarded)
	b := browser.NewUser(w.t, w.device).OpenBlank(w.t, w.site.Base(0))
	b.Tolerate("network error.*(403.*joinRoom|404.*roomInfo)")
	b.Visit(w.site.Base(0) + "/#" + guarded.RoomID)
	b.Fill("Password", "elm")
	b.Click("button", "Join")
	b.AwaitText("That is not the password")
	b.Inspect("wrong-password")
	a.Succeed(w.t, "/lockRoom", guarded.Credentials("locked", true))
	b.Reload()
	b.AwaitText("This room is locked")
	b.Inspect("locked")
	a.Succeed(w.t, "/deleteRoom", guarded.Credentials())
	b.Reload()
	b.Find("heading", "This room is gone")
	b.Inspect("gone")

	// A private room, with its key and without.
	sealed := browser.NewUser(w.t, w.device).Open(w.t, w.site.Base(0)+"/")
	sealed.Click("switch", "End-to-end encrypted*")
	link := sealed.CreateRoom()
	sealed.Publish("Only for those who have the link")
	room := link[:strings.LastIndex(link, ".")] // without the key
	keyless := browser.Invite(w.t, browser.Device{}, room, "Dora")
	keyless.AwaitText("Encrypted: the link lacks its key")
	keyless.Publish("May I ask you?")
	sealed.AwaitText("Not encrypted")
	sealed.Inspect("private")
}

// network loses a connection, and visits a server that cannot be reached.
func (w *walk) network() {
	w.t.Helper()
	proxy := harness.StartProxy(w.t, w.site.Base(0)[len("http://"):])
	b := browser.NewUser(w.t, w.device).OpenBlank(w.t, "http://"+proxy.Addr())
	b.Tolerate("WebSocket connection to .* failed|net::ERR_")
	link := "http://" + proxy.Addr() + w.link[len(w.site.Base(0)):]
	b.Visit(link)
	b.Join("Emil")
	proxy.Set(harness.Refused)
	b.Publish("Is the line still open?")
	b.AwaitText("Connection lost")
	b.Inspect("connection-lost")
	browser.Eval[any](b, "location.hash = '#"+strings.Repeat("A", 22)+"'")
	b.Find("button", "Try again")
	b.Inspect("trouble")
	proxy.Set(harness.NoOutage)
}

func (w *walk) ends() {
	w.t.Helper()
	leaver := browser.Invite(w.t, w.device, w.link, "Frida")
	if w.device.Phone {
		leaver.Click("button", "Room and people")
	}
	leaver.Click("button", "Leave")
	leaver.Confirm("Leave this room?", "Leave")
	leaver.Find("heading", "You have left")
	leaver.Inspect("left")
	if w.device.Phone {
		w.anna.Click("button", "Room and people")
	}
	removed := browser.Invite(w.t, w.device, w.link, "Gerd")
	w.anna.RemoveMember("Gerd", false)
	removed.Find("heading", "You have been removed")
	removed.Inspect("removed")
	w.anna.Click("button", "Delete the room")
	w.anna.Confirm("Delete this room now?", "Delete the room")
	w.anna.Find("heading", "This room is gone")
	w.anna.Inspect("deleted")
	for _, b := range []*browser.Tab{w.anna, leaver, removed} {
		b.ExpectNothingStored()
	}
}
