package attack_test

import (
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/ephemeralchat/caddy-ephemeral-chat/e2e/harness"
	"github.com/ephemeralchat/caddy-ephemeral-chat/e2e/harness/browser"
)

// moreThanText lists elements and attributes that only markup in a text can have put
// into the page.
const moreThanText = `(() => {
	const found = []
	const check = root => {
		for (const e of root.querySelectorAll('*')) {
			if (/^(img|script|iframe|object|embed|style|link|base|meta|b|math|foreignobject|template|video|audio)$/i.test(e.localName)) found.push(e.outerHTML.slice(0, 120))
			for (const { name, value } of e.attributes) {
				if (/^on/i.test(name)) found.push(name + ' of ' + e.outerHTML.slice(0, 120))
				if (/^((xlink:)?href|src|action|formaction|srcdoc)$/.test(name) && !/^https?:|^mailto:/.test(value)) found.push(name + '=' + value)
			}
			if (e.shadowRoot) check(e.shadowRoot)
		}
	}
	for (const chat of document.querySelectorAll('ephemeral-chat')) check(chat.shadowRoot)
	if (document.body.querySelector('main > :not(ephemeral-chat)') && !document.title.includes('Kettle')) found.push('an element beside the chat')
	if (window.owned !== undefined) found.push('a script has run')
	if (document.documentElement.scrollWidth > document.documentElement.clientWidth) found.push('the page scrolls aside')
	return found
})()`

// paint lists places at which a name paints over adjacent elements, or changes the
// direction of adjacent text.
const paint = `(() => {
	const found = []
	for (const e of document.querySelector('ephemeral-chat').shadowRoot.querySelectorAll('.who, .title, .person .name bdi, .status, .avatar, dialog h2, dialog p')) {
		const style = getComputedStyle(e)
		if (e.matches('.who, .title, bdi, .status, .avatar') && style.overflowY === 'visible') found.push(e.className + ' ' + e.localName + ' paints outside of its box')
		if (e.scrollWidth > e.clientWidth + 1 && style.overflowX === 'visible' && style.display !== 'inline') found.push(e.localName + ' is too wide: ' + e.textContent)
		const text = e.matches('.status, dialog h2, dialog p') ? e.textContent : ''
		if (/[\u202a-\u202e]/.test(text) || text.split(/[\u2066-\u2068]/).length !== text.split('\u2069').length) found.push(e.localName + ' is turned around by ' + text)
	}
	return found
})()`

// expectText fails the test if texts of users have become more than text in the page.
func expectText(t *testing.T, b *browser.Tab, where string) {
	t.Helper()
	for _, check := range []string{moreThanText, paint} {
		for _, fault := range browser.Eval[[]string](b, check) {
			t.Errorf("%s: %s", where, fault)
		}
	}
}

// spoken records the texts for screen readers, and the data that the page shares by the
// system.
const spoken = `
	window.spoken = []
	window.shared = null
	navigator.share = async data => { shared = data }
	addEventListener('DOMContentLoaded', () => {
		const chat = document.querySelector('ephemeral-chat')
		const listen = () => {
			if (!chat.shadowRoot) return requestAnimationFrame(listen)
			new MutationObserver(() => {
				const voice = [...chat.shadowRoot.children].find(e => e.matches('[role=status]'))
				for (const e of voice?.querySelectorAll('*') ?? []) {
					if (e.localName !== 'p' || e.attributes.length > 0) spoken.push('MORE THAN TEXT ' + e.outerHTML)
				}
				if (voice && voice.textContent !== spoken.at(-1)) spoken.push(voice.textContent)
			}).observe(chat.shadowRoot, { childList: true, subtree: true })
		}
		listen()
	})`

