package ephemeralchat_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/gorilla/websocket"

	ephemeralchat "github.com/ephemeralchat/caddy-ephemeral-chat"
	"github.com/ephemeralchat/caddy-ephemeral-chat/api/apitest"
)

// signedIn returns an edit that signs a user in.
func signedIn(user string) func(*http.Request) { return apitest.Header("X-User", user) }

// serveUsers serves two chats of one store: for users that the site has signed in at the
// root, and for all clients at /open.
func serveUsers(t *testing.T, store, options string) *site {
	t.Helper()
	return serve(t, "ephemeral_chat /open/* {\n"+store+"\n"+options+"\n}\n"+
		"ephemeral_chat {\n"+store+"\nuser {header.X-User}\n"+options+"\n}")
}

func (s *site) admitUser(t *testing.T, user, path string, pairs ...any) (m apitest.Member, answer map[string]any) {
	t.Helper()
	answer = s.Post(t, path, apitest.Object(t, pairs...), signedIn(user)).OK(t)
	text := func(name string) string { value, _ := answer[name].(string); return value }
	return apitest.Member{Room: text("roomId"), User: text("userId"), Session: text("sessionId")}, answer
}

func TestUser(t *testing.T) {
	forEachStore(t, func(t *testing.T, store string) {
		s := serveUsers(t, store, "")
		anna, answer := s.admitUser(t, "anna", "/createRoom", "roomName", "Room", "password", "tea", "username", "someone else")
		if anna.User != "anna" || answer["role"] != "admin" {
			t.Errorf("the creator is %v", answer)
		}
		s.Post(t, "/joinRoom", apitest.Object(t, "roomId", anna.Room), signedIn("ben")).Refused(t, 403, "wrong_password")
		ben, answer := s.admitUser(t, "ben", "/joinRoom", "roomId", anna.Room, "password", "tea", "username", "anna")
		if ben.User != "ben" || answer["role"] != "member" {
			t.Errorf("ben is %v", answer)
		}

		// A user that comes back is the same user, and needs no password or unlocked room.
		s.Post(t, "/lockRoom", anna.As(t, "locked", true), signedIn("anna")).OK(t)
		for user, role := range map[string]string{"anna": "admin", " ben ": "member"} {
			again, answer := s.admitUser(t, user, "/joinRoom", "roomId", anna.Room, "username", "x")
			if answer["role"] != role || again.Session == anna.Session || again.Session == ben.Session {
				t.Errorf("%s comes back as %v", user, answer)
			}
		}
		s.Post(t, "/joinRoom", apitest.Object(t, "roomId", anna.Room, "password", "tea"), signedIn("carla")).Refused(t, 403, "room_locked")

		// The id in the request does not matter, the one of the site does.
		_, answer = s.admitUser(t, "ben", "/joinRoom", "roomId", ben.Room, "userId", "anna", "sessionId", ben.Session)
		if answer["userId"] != "ben" {
			t.Errorf("ben, with the userId anna, is %v", answer)
		}
		s.Post(t, "/joinRoom", anna.As(t), signedIn("ben")).Refused(t, 401, "invalid_session")
		s.Post(t, "/deleteRoom", anna.As(t), signedIn("ben")).Refused(t, 401, "invalid_session")
		s.Post(t, "/startChat", apitest.Object(t, "roomId", anna.Room, "sessionId", anna.Session), signedIn("anna")).OK(t)

		for _, path := range []string{"/createRoom", "/joinRoom", "/deleteRoom", "/roomInfo", "/leaveRoom"} {
			s.Post(t, path, anna.As(t, "roomName", "Room")).Refused(t, 401, "not_signed_in")
			s.Post(t, path, anna.As(t, "roomName", "Room"), signedIn(" ")).Refused(t, 401, "not_signed_in")
		}
		s.Post(t, "/createRoom", apitest.Object(t, "roomName", "Room"), signedIn("a\u202dlong name of more than sixty-four characters, as no one can have it")).Refused(t, 400, "invalid_request")

		s.Post(t, "/removeMember", anna.As(t, "memberId", "ben"), signedIn("anna")).OK(t)
		s.Post(t, "/joinRoom", apitest.Object(t, "roomId", anna.Room, "password", "tea"), signedIn("ben")).Refused(t, 401, "invalid_session")
	})
}

