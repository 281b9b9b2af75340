package e2e_test

import (
	"strings"
	"testing"
)

// TestPageStates goes through what the page can look like, on a broad screen and on
// a phone, and inspects it.
func TestPageStates(t *testing.T) {
	t.Parallel()
	prepare(t)
	for name, looks := range map[string]look{"broad": {}, "phone": {phone: true}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := &walk{t: t, look: looks, site: chatSite(t, "")}
			w.beginning()
			w.conversation()
			w.dialogs()
			w.admission()
			w.network()
			w.ends()
		})
	}
}

// walk is a way through the states of the page. Ben, who talks with Anna, always
// sits before a broad screen.
type walk struct {
	t         *testing.T
	look      look
	site      *site
	anna, ben *tab
	link      string
}

func (w *walk) beginning() {
	w.t.Helper()
	b := newPerson(w.t, w.look).open(w.t, w.site.base(0)+"/")
	w.anna = b
	b.find("button", "Create room")
	b.inspect("start")
	b.click("switch", "Password*")
	b.find("textbox", "Password of the room")
	b.inspect("start-password")
	b.click("switch", "Password*")
	b.fill("Your name", "Anna")
	b.fill("Room name", "Saturday's picnic")
	b.click("button", "Create room")
	b.awaitText("The first message starts the clock")
	b.inspect("waiting")
	w.link = b.link()
	b.click("button", "QR code")
	if got := b.find("image", "QR code of the link to this room").code(); got != w.link {
		w.t.Errorf("the QR code says %q, the link is %q", got, w.link)
	}
	b.inspect("share")
	b.click("button", "Close")
}

func (w *walk) conversation() {
	w.t.Helper()
	ben := newPerson(w.t, w.look).open(w.t, w.link)
	ben.find("button", "Join")
	ben.inspect("join")
	w.ben = invite(w.t, look{}, w.link, "Ben")
	carla := invite(w.t, look{}, w.link, "")
	anna := w.anna
	for _, m := range []struct {
		who  *tab
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
		m.who.say(m.text)
		anna.hears("", m.text)
	}
	w.ben.find("textbox", "Message").click()
	until(w.t, waitTime, "it is seen that Ben is typing", func() bool {
		w.ben.press("r")
		return strings.Contains(anna.text(), "Ben is typing")
	})
	anna.inspect("conversation")
	anna.click("button", "Emoji")
	anna.find("button", "👍*")
	anna.inspect("emoji")
	anna.press("\x1b")

	// What comes while one reads what is older is marked.
	for _, dish := range []string{"Pasta salad", "Apple pie", "Cherries", "Iced tea", "Olives", "A cake", "Grapes", "Crackers", "Hummus"} {
		anna.say(dish + "\nfor eight,\nin the blue box")
		anna.hears("Anna", dish+"\nfor eight,\nin the blue box")
	}
	eval[any](anna, "document.querySelector('ephemeral-chat').shadowRoot.querySelector('[role=log]').scrollTop = 300")
	w.ben.say("And if it rains?")
	anna.find("button", "1 new message")
	if title := eval[string](anna, "document.title"); !strings.HasPrefix(title, "(1) Saturday's picnic") {
		w.t.Errorf("the title is %q", title)
	}
	anna.inspect("unread")
	anna.click("button", "1 new message")
	anna.awaitText("New")
	anna.hears("Ben", "And if it rains?")
	anna.inspect("new")

	// Near the end.
	eval[any](anna, "{ const now = Date.now; Date.now = () => now() + 3_420_000; 0 }")
	anna.awaitAny("2:5", "2:4", "2:3", "2:2", "2:1", "2:0")
	anna.inspect("last-minutes")
	anna.reload()
	anna.hears("Ben", "And if it rains?")
}