// TestAttackInjectionPage shows hostile names everywhere that the page shows names: of
// rooms and members, in messages, lists, dialogs, texts for screen readers, the title of
// the window, and data that is shared by the system.
func TestAttackInjectionPage(t *testing.T) {
	t.Parallel()
	s := browser.ChatSite(t, "")
	a := s.API(0)
	made := a.Call(t, "/createRoom", harness.Fields{"roomName": hostileRoom, "username": "Anna"})
	if made.Code() == "invalid_request" { // refused, so without characters that change direction
		made = a.Succeed(t, "/createRoom", harness.Fields{"roomName": plain(hostileRoom), "username": "Anna"})
	}
	var admin harness.Member
	made.Decode(t, &admin)
	roomName := admin.RoomName
	if roomName != hostileRoom && roomName != plain(hostileRoom) {
		t.Errorf("the room is called %q", roomName)
	}

	// Anna returns as the admin, by the session in her browser's storage.
	anna := browser.NewUser(t, browser.Device{}).OpenBlank(t, s.Base(0))
	anna.RunOnLoad(spoken)
	anna.Visit(s.Base(0) + "/")
	anna.Find("button", "Create room")
	remembered, err := json.Marshal(harness.Fields{"userId": admin.UserID, "sessionId": admin.SessionID})
	if err != nil {
		t.Fatal(err)
	}
	browser.Eval[any](anna, fmt.Sprintf("localStorage.setItem('ephemeral-chat %s/ %s', %q)", s.Base(0), admin.RoomID, remembered))
	anna.Visit(s.Base(0) + "/#" + admin.RoomID)
	anna.Reload()
	anna.Find("textbox", "Message")
	if title := anna.Find("heading", roomName).TextContent(); title != roomName {
		t.Errorf("the room is called %q", title)
	}
	title := browser.Eval[string](anna, "document.title")
	if !strings.Contains(title, "<script>owned=1</script>") || !isolates(title) {
		t.Errorf("the title is %q", title)
	}
	anna.Click("button", "Share…")
	harness.Until(t, harness.WaitTime, "it is shared", func() bool { return browser.Eval[any](anna, "window.shared") != nil })
	if shared := browser.Eval[string](anna, "shared.title"); !isolates(shared) {
		t.Errorf("shared is %q", shared)
	}
	expectText(t, anna, "room")

	phone := browser.Invite(t, browser.Device{Phone: true}, s.Base(0)+"/#"+admin.RoomID, hostileNames[0])
	phone.Click("button", "Room and people")
	expectText(t, phone, "panel")
	phone.Click("button", "Leave")
	phone.AwaitText("You cannot come back as " + hostileNames[0])
	expectText(t, phone, "leaving")
	phone.Click("button", "Cancel")
	phone.Click("button", "Close")

	for _, name := range hostileNames[1:] {
		m, ok := joinAs(t, a, admin.RoomID, name)
		if !ok {
			continue
		}
		name = m.UserID
		k, _ := harness.Join(t, s.Base(0), &m)
		awaitSpoken(t, anna, name, "is here")
		k.Send(t, harness.Fields{"type": "typing"})
		// In a sentence, a name that could change its direction stands between isolates,
		// without characters that would end them.
		isolate := func(b *browser.Tab) string {
			return browser.Eval[string](b, "document.querySelector('ephemeral-chat').shadowRoot.querySelector('.status').textContent")
		}
		for _, b := range []*browser.Tab{anna, phone} {
			harness.Until(t, harness.WaitTime, name+" is typing", func() bool { return strings.HasSuffix(isolate(b), " is typing") })
			if shown := isolate(b); plain(shown) != plain(name)+" is typing" {
				t.Errorf("%q is shown as %q", name, shown)
			}
			expectText(t, b, "typing "+name)
		}
		k.Publish(t, "it was "+name)
		for _, b := range []*browser.Tab{anna, phone} {
			b.AwaitMessage(name, "it was "+name)
			expectText(t, b, "message of "+name)
		}
		awaitSpoken(t, anna, name, ": it was ")
		rows := browser.Eval[[]string](anna, "[...document.querySelector('ephemeral-chat').shadowRoot.querySelectorAll('.person bdi, .who')].map(e => e.textContent)")
		if n := len(slices.DeleteFunc(rows, func(row string) bool { return row != name })); n != 2 {
			t.Errorf("%q is shown %d times as a name", name, n)
		}
		browser.Eval[any](anna, fmt.Sprintf("[...document.querySelector('ephemeral-chat').shadowRoot.querySelectorAll('.person')].find(row => row.dataset.user === %s).querySelector('[data-action=remove]').click()", quoted(t, name)))
		anna.Find("button", "Cancel")
		expectText(t, anna, "removing "+name)
		if lock := anna.Find("switch", "And lock the room"); lock.States["checked"] == "true" {
			lock.Click()
		}
		anna.Click("button", "Remove")
		k.AwaitClose(t, 4403)
		awaitSpoken(t, anna, name, "removed")
		anna.AwaitGone("button", "Cancel")
	}
	for _, line := range browser.Eval[[]string](anna, "spoken") {
		if strings.HasPrefix(line, "MORE THAN TEXT") {
			t.Errorf("a screen reader is given %s", line)
		}
	}
}