// TestUserAtOnce joins a user with many requests at once, like the tabs that a browser
// restores.
func TestUserAtOnce(t *testing.T) {
	forEachStore(t, func(t *testing.T, store string) {
		s := serveUsers(t, store, "")
		anna, _ := s.admitUser(t, "anna", "/createRoom", "roomName", "Room")
		const tabs = 8
		done := make(chan string, tabs)
		for range tabs {
			go func() { // ends with its request, which the test waits for
				done <- string(s.Post(t, "/joinRoom", apitest.Object(t, "roomId", anna.Room), signedIn("ben")).Body)
			}()
		}
		for range tabs {
			if body := <-done; !strings.Contains(body, `"userId":"ben"`) {
				t.Errorf("a tab receives %s", body)
			}
		}
	})
}

// TestUserKinds enters rooms of signed-in users without signing in, and the reverse.
func TestUserKinds(t *testing.T) {
	forEachStore(t, func(t *testing.T, store string) {
		s := serveUsers(t, store, "room lounge Lounge")
		anna, _ := s.admitUser(t, "anna", "/createRoom", "roomName", "Room")
		s.Post(t, "/open/roomInfo", apitest.Object(t, "roomId", anna.Room)).Refused(t, 401, "not_signed_in")
		s.Post(t, "/open/joinRoom", apitest.Object(t, "roomId", anna.Room)).Refused(t, 401, "not_signed_in")
		s.Post(t, "/open/joinRoom", anna.As(t)).Refused(t, 401, "not_signed_in")
		s.Post(t, "/open/deleteRoom", anna.As(t)).Refused(t, 401, "not_signed_in")
		for range 2 { // also when the room is open on the node
			if code, reason := s.refusedSocketAt(t, "/open/ws", anna); code != 4401 || reason != "not_signed_in" {
				t.Errorf("closed with %d %s", code, reason)
			}
			s.connectAs(t, "anna", anna)
		}

		open := s.Admit(t, "/open/createRoom", "roomName", "Room", "username", "anna")
		s.Post(t, "/roomInfo", apitest.Object(t, "roomId", open.Room), signedIn("anna")).Refused(t, 404, "room_not_found")
		s.Post(t, "/joinRoom", apitest.Object(t, "roomId", open.Room), signedIn("anna")).Refused(t, 404, "room_not_found")
		s.Post(t, "/joinRoom", open.As(t), signedIn("anna")).Refused(t, 404, "room_not_found")

		// The first member decides the kind of a declared room.
		s.admitUser(t, "anna", "/joinRoom", "roomId", "lounge")
		s.Post(t, "/open/joinRoom", apitest.Object(t, "roomId", "lounge")).Refused(t, 401, "not_signed_in")
	})
}

// TestUserSocket opens the WebSockets of signed-in users.
func TestUserSocket(t *testing.T) {
	forEachStore(t, func(t *testing.T, store string) {
		s := serveUsers(t, store, "")
		anna, _ := s.admitUser(t, "anna", "/createRoom", "roomName", "Room")
		ben, _ := s.admitUser(t, "ben", "/joinRoom", "roomId", anna.Room)
		s.Send(t, http.MethodGet, "/ws", "", upgrade).Refused(t, 401, "not_signed_in")

		c := s.connectAs(t, "anna", anna)
		// Ben sends his own session with anna's id, and stays ben.
		other := s.connectAs(t, "ben", apitest.Member{Room: anna.Room, User: "anna", Session: ben.Session})
		other.send(t, "type", "message", "message", "hello")
		if message := c.receive(t, "message"); message["userId"] != "ben" {
			t.Errorf("ben sends as %v", message["userId"])
		}
		// Anna's session is invalid for ben.
		dialer := websocket.DefaultDialer
		socket, response, err := dialer.DialContext(t.Context(), "ws://"+s.Address+"/ws", http.Header{"X-User": {"ben"}})
		if err != nil {
			t.Fatal(err)
		}
		response.Body.Close()
		defer socket.Close()
		stolen := &connection{socket}
		stolen.send(t, "type", "join", "roomId", anna.Room, "userId", "anna", "sessionId", anna.Session)
		if code, _ := stolen.closed(t); code != 4401 {
			t.Errorf("a stolen session is closed with %d", code)
		}
	})
}