func (w *walk) dialogs() {
	w.t.Helper()
	b := w.anna
	if w.look.phone {
		b.click("button", "Room and people")
		b.find("dialog", "Saturday's picnic")
		b.inspect("details")
	}
	for state, button := range map[string]string{"remove": "Remove Ben", "delete": "Delete the room", "leave": "Leave"} {
		b.click("button", button)
		b.find("button", "Cancel")
		b.inspect(state)
		b.click("button", "Cancel")
		b.gone("button", "Cancel")
	}
	if w.look.phone {
		b.click("button", "Close")
		b.gone("dialog", "Saturday's picnic")
	}
	w.ben.say("Oops, wrong room")
	b.hears("Ben", "Oops, wrong room")
	b.retract("Oops, wrong room")
	b.awaitText("Message taken back")
	b.inspect("retracted")
}

// admission is of those whom a room does not let in as they come.
func (w *walk) admission() {
	w.t.Helper()
	api := w.site.api(0)
	var guarded member
	api.succeed(w.t, "/createRoom", fields{"roomName": "Guarded", "username": "admin", "password": "oak"}).decode(w.t, &guarded)
	b := newPerson(w.t, w.look).openBlank(w.t, w.site.base(0))
	b.tolerate("network error.*(403.*joinRoom|404.*roomInfo)")
	b.visit(w.site.base(0) + "/#" + guarded.RoomID)
	b.fill("Password", "elm")
	b.click("button", "Join")
	b.awaitText("That is not the password")
	b.inspect("wrong-password")
	api.succeed(w.t, "/lockRoom", guarded.credentials("locked", true))
	b.reload()
	b.awaitText("This room is locked")
	b.inspect("locked")
	api.succeed(w.t, "/deleteRoom", guarded.credentials())
	b.reload()
	b.find("heading", "This room is gone")
	b.inspect("gone")

	// A private room, with its key and without.
	sealed := newPerson(w.t, w.look).open(w.t, w.site.base(0)+"/")
	sealed.click("switch", "End-to-end encrypted*")
	link := sealed.create()
	sealed.say("Only for those who have the link")
	room := link[:strings.LastIndex(link, ".")] // without the key
	keyless := invite(w.t, look{}, room, "Dora")
	keyless.awaitText("Encrypted: the link lacks its key")
	keyless.say("What do you say?")
	sealed.awaitText("Not encrypted")
	sealed.inspect("private")
}

// network is of a connection that is lost, and of a server that cannot be reached.
func (w *walk) network() {
	w.t.Helper()
	wire := startProxy(w.t, w.site.base(0)[len("http://"):])
	b := newPerson(w.t, w.look).openBlank(w.t, "http://"+wire.address)
	b.tolerate("WebSocket connection to .* failed|net::ERR_")
	link := "http://" + wire.address + w.link[len(w.site.base(0)):]
	b.visit(link)
	b.join("Emil")
	wire.set(refused)
	b.say("Does anybody hear me?")
	b.awaitAny("Connection lost")
	b.inspect("connection-lost")
	eval[any](b, "location.hash = '#"+strings.Repeat("A", 22)+"'")
	b.find("button", "Try again")
	b.inspect("trouble")
	wire.set(noOutage)
}

func (w *walk) ends() {
	w.t.Helper()
	leaver := invite(w.t, w.look, w.link, "Frida")
	if w.look.phone {
		leaver.click("button", "Room and people")
	}
	leaver.click("button", "Leave")
	leaver.find("dialog", "Leave this room?").press("Leave")
	leaver.find("heading", "You have left")
	leaver.inspect("left")
	if w.look.phone {
		w.anna.click("button", "Room and people")
	}
	removed := invite(w.t, w.look, w.link, "Gerd")
	w.anna.remove("Gerd", false)
	removed.find("heading", "You have been removed")
	removed.inspect("removed")
	w.anna.click("button", "Delete the room")
	w.anna.find("dialog", "Delete this room now?").press("Delete the room")
	w.anna.find("heading", "This room is gone")
	w.anna.inspect("deleted")
	for _, b := range []*tab{w.anna, leaver, removed} {
		b.leftovers()
	}
}
