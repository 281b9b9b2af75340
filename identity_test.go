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
)

// signedIn says who the site has signed in.
func signedIn(user string) func(*http.Request) { return header("X-User", user) }

// serveUsers serves two chats of one store: at the root for those whom the site has
// signed in, at /open for anybody.
func serveUsers(t *testing.T, store, options string) *site {
	t.Helper()
	return serve(t, "ephemeral_chat /open/* {\n"+store+"\n"+options+"\n}\n"+
		"ephemeral_chat {\n"+store+"\nuser {header.X-User}\n"+options+"\n}")
}

func (s *site) admitUser(t *testing.T, user, path string, pairs ...any) (m member, answer map[string]any) {
	t.Helper()
	answer = s.post(t, path, object(t, pairs...), signedIn(user)).ok(t)
	text := func(name string) string { value, _ := answer[name].(string); return value }
	return member{text("roomId"), text("userId"), text("sessionId")}, answer
}

func TestUser(t *testing.T) {
	forEachStore(t, func(t *testing.T, store string) {
		s := serveUsers(t, store, "")
		anna, answer := s.admitUser(t, "anna", "/createRoom", "roomName", "Room", "password", "tea", "username", "someone else")
		if anna.user != "anna" || answer["role"] != "admin" {
			t.Errorf("the creator is %v", answer)
		}
		s.post(t, "/joinRoom", object(t, "roomId", anna.room), signedIn("ben")).refused(t, 403, "wrong_password")
		ben, answer := s.admitUser(t, "ben", "/joinRoom", "roomId", anna.room, "password", "tea", "username", "anna")
		if ben.user != "ben" || answer["role"] != "member" {
			t.Errorf("ben is %v", answer)
		}

		// They are the same each time, need no password again, and no unlocked room.
		s.post(t, "/lockRoom", anna.as(t, "locked", true), signedIn("anna")).ok(t)
		for user, role := range map[string]string{"anna": "admin", " ben ": "member"} {
			again, answer := s.admitUser(t, user, "/joinRoom", "roomId", anna.room, "username", "x")
			if answer["role"] != role || again.session == anna.session || again.session == ben.session {
				t.Errorf("%s comes back as %v", user, answer)
			}
		}
		s.post(t, "/joinRoom", object(t, "roomId", anna.room, "password", "tea"), signedIn("carla")).refused(t, 403, "room_locked")

		// What clients say of themselves does not matter, what the site says does.
		_, answer = s.admitUser(t, "ben", "/joinRoom", "roomId", ben.room, "userId", "anna", "sessionId", ben.session)
		if answer["userId"] != "ben" {
			t.Errorf("ben, who says that he is anna, is %v", answer)
		}
		s.post(t, "/joinRoom", anna.as(t), signedIn("ben")).refused(t, 401, "invalid_session")
		s.post(t, "/deleteRoom", anna.as(t), signedIn("ben")).refused(t, 401, "invalid_session")
		s.post(t, "/startChat", object(t, "roomId", anna.room, "sessionId", anna.session), signedIn("anna")).ok(t)

		for _, path := range []string{"/createRoom", "/joinRoom", "/deleteRoom", "/roomInfo", "/leaveRoom"} {
			s.post(t, path, anna.as(t, "roomName", "Room")).refused(t, 401, "not_signed_in")
			s.post(t, path, anna.as(t, "roomName", "Room"), signedIn(" ")).refused(t, 401, "not_signed_in")
		}
		s.post(t, "/createRoom", object(t, "roomName", "Room"), signedIn("a\u202dlong name of more than sixty-four characters, as no one can have it")).refused(t, 400, "invalid_request")

		s.post(t, "/removeMember", anna.as(t, "memberId", "ben"), signedIn("anna")).ok(t)
		s.post(t, "/joinRoom", object(t, "roomId", anna.room, "password", "tea"), signedIn("ben")).refused(t, 401, "invalid_session")
	})
}

// TestUserAtOnce has somebody join with many requests at once, as tabs that a
// browser restores do.
func TestUserAtOnce(t *testing.T) {
	forEachStore(t, func(t *testing.T, store string) {
		s := serveUsers(t, store, "")
		anna, _ := s.admitUser(t, "anna", "/createRoom", "roomName", "Room")
		const tabs = 8
		done := make(chan string, tabs)
		for range tabs {
			go func() { // it ends with its request, which is waited for
				done <- string(s.post(t, "/joinRoom", object(t, "roomId", anna.room), signedIn("ben")).body)
			}()
		}
		for range tabs {
			if body := <-done; !strings.Contains(body, `"userId":"ben"`) {
				t.Errorf("a tab is told %s", body)
			}
		}
	})
}