// upgrade turns a request into one for a WebSocket.
func upgrade(r *http.Request) {
	for name, value := range map[string]string{
		"Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13", "Sec-WebSocket-Key": "AAAAAAAAAAAAAAAAAAAAAA==",
	} {
		r.Header.Set(name, value)
	}
}

// connectAs opens the WebSocket of a signed-in user.
func (s *site) connectAs(t *testing.T, user string, m apitest.Member) *connection {
	t.Helper()
	socket, response, err := websocket.DefaultDialer.DialContext(t.Context(), "ws://"+s.Address+"/ws", http.Header{"X-User": {user}})
	if err != nil {
		t.Fatal(err)
	}
	response.Body.Close()
	t.Cleanup(func() { socket.Close() })
	c := &connection{socket}
	c.send(t, "type", "join", "roomId", m.Room, "userId", m.User, "sessionId", m.Session)
	if welcome := c.receive(t, "welcome"); welcome["userId"] != user {
		t.Errorf("%s is welcomed as %v", user, welcome["userId"])
	}
	return c
}

// FuzzUser signs two users in under any names. An admitted user has a name that can be
// shown, always the same one, and users with different names, apart from spaces around
// them, are different users.
func FuzzUser(f *testing.F) {
	for _, seed := range [][2]string{
		{"anna", "ben"},
		{" anna ", "anna"},
		{"Ren\u00e9", "Rene\u0301"},
		{"Rene\u0301", "Ren\u00e9"},
		{"", " "},
		{"anna", "\u0430nna"},
		{"a\x00", "a\x7f"},
		{"\xff", "\ufffd"},
		{"anna\u200b", "anna"},
		{"{http.vars.x}", "{env.HOME}"},
		{"\u202eanna", "anna"},
		{strings.Repeat("x", 300), strings.Repeat("x", 301)},
		{"anna@example.com", "ANNA@example.com"},
		{"\u1e9b\u0323", "\u1e69"},
		{"\u2028", "\u0085"},
	} {
		f.Add(seed[0], seed[1])
	}
	handler := provisioned(f, &ephemeralchat.Handler{User: "{http.request.header.X-User}", MaxRooms: 1000})
	userOf := func(t *testing.T, name string) (string, bool) {
		t.Helper()
		request := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/createRoom", strings.NewReader(`{"roomName":"x"}`))
		request.Header.Set("Content-Type", "application/json")
		request.Header.Set("X-User", name)
		w := httptest.NewRecorder()
		if err := handler.ServeHTTP(w, asInCaddy(request), noNext(t)); err != nil {
			t.Fatal(err)
		}
		var answer struct{ UserID string }
		if err := json.Unmarshal(w.Body.Bytes(), &answer); err != nil {
			t.Fatal(err)
		}
		switch w.Code {
		case http.StatusOK, http.StatusServiceUnavailable: // too many rooms
		case http.StatusBadRequest, http.StatusUnauthorized:
			return "", false
		default:
			t.Fatalf("%q: %d %s", name, w.Code, w.Body)
		}
		return answer.UserID, w.Code == http.StatusOK
	}
	f.Fuzz(func(t *testing.T, one, other string) {
		first, ok := userOf(t, one)
		if !ok {
			return
		}
		if first == "" || !utf8.ValidString(first) || first != strings.TrimSpace(one) ||
			strings.ContainsFunc(first, unicode.IsControl) {
			t.Errorf("%q is called %q", one, first)
		}
		if again, ok := userOf(t, one); ok && again != first {
			t.Errorf("%q is called %q and %q", one, first, again)
		}
		same := strings.TrimSpace(one) == strings.TrimSpace(other)
		if second, ok := userOf(t, other); ok && second == first && !same {
			t.Errorf("%q and %q are both called %q", one, other, first)
		}
	})
}

