package e2e_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode"

	"github.com/chromedp/cdproto/page"
	"github.com/gorilla/websocket"
)

// hostileNames are names that want to be more than a name to whatever takes them: a
// page, JSON, Redis, a script, a template. None has more than 32 characters.
var hostileNames = []string{
	`<img src=x onerror=owned=1>`, `</title><script>owned=1</script>`, `"><svg onload=owned=1>`, `' onmouseover='owned=1`,
	`javascript:owned=1`, `<!--`, `&lt;b&gt;&#x202e;`, `]]><b>`, `<b>bold</b>`,
	`{name}`, `{a} and {b}`, `$& $1 $$`, `${owned=1}`, `{{owned=1}}`, `{env.CHAT_SECRET}`, `%s%d%n%!s`, `%1`, `\u0022,\"`, `\`, `"`,
	`","type":"ended","x":"`, `","id":9,"session":"x`, `"}{"type":"removed"}`, `{"$ne":null}`,
	`__proto__`, `constructor`, `toString`, `null`, `x:anna`, `seq`, `deadline`, `n:anna`, `*`, `a:b:c`, `a|b,c`, `{anna}`,
	`../../etc/passwd`, `--help`, `'; FLUSHALL; --`, `]] redis.call('FLUSHALL') --[[`,
	"l\u2028p\u2029s", "\u00e9" + strings.Repeat("\u0489\u0301", 15), strings.Repeat("W", 32), strings.Repeat("\ufdfd", 32),
	"\u202egnp.live", "safe\u2066\u2067\u2068end", "\u2068\u2068\u2068\u2068deep",
}

// hostileRoom is a room's name that wants the same.
const hostileRoom = "\u202e</title><script>owned=1</script><img src=x onerror=owned=1>\"' {name} $& \u05d2\u05e4.\u2067room"

// admitted joins a room under a name, if that is let in: one that is refused at the
// door does no harm inside. What nobody sees may have been taken off it.
func (a *api) admitted(t *testing.T, roomID, name string) (m member, ok bool) {
	t.Helper()
	got := a.call(t, "/joinRoom", fields{"roomId": roomID, "username": name})
	if got.code() == "invalid_request" {
		t.Logf("refused: %q", name)
		return m, false
	}
	if got.status != http.StatusOK {
		t.Fatalf("%q: %d %s", name, got.status, got.body)
	}
	got.decode(t, &m)
	if m.UserID != name && m.UserID != plain(name) {
		t.Errorf("%q is called %q", name, m.UserID)
	}
	return m, true
}

// TestAttackInjectionFrames has people with hostile names do all that others are told
// of, on nodes that share the rooms. Every frame is what it would be for anybody.
func TestAttackInjectionFrames(t *testing.T) {
	onBoth(t, unlimited, func(t *testing.T, s *site) {
		anna := s.api(0).create(t, 600)
		annas, _ := enter(t, s.base(0), &anna)
		in := 0
		for i, name := range hostileNames {
			m, ok := s.api(1).admitted(t, anna.RoomID, name)
			if !ok {
				continue
			}
			in++
			name = m.UserID
			k, welcome := enter(t, s.base(1), &m)
			if !slices.Contains(welcome.Online, name) || welcome.UserID != name {
				t.Errorf("%q is welcomed as %q among %q", name, welcome.UserID, welcome.Online)
			}
			told := func(kind string) {
				annas.awaitThat(t, kind+" "+name, func(f *frame) bool { return f.Type == kind && f.UserID == name })
			}
			told("joined")
			k.send(t, fields{"type": "typing"})
			told("typing")
			// The text wants to be another's message, with another's tag.
			text := fmt.Sprintf(`%d %s","userId":"admin","id":7,"session":"%s"}`, i, name, welcome.Session)
			k.send(t, fields{"type": "message", "message": text, "id": 1})
			for _, k := range []*socket{annas, k} {
				if f := k.awaitText(t, text); f.UserID != name || f.ID != 1 || f.Session != welcome.Session {
					t.Errorf("%q has said %+v", name, f.entry)
				}
			}
			again, back := resume(t, s.base(0), &m, 0, welcome.Epoch)
			if f := back.Messages[len(back.Messages)-1]; f.Message != text || f.UserID != name || back.LastID != 1 {
				t.Errorf("%q is told %+v of itself, and %d", name, f, back.LastID)
			}
			s.api(0).succeed(t, "/removeMember", anna.credentials("memberId", name))
			again.awaitClose(t, 4403)
			expectRefusal(t, s.api(1).call(t, "/joinRoom", m.credentials()), http.StatusUnauthorized, "invalid_session")
		}
		if in < len(hostileNames)*3/4 {
			t.Errorf("only %d of %d names were let in", in, len(hostileNames))
		}
		for _, kind := range []string{"ended", "removed", "gap", "error"} {
			if n := annas.count(kind); n > 0 {
				t.Errorf("%d frames of type %q", n, kind)
			}
		}
		// The room is what it was, and its admin who she was.
		_, welcome := enter(t, s.base(1), &anna)
		if welcome.Role != "admin" || welcome.Seq != uint64(in) || welcome.Room.RoomName != anna.RoomName {
			t.Errorf("the room is %+v, %s, %d", welcome.Room, welcome.Role, welcome.Seq)
		}
		s.noErrors(t)
		t.Logf("%d names tried, %d let in", len(hostileNames), in)
	})
}

