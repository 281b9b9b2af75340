package ephemeralchat_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"
)

// lounge is a standing room whose passwords come from the environment.
const lounge = "room lounge \"The Lounge\" {\nttl 20m\npassword {env.CHAT_DOOR}\nadmin_password {env.CHAT_CROWN}\n}"

func TestStandingRoom(t *testing.T) {
	t.Setenv("CHAT_DOOR", "open-sesame")
	t.Setenv("CHAT_CROWN", "open-barley")
	forEachStore(t, func(t *testing.T, store string) {
		s := serve(t, "ephemeral_chat {\n"+store+"\n"+lounge+"\n}")
		asleep := map[string]any{"passwordRequired": true, "locked": false, "startedAt": nil, "expiresAt": nil}
		expectInfo := func() {
			t.Helper()
			if info := s.info(t, "lounge"); fmt.Sprint(info) != fmt.Sprint(asleep) {
				t.Errorf("info %v, want %v", info, asleep)
			}
		}
		expectInfo()
		for range 2 { // lives
			s.post(t, "/joinRoom", object(t, "roomId", "lounge", "username", "Anna")).refused(t, 403, "wrong_password")
			s.post(t, "/joinRoom", object(t, "roomId", "lounge", "password", "x")).refused(t, 403, "wrong_password")
			answer := s.post(t, "/joinRoom", object(t, "roomId", "lounge", "username", "Anna", "password", "open-sesame")).ok(t)
			if answer["roomId"] != "lounge" || answer["roomName"] != "The Lounge" || answer["userId"] != "Anna" ||
				answer["role"] != "member" || answer["ttl"] != 1200.0 || answer["startedAt"] != nil {
				t.Errorf("joined as %v", answer)
			}
			expectInfo()
			answer = s.post(t, "/joinRoom", object(t, "roomId", "lounge", "username", "Ben", "password", "open-barley")).ok(t)
			if answer["role"] != "admin" || answer["userId"] != "Ben" {
				t.Errorf("joined with the password of admins as %v", answer)
			}
			ben := s.join(t, "lounge", "password", "open-barley")
			s.post(t, "/startChat", ben.as(t)).ok(t)
			if info := s.info(t, "lounge"); info["startedAt"] == nil {
				t.Errorf("info of a room that was started: %v", info)
			}
			s.post(t, "/deleteRoom", ben.as(t)).ok(t)
			expectInfo()
			s.post(t, "/joinRoom", ben.as(t)).refused(t, 404, "room_not_found")
		}
	})
}

// TestStandingIDs checks that nobody else can make a room under such an id.
func TestStandingIDs(t *testing.T) {
	s := serve(t, "ephemeral_chat {\nroom lounge Lounge\n}")
	made := s.create(t, "roomId", "lounge", "id", "lounge", "username", "Anna")
	if made.room == "lounge" {
		t.Error("createRoom takes the id of a standing room")
	}
	ben := s.join(t, "lounge", "username", "Anna")
	if ben.user != "Anna" {
		t.Errorf("the first Anna in the room is %q", ben.user)
	}
	s.post(t, "/joinRoom", object(t, "roomId", "Lounge")).refused(t, 404, "room_not_found")
	for _, id := range []string{"lounge:", "lounge:x", ":lounge"} {
		s.post(t, "/joinRoom", object(t, "roomId", id)).refused(t, 404, "room_not_found")
		s.post(t, "/roomInfo", object(t, "roomId", id)).refused(t, 404, "room_not_found")
	}
}

// TestStandingSockets has somebody connected over the end of a life, who does not
// answer the close frame, while the next life begins.
func TestStandingSockets(t *testing.T) {
	t.Setenv("CHAT_DOOR", "open-sesame")
	t.Setenv("CHAT_CROWN", "open-barley")
	forEachStore(t, func(t *testing.T, store string) {
		s := serve(t, "ephemeral_chat {\n"+store+"\n"+lounge+"\n}")
		var stale []*connection
		var former []member
		for life := range 3 {
			admin := s.join(t, "lounge", "username", "Anna", "password", "open-barley")
			ben := s.join(t, "lounge", "username", "Ben", "password", "open-sesame")
			if admin.user != "Anna" || ben.user != "Ben" {
				t.Errorf("life %d: the names are %q and %q", life, admin.user, ben.user)
			}
			a, b := s.connect(t, "", admin), s.connect(t, "", ben)
			a.echo(t, fmt.Sprint("hello in life ", life))
			if first := b.hear(t, "message"); first["seq"] != 1.0 || first["message"] != fmt.Sprint("hello in life ", life) {
				t.Errorf("life %d begins with %v", life, first)
			}
			for _, m := range former {
				s.post(t, "/joinRoom", m.as(t)).refused(t, 401, "invalid_session")
				code, _ := s.refusedSocket(t, m)
				if code != 4401 && code != 4404 {
					t.Errorf("a session of a former life is refused with %d", code)
				}
			}
			s.post(t, "/deleteRoom", admin.as(t)).ok(t)
			stale, former = append(stale, a, b), append(former, admin, ben)
		}
		for i, c := range stale {
			if reason := c.hear(t, "ended")["reason"]; reason != "deleted" {
				t.Errorf("connection %d: ended, %v", i, reason)
			}
			if code, reason := c.closed(t); code != 4410 || reason != "deleted" {
				t.Errorf("connection %d: closed with %d %s", i, code, reason)
			}
		}
	})
}