// awaitSpoken waits for a text for screen readers that contains a name and a phrase.
func awaitSpoken(t *testing.T, b *browser.Tab, name, phrase string) {
	t.Helper()
	var lines []string
	if !harness.Poll(harness.WaitTime, func() bool {
		lines = browser.Eval[[]string](b, "spoken")
		return slices.ContainsFunc(lines, func(line string) bool {
			return strings.Contains(plain(line), plain(name)) && strings.Contains(line, phrase)
		})
	}) {
		t.Fatalf("%s %s is not among the texts for screen readers: %q", name, phrase, lines)
	}
}

// isolates reports whether a text begins with a name in isolates, so that its direction
// does not affect the rest.
func isolates(text string) bool {
	name, _, ok := strings.Cut(strings.TrimPrefix(text, "\u2068"), "\u2069")
	return ok && strings.HasPrefix(text, "\u2068") && plain(name) == name
}

// quoted returns a text as a JavaScript literal.
func quoted(t *testing.T, text string) string {
	t.Helper()
	b, err := json.Marshal(text)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// TestAttackInjectionElement sets attributes of the element, and URLs of the page, that a
// site may have taken from a visitor.
func TestAttackInjectionElement(t *testing.T) {
	t.Parallel()
	payloads := []string{`"><img src=x onerror=owned=1>`, `<svg onload=owned=1>`, `javascript:owned=1`, `__proto__`, `../../../admin`, `{name}`, `x y.z`, "\u202e", "%00", "constructor"}
	shop := harness.FreeAddress(t)
	embedded := browser.NewUser(t, browser.Device{}).OpenBlank(t, "http://"+shop)
	embedded.Tolerate("network error.*404.*roomInfo")
	embedded.Visit(browser.EmbeddingPage(t, shop, "", `<ephemeral-chat share></ephemeral-chat>`))
	embedded.Find("button", "Create room")
	for _, payload := range payloads {
		for _, attribute := range []string{"name", "lang", "mode", "theme", "ttl", "max-ttl", "share", "key", "room"} {
			browser.Eval[any](embedded, fmt.Sprintf("document.querySelector('ephemeral-chat').setAttribute(%q, %s)", attribute, quoted(t, payload)))
			if attribute == "room" {
				embedded.AwaitText("is gone", "not complete", "HTTPS")
			}
			for _, fault := range browser.Eval[[]string](embedded, moreThanText) {
				t.Errorf("%s=%s: %s", attribute, payload, fault)
			}
		}
		// Without a room, the page offers to create one.
		browser.Eval[any](embedded, "{ const chat = document.querySelector('ephemeral-chat'); for (const name of ['room', 'key', 'mode', 'lang']) chat.removeAttribute(name) }")
		embedded.Find("button", "Create room")
		if name := embedded.Find("textbox", "Your name").Value; name != payload && plain(payload) != "" {
			t.Errorf("the name %q is %q", payload, name)
		}
		browser.Eval[any](embedded, "document.querySelector('ephemeral-chat').removeAttribute('name')")
	}

	s := browser.ChatSite(t, "")
	direct := browser.NewUser(t, browser.Device{}).OpenBlank(t, s.Base(0))
	direct.Tolerate("network error.*404.*roomInfo")
	for _, payload := range payloads {
		direct.Visit(s.Base(0) + "/?" + url.QueryEscape(payload) + "#" + payload)
		direct.Reload()
		direct.AwaitText("is gone", "not complete", "How long it lives") // a name with a leading dot is no room
		for _, fault := range browser.Eval[[]string](direct, moreThanText) {
			t.Errorf("#%s: %s", payload, fault)
		}
		if title := browser.Eval[string](direct, "document.title"); title != "Chat rooms that vanish" {
			t.Errorf("#%s: the title is %q", payload, title)
		}
	}
}