// moreThanText lists what nobody has put into a page but by markup in a text.
const moreThanText = `(() => {
	const found = []
	const look = root => {
		for (const e of root.querySelectorAll('*')) {
			if (/^(img|script|iframe|object|embed|style|link|base|meta|b|math|foreignobject|template|video|audio)$/i.test(e.localName)) found.push(e.outerHTML.slice(0, 120))
			for (const { name, value } of e.attributes) {
				if (/^on/i.test(name)) found.push(name + ' of ' + e.outerHTML.slice(0, 120))
				if (/^((xlink:)?href|src|action|formaction|srcdoc)$/.test(name) && !/^https?:|^mailto:/.test(value)) found.push(name + '=' + value)
			}
			if (e.shadowRoot) look(e.shadowRoot)
		}
	}
	for (const chat of document.querySelectorAll('ephemeral-chat')) look(chat.shadowRoot)
	if (document.body.querySelector('main > :not(ephemeral-chat)') && !document.title.includes('Kettle')) found.push('something beside the chat')
	if (window.owned !== undefined) found.push('a script has run')
	if (document.documentElement.scrollWidth > document.documentElement.clientWidth) found.push('the page scrolls aside')
	return found
})()`

// paint lists where a name is shown so that it covers what is above or below, or
// turns around what is beside it.
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

// isText fails the test if what people have written has become more than text in
// what a page shows now.
func (b *tab) isText(where string) {
	b.t.Helper()
	for _, check := range []string{moreThanText, paint} {
		for _, fault := range eval[[]string](b, check) {
			b.t.Errorf("%s: %s", where, fault)
		}
	}
}

// spoken keeps all that the page has a screen reader say, and what it hands to the
// system to share.
const spoken = `
	window.said = []
	window.shared = null
	navigator.share = async data => { shared = data }
	addEventListener('DOMContentLoaded', () => {
		const chat = document.querySelector('ephemeral-chat')
		const listen = () => {
			if (!chat.shadowRoot) return requestAnimationFrame(listen)
			new MutationObserver(() => {
				const voice = [...chat.shadowRoot.children].find(e => e.matches('[role=status]'))
				for (const e of voice?.querySelectorAll('*') ?? []) {
					if (e.localName !== 'p' || e.attributes.length > 0) said.push('MORE THAN TEXT ' + e.outerHTML)
				}
				if (voice && voice.textContent !== said.at(-1)) said.push(voice.textContent)
			}).observe(chat.shadowRoot, { childList: true, subtree: true })
		}
		listen()
	})`

