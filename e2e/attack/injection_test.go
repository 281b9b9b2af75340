package attack_test

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

	"github.com/gorilla/websocket"

	"github.com/ephemeralchat/caddy-ephemeral-chat/e2e/harness"
	"github.com/ephemeralchat/caddy-ephemeral-chat/e2e/harness/rawws"
)

// hostileNames attack programs that treat a name as more than text: a page, JSON, Redis,
// a script, a template. Names have at most 32 characters.
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

// hostileRoom is such a name for a room.
const hostileRoom = "\u202e</title><script>owned=1</script><img src=x onerror=owned=1>\"' {name} $& \u05d2\u05e4.\u2067room"

// joinAs joins a room under a name, and returns false if the name is refused. The server
// may have removed invisible characters from the name.
func joinAs(t *testing.T, a *harness.API, roomID, name string) (m harness.Member, ok bool) {
	t.Helper()
	got := a.Call(t, "/joinRoom", harness.Fields{"roomId": roomID, "username": name})
	if got.Code() == "invalid_request" {
		t.Logf("refused: %q", name)
		return m, false
	}
	if got.Status != http.StatusOK {
		t.Fatalf("%q: %d %s", name, got.Status, got.Body)
	}
	got.Decode(t, &m)
	if m.UserID != name && m.UserID != plain(name) {
		t.Errorf("%q is called %q", name, m.UserID)
	}
	return m, true
}

// TestAttackInjectionFrames has members with hostile names cause all frames with names,
// on nodes that share the rooms. Every frame is as with any other name.
func TestAttackInjectionFrames(t *testing.T) {
	harness.OnBothStores(t, harness.Unlimited, func(t *testing.T, s *harness.Site) {
		anna := s.API(0).Create(t, 600)
		annas, _ := harness.Join(t, s.Base(0), &anna)
		in := 0
		for i, name := range hostileNames {
			m, ok := joinAs(t, s.API(1), anna.RoomID, name)
			if !ok {
				continue
			}
			in++
			name = m.UserID
			k, welcome := harness.Join(t, s.Base(1), &m)
			if !slices.Contains(welcome.Online, name) || welcome.UserID != name {
				t.Errorf("%q is welcomed as %q among %q", name, welcome.UserID, welcome.Online)
			}
			notified := func(kind string) {
				annas.AwaitFrame(t, kind+" "+name, func(f *harness.Frame) bool { return f.Type == kind && f.UserID == name })
			}
			notified("joined")
			k.Send(t, harness.Fields{"type": "typing"})
			notified("typing")
			// The text imitates another member's message.
			text := fmt.Sprintf(`%d %s","userId":"admin","id":7,"session":"%s"}`, i, name, welcome.Session)
			k.Send(t, harness.Fields{"type": "message", "message": text, "id": 1})
			for _, k := range []*harness.Socket{annas, k} {
				if f := k.AwaitText(t, text); f.UserID != name || f.ID != 1 || f.Session != welcome.Session {
					t.Errorf("%q has published %+v", name, f.Entry)
				}
			}
			again, back := harness.Rejoin(t, s.Base(0), &m, 0, welcome.Epoch)
			if f := back.Messages[len(back.Messages)-1]; f.Message != text || f.UserID != name || back.LastID != 1 {
				t.Errorf("%q receives %+v of itself, and %d", name, f, back.LastID)
			}
			s.API(0).Succeed(t, "/removeMember", anna.Credentials("memberId", name))
			again.AwaitClose(t, 4403)
			harness.ExpectProblem(t, s.API(1).Call(t, "/joinRoom", m.Credentials()), http.StatusUnauthorized, "invalid_session")
		}
		if in < len(hostileNames)*3/4 {
			t.Errorf("only %d of %d names were let in", in, len(hostileNames))
		}
		for _, kind := range []string{"ended", "removed", "gap", "error"} {
			if n := annas.Count(kind); n > 0 {
				t.Errorf("%d frames of type %q", n, kind)
			}
		}
		// The room and its admin have not changed.
		_, welcome := harness.Join(t, s.Base(1), &anna)
		if welcome.Role != "admin" || welcome.Seq != uint64(in) || welcome.Room.RoomName != anna.RoomName {
			t.Errorf("the room is %+v, %s, %d", welcome.Room, welcome.Role, welcome.Seq)
		}
		s.ExpectNoErrors(t)
		t.Logf("%d names tried, %d let in", len(hostileNames), in)
	})
}