// refusedSocket joins a WebSocket that is refused, and returns the close code.
func (s *site) refusedSocket(t *testing.T, m member) (code int, reason string) {
	t.Helper()
	return s.refusedSocketAt(t, "/ws", m)
}

func (s *site) refusedSocketAt(t *testing.T, path string, m member) (code int, reason string) {
	t.Helper()
	socket, response, err := websocket.DefaultDialer.DialContext(t.Context(), "ws://"+s.address+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	response.Body.Close()
	defer socket.Close()
	c := &connection{socket}
	c.say(t, "type", "join", "roomId", m.room, "userId", m.user, "sessionId", m.session)
	return c.closed(t)
}

// TestStandingReload changes what is declared while the room is there.
func TestStandingReload(t *testing.T) {
	forEachStore(t, func(t *testing.T, store string) {
		s := newSite(t)
		block := func(room string) string { return s.block("ephemeral_chat {\n" + store + "\n" + room + "\n}") }
		load(t, block("room lounge Before {\npassword tea\nadmin_password barley\n}"))
		admin := s.join(t, "lounge", "password", "barley")
		c := s.connect(t, "", admin)
		for _, other := range []string{"room lounge After {\nttl 5m\n}", ""} {
			load(t, block(other))
			c.echo(t, "still here")
			answer := s.post(t, "/joinRoom", object(t, "roomId", "lounge", "password", "tea")).ok(t)
			if answer["roomName"] != "Before" || answer["ttl"] != 3600.0 || answer["startedAt"] == nil {
				t.Errorf("the life goes on as %v", answer)
			}
			s.post(t, "/joinRoom", object(t, "roomId", "lounge")).refused(t, 403, "wrong_password")
		}
		load(t, block("room lounge After {\nttl 5m\n}"))
		s.post(t, "/deleteRoom", admin.as(t)).ok(t)
		answer := s.post(t, "/joinRoom", object(t, "roomId", "lounge")).ok(t)
		if answer["roomName"] != "After" || answer["ttl"] != 300.0 || answer["startedAt"] != nil {
			t.Errorf("the next life begins as %v", answer)
		}
	})
}

func TestStandingMaxRooms(t *testing.T) {
	s := serve(t, "ephemeral_chat {\nmax_rooms 1\nroom lounge Lounge {\nadmin_password barley\n}\nroom attic Attic\n}")
	admin := s.join(t, "lounge", "password", "barley")
	s.post(t, "/joinRoom", object(t, "roomId", "attic")).refused(t, 503, "too_many_rooms")
	s.post(t, "/createRoom", object(t, "roomName", "x")).refused(t, 503, "too_many_rooms")
	s.join(t, "lounge")
	s.post(t, "/deleteRoom", admin.as(t)).ok(t)
	s.join(t, "attic")
}

// TestStandingPasswordRate guesses at the passwords of a room that nobody is in.
func TestStandingPasswordRate(t *testing.T) {
	s := serve(t, "ephemeral_chat {\npassword_rate 3 1h\nroom lounge Lounge {\nadmin_password barley\n}\n}")
	for range 3 {
		s.post(t, "/joinRoom", object(t, "roomId", "lounge", "password", "rye")).refused(t, 403, "wrong_password")
	}
	s.post(t, "/joinRoom", object(t, "roomId", "lounge", "password", "barley")).refused(t, 429, "rate_limited")
	s.join(t, "lounge")
}

// TestManyStandingRooms checks that loading a configuration does not hash.
func TestManyStandingRooms(t *testing.T) {
	var rooms strings.Builder
	for i := range 500 {
		fmt.Fprintf(&rooms, "room room-%d Room {\npassword tea\nadmin_password barley\n}\n", i)
	}
	config, _, err := adapt(":80 {\nephemeral_chat {\n" + rooms.String() + "}\n}\n")
	if err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	if err := provision(config); err != nil {
		t.Fatal(err)
	}
	// Hashes take more than ten seconds, also at a core's full speed.
	if took := time.Since(began); took > 5*time.Second {
		t.Errorf("loading 500 rooms with passwords takes %v", took)
	}
}