// TestAttackInjectionPage shows hostile names everywhere that the page shows names: of
// the room and of people, in the list and beside it, in news and dialogs, to screen
// readers, in the title of the window and what is handed to the system.
func TestAttackInjectionPage(t *testing.T) {
	t.Parallel()
	s := chatSite(t, "")
	a := s.api(0)
	made := a.call(t, "/createRoom", fields{"roomName": hostileRoom, "username": "Anna"})
	if made.code() == "invalid_request" { // held at the door, so without what turns text
		made = a.succeed(t, "/createRoom", fields{"roomName": plain(hostileRoom), "username": "Anna"})
	}
	var admin member
	made.decode(t, &admin)
	roomName := admin.RoomName
	if roomName != hostileRoom && roomName != plain(hostileRoom) {
		t.Errorf("the room is called %q", roomName)
	}

	// Anna comes back as the admin, by what her browser remembers.
	anna := newPerson(t, look{}).openBlank(t, s.base(0))
	call(anna, page.AddScriptToEvaluateOnNewDocument, page.AddScriptToEvaluateOnNewDocumentParams{Source: spoken})
	anna.visit(s.base(0) + "/")
	anna.find("button", "Create room")
	remembered, err := json.Marshal(fields{"userId": admin.UserID, "sessionId": admin.SessionID})
	if err != nil {
		t.Fatal(err)
	}
	eval[any](anna, fmt.Sprintf("localStorage.setItem('ephemeral-chat %s/ %s', %q)", s.base(0), admin.RoomID, remembered))
	anna.visit(s.base(0) + "/#" + admin.RoomID)
	anna.reload()
	anna.find("textbox", "Message")
	if title := on[string](anna.find("heading", roomName), "function() { return this.textContent }"); title != roomName {
		t.Errorf("the room is called %q", title)
	}
	title := eval[string](anna, "document.title")
	if !strings.Contains(title, "<script>owned=1</script>") || !isolates(title) {
		t.Errorf("the title is %q", title)
	}
	anna.click("button", "Share…")
	until(t, waitTime, "it is shared", func() bool { return eval[any](anna, "window.shared") != nil })
	if shared := eval[string](anna, "shared.title"); !isolates(shared) {
		t.Errorf("shared is %q", shared)
	}
	anna.isText("room")

	phone := invite(t, look{phone: true}, s.base(0)+"/#"+admin.RoomID, hostileNames[0])
	phone.click("button", "Room and people")
	phone.isText("panel")
	phone.click("button", "Leave")
	phone.awaitText("You cannot come back as " + hostileNames[0])
	phone.isText("leaving")
	phone.click("button", "Cancel")
	phone.click("button", "Close")

	for _, name := range hostileNames[1:] {
		m, ok := a.admitted(t, admin.RoomID, name)
		if !ok {
			continue
		}
		name = m.UserID
		k, _ := enter(t, s.base(0), &m)
		anna.heard(name, "is here")
		k.send(t, fields{"type": "typing"})
		// In a sentence, a name that could turn it around stands between isolates,
		// without signs that would end them.
		isolate := func(b *tab) string {
			return eval[string](b, "document.querySelector('ephemeral-chat').shadowRoot.querySelector('.status').textContent")
		}
		for _, b := range []*tab{anna, phone} {
			until(t, waitTime, name+" is typing", func() bool { return strings.HasSuffix(isolate(b), " is typing") })
			if shown := isolate(b); plain(shown) != plain(name)+" is typing" {
				t.Errorf("%q is shown as %q", name, shown)
			}
			b.isText("typing " + name)
		}
		k.say(t, "it was "+name)
		for _, b := range []*tab{anna, phone} {
			b.hears(name, "it was "+name)
			b.isText("message of " + name)
		}
		anna.heard(name, ": it was ")
		rows := eval[[]string](anna, "[...document.querySelector('ephemeral-chat').shadowRoot.querySelectorAll('.person bdi, .who')].map(e => e.textContent)")
		if n := len(slices.DeleteFunc(rows, func(row string) bool { return row != name })); n != 2 {
			t.Errorf("%q stands %d times where a name stands", name, n)
		}
		// The last person in the list or not: the row is found by the name in it.
		eval[any](anna, fmt.Sprintf("[...document.querySelector('ephemeral-chat').shadowRoot.querySelectorAll('.person')].find(row => row.dataset.user === %s).querySelector('[data-action=remove]').click()", quoted(t, name)))
		anna.find("button", "Cancel")
		anna.isText("removing " + name)
		if lock := anna.find("switch", "And lock the room"); lock.states["checked"] == "true" {
			lock.click()
		}
		anna.click("button", "Remove")
		k.awaitClose(t, 4403)
		anna.heard(name, "removed")
		anna.gone("button", "Cancel")
	}
	for _, line := range eval[[]string](anna, "said") {
		if strings.HasPrefix(line, "MORE THAN TEXT") {
			t.Errorf("a screen reader is given %s", line)
		}
	}
}