// plain returns a text without characters that change its direction.
func plain(text string) string {
	return regexp.MustCompile(`[\x{202a}-\x{202e}\x{2066}-\x{2069}]`).ReplaceAllString(text, "")
}

// TestAttackInjectionLogs sends line breaks and terminal escapes in every input of the
// server, and checks its logs, its metrics and the responses of its admin API.
func TestAttackInjectionLogs(t *testing.T) {
	const forged = "2026/01/01 00:00:00.000\tERROR\tforged"
	orders := "\x1b[2J\x1b]0;forged\a"
	// No name contains control characters, which terminals obey.
	controls := []string{"\n" + forged, "\r\n" + forged, orders, "\u009b31mforged", "\u0085" + forged, "\x7fforged", "a\x00forged", "\vforged"}

	server := harness.StartRedis(t)
	n, a := harness.Serve(t, "\tdebug\n\tlog {\n\t\tformat console\n\t}",
		"log {\n\t\toutput file access.log\n\t\tformat console\n\t}\n\t"+harness.Chat("redis "+server.Addr(), harness.Unlimited))
	operator := harness.NewAPI(t, "http://"+n.Admin+"/ephemeral_chat")
	before := n.Metrics(t)
	admin := a.Create(t, 600)
	tried := 0
	for _, control := range controls {
		for _, name := range []string{control, "anna" + control, control + "anna"} {
			if strings.TrimSpace(name) != name {
				name = "x" + name + "x" // so that the control character is not trimmed
			}
			for endpoint, request := range map[string]harness.Fields{
				"/createRoom": {"roomName": name, "username": name},
				"/joinRoom":   {"roomId": admin.RoomID, "username": name},
			} {
				got := a.Call(t, endpoint, request)
				for _, field := range []string{"roomName", "userId"} {
					if called, _ := got.Fields[field].(string); strings.ContainsFunc(called, unicode.IsControl) {
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
			got := a.Call(t, endpoint, harness.Fields{"roomId": order, "userId": order, "sessionId": order, "memberId": order, "password": order})
			if got.Status != http.StatusNotFound || strings.Contains(string(got.Body), "forged") {
				t.Errorf("%s: %d %s", endpoint, got.Status, got.Body)
			}
			got = a.Call(t, endpoint, harness.Fields{"roomId": admin.RoomID, "userId": order, "sessionId": order, "memberId": order, "ttl": order, order: order, "username": 7})
			if (got.Status < 400 && endpoint != "/roomInfo") || strings.Contains(string(got.Body), "forged") {
				t.Errorf("%s: %d %s", endpoint, got.Status, got.Body)
			}
			tried += 2
		}
		a.Do(t, http.MethodGet, "/"+url.PathEscape(order)+"?"+url.QueryEscape(order), http.Header{"Referer": {url.PathEscape(order)}}, nil)
		query := "?roomId=" + url.QueryEscape(order) + "&userId=" + url.QueryEscape(order) + "&sessionId=" + url.QueryEscape(order)
		if _, got, err := harness.OpenSocket(t.Context(), harness.WebSocketURL(a.Base)+query, nil, nil); err == nil || got.Status != http.StatusNotFound || strings.Contains(string(got.Body), "forged") {
			t.Errorf("%q by the query: %v", order, got)
		}
		k := harness.Dial(t, a.Base)
		k.Send(t, harness.Fields{"type": "join", "roomId": order, "userId": order, "sessionId": order, "epoch": order})
		if end := k.AwaitClose(t, 4404); strings.Contains(end.Reason, "forged") {
			t.Errorf("closed with %q", end.Reason)
		}
		k, _ = harness.Join(t, a.Base, &admin)
		k.Send(t, harness.Fields{"type": order})
		if f := k.Await(t, "error"); f.Code != "unknown_type" || strings.Contains(f.Message, "forged") {
			t.Errorf("%+v", f)
		}
		k.Publish(t, order)
		k.AwaitText(t, order)
		reason := []rune(order)
		k.SendRaw(t, websocket.CloseMessage, rawws.ClosePayload(4999, string(reason[:min(len(reason), 30)])))
		<-k.Done()

		for _, request := range []struct{ method, path string }{
			{http.MethodGet, "/rooms?store=" + url.QueryEscape(order)},
			{http.MethodGet, "/" + url.PathEscape(order)},
			{http.MethodDelete, "/rooms/" + url.PathEscape(order)},
		} {
			got := operator.Do(t, request.method, request.path, nil, nil)
			if got.Status != http.StatusNotFound || got.Header.Get("Content-Type") != "application/json" || !json.Valid(got.Body) || strings.ContainsAny(strings.TrimSuffix(string(got.Body), "\n"), "\n\x1b") {
				t.Errorf("%s %s: %d %v %q", request.method, request.path, got.Status, got.Header, got.Body)
			}
			tried++
		}
		tried += 6
	}
	if got := operator.Do(t, http.MethodGet, "/rooms", nil, nil); got.Status != http.StatusOK || strings.Contains(string(got.Body), "forged") {
		t.Errorf("rooms: %d %s", got.Status, got.Body)
	}
	after := n.Metrics(t)
	for name := range after {
		if _, ok := before[name]; !ok {
			t.Errorf("a new metric: %s", name)
		}
	}
	server.Kill(t) // so that the node logs the outage
	harness.ExpectProblem(t, a.Call(t, "/joinRoom", harness.Fields{"roomId": admin.RoomID, "username": "forged"}), http.StatusServiceUnavailable, "unavailable")
	n.Stop(t)

	access, err := os.ReadFile(filepath.Join(n.Dir, "access.log"))
	if err != nil {
		t.Fatal(err)
	}
	// The first lines, from before the log is configured, are JSON. go-redis has a
	// format of its own.
	begun := regexp.MustCompile(`^(\{"level":|redis: |\d{4}/\d\d/\d\d \d\d:\d\d:\d\d\.\d{3}\t)`)
	ours, lines := 0, 0
	colored := regexp.MustCompile("\x1b\\[\\d+m([A-Z]+)\x1b\\[0m") // Caddy colors levels
	for line := range strings.Lines(n.Log() + string(access)) {
		lines++
		line = colored.ReplaceAllString(strings.TrimSuffix(line, "\n"), "$1")
		if !begun.MatchString(line) {
			t.Errorf("not a line of a log: %q", line)
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

// TestAttackInjectionPlaceholders has users whose names at the site are placeholders of
// Caddy. The server does not replace them.
func TestAttackInjectionPlaceholders(t *testing.T) {
	t.Setenv("CHAT_SECRET", "set-in-the-environment")
	_, base := harness.Serve(t, "", harness.Chat(`user "{header.Remote-User}"`, harness.Unlimited))
	for _, name := range []string{"{env.CHAT_SECRET}", "{file./etc/passwd}", "{http.request.header.Cookie}", "{system.hostname}", `\{env.CHAT_SECRET}`, "{{env.CHAT_SECRET}}", "{header.Remote-User}"} {
		m := base.WithHeader(t, "Remote-User", name).CreateRoom(t, harness.Fields{"roomName": name, "username": "{env.CHAT_SECRET}"})
		if m.UserID != name || m.RoomName != name {
			t.Errorf("%q is called %q in %q", name, m.UserID, m.RoomName)
		}
	}
}