// from returns an edit that sets the address of the client, for a site that trusts it.
func from(address string) func(*http.Request) { return apitest.Header("X-Forwarded-For", address) }

func TestRateOff(t *testing.T) {
	s := serve(t, "ephemeral_chat {\ncreate_rate off\njoin_rate off\npassword_rate off\nroom_password_rate off\n}")
	room := s.Create(t, "password", "tea").Room
	for range 30 {
		s.Create(t)
	}
	for range 12 {
		s.Post(t, "/joinRoom", apitest.Object(t, "roomId", room, "password", "coffee")).Refused(t, 403, "wrong_password")
	}
}

// TestClientAddress checks which addresses count as one client.
func TestClientAddress(t *testing.T) {
	s := newSite(t)
	for name, test := range map[string]struct {
		first, second string
		same          bool
	}{
		"one IPv4 address":     {"192.0.2.1", "192.0.2.1", true},
		"two IPv4 addresses":   {"192.0.2.1", "192.0.2.2", false},
		"mapped into IPv6":     {"192.0.2.1", "::ffff:192.0.2.1", true},
		"one IPv6 network":     {"2001:db8:0:1::1", "2001:db8:0:1:ffff::2", true},
		"two IPv6 networks":    {"2001:db8:0:1::1", "2001:db8:0:2::1", false},
		"IPv4 is not IPv6":     {"192.0.2.1", "::c000:201", false},
		"one name in zones":    {"fe80::1", "fe80::2", true},
		"forwarded many times": {"192.0.2.7", "203.0.113.9, 192.0.2.7", false},
	} {
		t.Run(name, func(t *testing.T) {
			loadWith(t, "servers {\n\ttrusted_proxies static 127.0.0.0/8\n}", s.block("ephemeral_chat {\ncreate_rate 1 1h\n}"))
			body := apitest.Object(t, "roomName", "x")
			s.Post(t, "/createRoom", body, from(test.first)).OK(t)
			second := s.Post(t, "/createRoom", body, from(test.second))
			if test.same {
				second.Refused(t, 429, "rate_limited")
			} else {
				second.OK(t)
			}
		})
	}
}

// TestMaxConnections checks that a connection above the limit is refused before the
// upgrade, with a reason and a time to retry. Connections count by client, IPv6 by /64. A
// reload keeps the counts and may change the limit.
func TestMaxConnections(t *testing.T) {
	s := newSite(t)
	configure := func(most string) {
		loadWith(t, "servers {\n\ttrusted_proxies static 127.0.0.0/8\n}", s.block(withMetrics("max_connections "+most)))
	}
	open := func(address string) *websocket.Conn {
		t.Helper()
		c, response, err := websocket.DefaultDialer.DialContext(t.Context(), "ws://"+s.Address+"/ws",
			http.Header{"X-Forwarded-For": {address}})
		if err != nil {
			t.Fatalf("%s is refused: %v", address, err)
		}
		_ = response.Body.Close()
		t.Cleanup(func() { _ = c.Close() })
		return c
	}
	refused := func(address string) {
		t.Helper()
		answer := s.Send(t, http.MethodGet, "/ws", "", upgrade, from(address))
		answer.Refused(t, 429, "too_many_connections")
		if answer.Header.Get("Retry-After") == "" {
			t.Error("no Retry-After")
		}
	}
	configure("2")
	first := open("2001:db8:0:1::1")
	last := open("2001:db8:0:1:ffff::2")
	refused("2001:db8:0:1::3")
	open("2001:db8:0:2::1")
	configure("3")
	open("2001:db8:0:1::1")
	configure("2")
	refused("2001:db8:0:1::1")
	_ = last.Close()
	awaitOpen := func(count float64) {
		t.Helper()
		apitest.WaitUntil(t, func() bool { return s.scrape(t).sum(t, "connections") == count })
	}
	awaitOpen(3)
	refused("2001:db8:0:1::1")
	_ = first.Close()
	awaitOpen(2)
	open("2001:db8:0:1::1")
	s.scrape(t).expect(t, 3, "refusals_total", `code="too_many_connections"`, `via="http"`)
}