// heard waits until a screen reader was to say something with a name.
func (b *tab) heard(name, what string) {
	b.t.Helper()
	var said []string
	if !poll(waitTime, func() bool {
		said = eval[[]string](b, "said")
		return slices.ContainsFunc(said, func(line string) bool {
			return strings.Contains(plain(line), plain(name)) && strings.Contains(line, what)
		})
	}) {
		b.t.Fatalf("that %s %s is not among what is said: %q", name, what, said)
	}
}

// plain returns a text without the signs that change its direction.
func plain(text string) string {
	return regexp.MustCompile(`[\x{202a}-\x{202e}\x{2066}-\x{2069}]`).ReplaceAllString(text, "")
}

// isolates reports whether a text begins with a name that may be of any direction,
// and that what follows is not turned by.
func isolates(text string) bool {
	name, _, ok := strings.Cut(strings.TrimPrefix(text, "\u2068"), "\u2069")
	return ok && strings.HasPrefix(text, "\u2068") && plain(name) == name
}

// quoted returns a text as JavaScript.
func quoted(t *testing.T, text string) string {
	t.Helper()
	b, err := json.Marshal(text)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// TestAttackInjectionElement gives the element attributes, and the page addresses, that
// a site may have taken from a visitor.
func TestAttackInjectionElement(t *testing.T) {
	t.Parallel()
	payloads := []string{`"><img src=x onerror=owned=1>`, `<svg onload=owned=1>`, `javascript:owned=1`, `__proto__`, `../../../admin`, `{name}`, `x y.z`, "\u202e", "%00", "constructor"}
	shop := freeAddress(t)
	embedded := newPerson(t, look{}).openBlank(t, "http://"+shop)
	embedded.tolerate("network error.*404.*roomInfo")
	embedded.visit(embedding(t, shop, "", `<ephemeral-chat share></ephemeral-chat>`))
	embedded.find("button", "Create room")
	for _, payload := range payloads {
		for _, attribute := range []string{"name", "lang", "mode", "theme", "ttl", "max-ttl", "share", "key", "room"} {
			eval[any](embedded, fmt.Sprintf("document.querySelector('ephemeral-chat').setAttribute(%q, %s)", attribute, quoted(t, payload)))
			if attribute == "room" {
				embedded.awaitAny("is gone", "not complete", "HTTPS")
			}
			for _, fault := range eval[[]string](embedded, moreThanText) {
				t.Errorf("%s=%s: %s", attribute, payload, fault)
			}
		}
		// Without a room, somebody creates one, and is shown the link.
		eval[any](embedded, "{ const chat = document.querySelector('ephemeral-chat'); for (const name of ['room', 'key', 'mode', 'lang']) chat.removeAttribute(name) }")
		embedded.find("button", "Create room")
		if name := embedded.find("textbox", "Your name").value; name != payload && plain(payload) != "" {
			t.Errorf("the name %q is %q", payload, name)
		}
		eval[any](embedded, "document.querySelector('ephemeral-chat').removeAttribute('name')")
	}

	s := chatSite(t, "")
	direct := newPerson(t, look{}).openBlank(t, s.base(0))
	direct.tolerate("network error.*404.*roomInfo")
	for _, payload := range payloads {
		direct.visit(s.base(0) + "/?" + url.QueryEscape(payload) + "#" + payload)
		direct.reload()
		direct.awaitAny("is gone", "not complete", "How long it lives") // what begins with a dot names no room
		for _, fault := range eval[[]string](direct, moreThanText) {
			t.Errorf("#%s: %s", payload, fault)
		}
		if title := eval[string](direct, "document.title"); title != "Chat rooms that vanish" {
			t.Errorf("#%s: the title is %q", payload, title)
		}
	}
}

// TestAttackInjectionLogs sends ends of lines and what terminals obey, by every way that
// there is into the server, and reads its logs as an operator sees them, its metrics
// and the answers of its admin API.
func TestAttackInjectionLogs(t *testing.T) {
	const forged = "2026/01/01 00:00:00.000\tERROR\tforged"
	orders := "\x1b[2J\x1b]0;forged\a"
	// Signs that nobody sees and a terminal may obey are in no name.
	controls := []string{"\n" + forged, "\r\n" + forged, orders, "\u009b31mforged", "\u0085" + forged, "\x7fforged", "a\x00forged", "\vforged"}

	server := startRedis(t)
	listen := freeAddress(t)
	n := startNode(t, "\tdebug\n\tlog {\n\t\tformat console\n\t}", fmt.Sprintf(`http://%s {
	log {
		output file access.log
		format console
	}
	ephemeral_chat {
		redis %s
		%s
	}
}`, listen, server.address, unlimited), listen)
	a := newAPI(t, "http://"+listen)
	operator := newAPI(t, "http://"+n.admin+"/ephemeral_chat")
	before := n.metrics(t)
	admin := a.create(t, 600)
	tried := 0
	for _, control := range controls {
		for _, name := range []string{control, "anna" + control, control + "anna"} {
			if strings.TrimSpace(name) != name {
				name = "x" + name + "x" // which is not taken off as white space
			}
			for endpoint, request := range map[string]fields{
				"/createRoom": {"roomName": name, "username": name},
				"/joinRoom":   {"roomId": admin.RoomID, "username": name},
			} {
				got := a.call(t, endpoint, request)
				for _, field := range []string{"roomName", "userId"} {
					if called, _ := got.fields[field].(string); strings.ContainsFunc(called, unicode.IsControl) {
						t.Errorf("%s: %q is called %q", endpoint, name, called)
					}
				}
				tried++
			}
		}
	}
	for _, order := range append(controls, hostileNames...) {
		order += forged
		for _, endpoint := range []string{"/joinRoom", "/startChat", "/removeMember", "/roomInfo", "/deleteRoom"} {
			got := a.call(t, endpoint, fields{"roomId": order, "userId": order, "sessionId": order, "memberId": order, "password": order})
			if got.status != http.StatusNotFound || strings.Contains(string(got.body), "forged") {
				t.Errorf("%s: %d %s", endpoint, got.status, got.body)
			}
			got = a.call(t, endpoint, fields{"roomId": admin.RoomID, "userId": order, "sessionId": order, "memberId": order, "ttl": order, order: order, "username": 7})
			if (got.status < 400 && endpoint != "/roomInfo") || strings.Contains(string(got.body), "forged") {
				t.Errorf("%s: %d %s", endpoint, got.status, got.body)
			}
			tried += 2
		}
		a.do(t, http.MethodGet, "/"+url.PathEscape(order)+"?"+url.QueryEscape(order), http.Header{"Referer": {url.PathEscape(order)}}, nil)
		query := "?roomId=" + url.QueryEscape(order) + "&userId=" + url.QueryEscape(order) + "&sessionId=" + url.QueryEscape(order)
		if _, got, err := openSocket(t.Context(), wsURL(a.base)+query, nil, nil); err == nil || got.status != http.StatusNotFound || strings.Contains(string(got.body), "forged") {
			t.Errorf("%q by the query: %v", order, got)
		}
		k := dial(t, a.base)
		k.send(t, fields{"type": "join", "roomId": order, "userId": order, "sessionId": order, "epoch": order})
		if end := k.awaitClose(t, 4404); strings.Contains(end.reason, "forged") {
			t.Errorf("closed with %q", end.reason)
		}
		k, _ = enter(t, a.base, &admin)
		k.send(t, fields{"type": order})
		if f := k.await(t, "error"); f.Code != "unknown_type" || strings.Contains(f.Message, "forged") {
			t.Errorf("%+v", f)
		}
		k.say(t, order)
		k.awaitText(t, order)
		reason := []rune(order)
		closing := websocket.FormatCloseMessage(4999, string(reason[:min(len(reason), 30)]))
		if err := k.conn.WriteMessage(websocket.CloseMessage, closing); err != nil {
			t.Error(err)
		}
		<-k.done

		for _, request := range []struct{ method, path string }{
			{http.MethodGet, "/rooms?store=" + url.QueryEscape(order)},
			{http.MethodGet, "/" + url.PathEscape(order)},
			{http.MethodDelete, "/rooms/" + url.PathEscape(order)},
		} {
			got := operator.do(t, request.method, request.path, nil, nil)
			if got.status != http.StatusNotFound || got.header.Get("Content-Type") != "application/json" || !json.Valid(got.body) || strings.ContainsAny(strings.TrimSuffix(string(got.body), "\n"), "\n\x1b") {
				t.Errorf("%s %s: %d %v %q", request.method, request.path, got.status, got.header, got.body)
			}
			tried++
		}
		tried += 6
	}
	if got := operator.do(t, http.MethodGet, "/rooms", nil, nil); got.status != http.StatusOK || strings.Contains(string(got.body), "forged") {
		t.Errorf("rooms: %d %s", got.status, got.body)
	}
	after := n.metrics(t)
	for name := range after {
		if _, ok := before[name]; !ok {
			t.Errorf("a new metric: %s", name)
		}
	}
	server.kill(t) // of which there is something to log
	expectRefusal(t, a.call(t, "/joinRoom", fields{"roomId": admin.RoomID, "username": "forged"}), http.StatusServiceUnavailable, "unavailable")
	n.stop(t, stopTime)

	access, err := os.ReadFile(filepath.Join(n.dir, "access.log"))
	if err != nil {
		t.Fatal(err)
	}
	// The first lines tell of the time before the log was set up, in JSON.
	// Redis's client has a log of its own.
	begun := regexp.MustCompile(`^(\{"level":|redis: |\d{4}/\d\d/\d\d \d\d:\d\d:\d\d\.\d{3}\t)`)
	ours, lines := 0, 0
	colored := regexp.MustCompile("\x1b\\[\\d+m([A-Z]+)\x1b\\[0m") // as Caddy does with levels
	for line := range strings.Lines(n.log(t) + string(access)) {
		lines++
		line = colored.ReplaceAllString(strings.TrimSuffix(line, "\n"), "$1")
		if !begun.MatchString(line) {
			t.Errorf("a line that is none: %q", line)
		}
		if strings.HasPrefix(line, forged) || strings.ContainsAny(line, "\r\x1b\a\x00\v\x7f") {
			t.Errorf("a forged line: %q", line)
		}
		if strings.Contains(line, "http.handlers.ephemeral_chat") {
			ours++
			if strings.Contains(line, "forged") {
				t.Errorf("the chat has logged %q", line)
			}
		}
	}
	if ours == 0 || lines < tried/2 {
		t.Errorf("%d lines in the logs, %d of the chat", lines, ours)
	}
	t.Logf("%d attempts, %d lines of logs, %d of them the chat's", tried, lines, ours)
}

// TestAttackInjectionPlaceholders is of users whose name at the site looks like a
// placeholder of Caddy. It is a name, and stands for nothing.
func TestAttackInjectionPlaceholders(t *testing.T) {
	t.Setenv("CHAT_SECRET", "told-by-the-environment")
	listen := freeAddress(t)
	startNode(t, "", fmt.Sprintf(`http://%s {
	ephemeral_chat {
		user "{header.Remote-User}"
		%s
	}
}`, listen, unlimited), listen)
	base := newAPI(t, "http://"+listen)
	for _, name := range []string{"{env.CHAT_SECRET}", "{file./etc/passwd}", "{http.request.header.Cookie}", "{system.hostname}", `\{env.CHAT_SECRET}`, "{{env.CHAT_SECRET}}", "{header.Remote-User}"} {
		var m member
		base.as(t, "Remote-User", name).succeed(t, "/createRoom", fields{"roomName": name, "username": "{env.CHAT_SECRET}"}).decode(t, &m)
		if m.UserID != name || m.RoomName != name {
			t.Errorf("%q is called %q in %q", name, m.UserID, m.RoomName)
		}
	}
}