// TestUserKinds is of rooms that are entered by the wrong door.
func TestUserKinds(t *testing.T) {
	forEachStore(t, func(t *testing.T, store string) {
		s := serveUsers(t, store, "room lounge Lounge")
		anna, _ := s.admitUser(t, "anna", "/createRoom", "roomName", "Room")
		s.post(t, "/open/roomInfo", object(t, "roomId", anna.room)).refused(t, 401, "not_signed_in")
		s.post(t, "/open/joinRoom", object(t, "roomId", anna.room)).refused(t, 401, "not_signed_in")
		s.post(t, "/open/joinRoom", anna.as(t)).refused(t, 401, "not_signed_in")
		s.post(t, "/open/deleteRoom", anna.as(t)).refused(t, 401, "not_signed_in")
		for range 2 { // also when the room is open on the node
			if code, reason := s.refusedSocketAt(t, "/open/ws", anna); code != 4401 || reason != "not_signed_in" {
				t.Errorf("closed with %d %s", code, reason)
			}
			s.connectAs(t, "anna", anna)
		}

		open := s.admit(t, "/open/createRoom", "roomName", "Room", "username", "anna")
		s.post(t, "/roomInfo", object(t, "roomId", open.room), signedIn("anna")).refused(t, 404, "room_not_found")
		s.post(t, "/joinRoom", object(t, "roomId", open.room), signedIn("anna")).refused(t, 404, "room_not_found")
		s.post(t, "/joinRoom", open.as(t), signedIn("anna")).refused(t, 404, "room_not_found")

		// A standing room is of the kind that comes first.
		s.admitUser(t, "anna", "/joinRoom", "roomId", "lounge")
		s.post(t, "/open/joinRoom", object(t, "roomId", "lounge")).refused(t, 401, "not_signed_in")
	})
}

// TestUserSocket is of WebSockets of those whom the site has signed in.
func TestUserSocket(t *testing.T) {
	forEachStore(t, func(t *testing.T, store string) {
		s := serveUsers(t, store, "")
		anna, _ := s.admitUser(t, "anna", "/createRoom", "roomName", "Room")
		ben, _ := s.admitUser(t, "ben", "/joinRoom", "roomId", anna.room)
		s.send(t, http.MethodGet, "/ws", "", upgrade).refused(t, 401, "not_signed_in")

		c := s.connectAs(t, "anna", anna)
		// He shows his own session under her name, and is himself.
		other := s.connectAs(t, "ben", member{anna.room, "anna", ben.session})
		other.say(t, "type", "message", "message", "hello")
		if message := c.hear(t, "message"); message["userId"] != "ben" {
			t.Errorf("ben speaks as %v", message["userId"])
		}
		// Her session is of no use to him.
		dialer := websocket.DefaultDialer
		socket, response, err := dialer.DialContext(t.Context(), "ws://"+s.address+"/ws", http.Header{"X-User": {"ben"}})
		if err != nil {
			t.Fatal(err)
		}
		response.Body.Close()
		defer socket.Close()
		stolen := &connection{socket}
		stolen.say(t, "type", "join", "roomId", anna.room, "userId", "anna", "sessionId", anna.session)
		if code, _ := stolen.closed(t); code != 4401 {
			t.Errorf("a stolen session is closed with %d", code)
		}
	})
}

// upgrade makes a request one for a WebSocket.
func upgrade(r *http.Request) {
	for name, value := range map[string]string{
		"Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13", "Sec-WebSocket-Key": "AAAAAAAAAAAAAAAAAAAAAA==",
	} {
		r.Header.Set(name, value)
	}
}

// connectAs opens a WebSocket of somebody whom the site has signed in.
func (s *site) connectAs(t *testing.T, user string, m member) *connection {
	t.Helper()
	socket, response, err := websocket.DefaultDialer.DialContext(t.Context(), "ws://"+s.address+"/ws", http.Header{"X-User": {user}})
	if err != nil {
		t.Fatal(err)
	}
	response.Body.Close()
	t.Cleanup(func() { socket.Close() })
	c := &connection{socket}
	c.say(t, "type", "join", "roomId", m.room, "userId", m.user, "sessionId", m.session)
	if welcome := c.hear(t, "welcome"); welcome["userId"] != user {
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
