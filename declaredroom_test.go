package ephemeralchat_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/ephemeralchat/caddy-ephemeral-chat/api/apitest"
)

// lounge is a declared room whose passwords come from the environment.
const lounge = "room lounge \"The Lounge\" {\nttl 20m\npassword {env.CHAT_DOOR}\nadmin_password {env.CHAT_CROWN}\n}"

func TestDeclaredRoom(t *testing.T) {
	t.Setenv("CHAT_DOOR", "open-sesame")
	t.Setenv("CHAT_CROWN", "open-barley")
	forEachStore(t, func(t *testing.T, store string) {
		s := serve(t, "ephemeral_chat {\n"+store+"\n"+lounge+"\n}")
		closed := map[string]any{"passwordRequired": true, "locked": false, "startedAt": nil, "expiresAt": nil}
		expectInfo := func() {
			t.Helper()
			if info := s.Info(t, "lounge"); fmt.Sprint(info) != fmt.Sprint(closed) {
				t.Errorf("info %v, want %v", info, closed)
			}
		}
		expectInfo()
		for range 2 { // instances
			s.Post(t, "/joinRoom", apitest.Object(t, "roomId", "lounge", "username", "Anna")).Refused(t, 403, "wrong_password")
			s.Post(t, "/joinRoom", apitest.Object(t, "roomId", "lounge", "password", "x")).Refused(t, 403, "wrong_password")
			answer := s.Post(t, "/joinRoom", apitest.Object(t, "roomId", "lounge", "username", "Anna", "password", "open-sesame")).OK(t)
			if answer["roomId"] != "lounge" || answer["roomName"] != "The Lounge" || answer["userId"] != "Anna" ||
				answer["role"] != "member" || answer["ttl"] != 1200.0 || answer["startedAt"] != nil {
				t.Errorf("joined as %v", answer)
			}
			expectInfo()
			answer = s.Post(t, "/joinRoom", apitest.Object(t, "roomId", "lounge", "username", "Ben", "password", "open-barley")).OK(t)
			if answer["role"] != "admin" || answer["userId"] != "Ben" {
				t.Errorf("joined with the password of admins as %v", answer)
			}
			ben := s.Join(t, "lounge", "password", "open-barley")
			s.Post(t, "/startChat", ben.As(t)).OK(t)
			if info := s.Info(t, "lounge"); info["startedAt"] == nil {
				t.Errorf("info of a room that was started: %v", info)
			}
			s.Post(t, "/deleteRoom", ben.As(t)).OK(t)
			expectInfo()
			s.Post(t, "/joinRoom", ben.As(t)).Refused(t, 404, "room_not_found")
		}
	})
}

// TestDeclaredRoomIDs checks that a client cannot create a room with such an id.
func TestDeclaredRoomIDs(t *testing.T) {
	s := serve(t, "ephemeral_chat {\nroom lounge Lounge\n}")
	made := s.Create(t, "roomId", "lounge", "id", "lounge", "username", "Anna")
	if made.Room == "lounge" {
		t.Error("createRoom uses the id of a declared room")
	}
	ben := s.Join(t, "lounge", "username", "Anna")
	if ben.User != "Anna" {
		t.Errorf("the first Anna in the room is %q", ben.User)
	}
	s.Post(t, "/joinRoom", apitest.Object(t, "roomId", "Lounge")).Refused(t, 404, "room_not_found")
	for _, id := range []string{"lounge:", "lounge:x", ":lounge"} {
		s.Post(t, "/joinRoom", apitest.Object(t, "roomId", id)).Refused(t, 404, "room_not_found")
		s.Post(t, "/roomInfo", apitest.Object(t, "roomId", id)).Refused(t, 404, "room_not_found")
	}
}

// TestDeclaredRoomSockets opens new instances of a room while connections to ended ones
// have not answered the close frame.
func TestDeclaredRoomSockets(t *testing.T) {
	t.Setenv("CHAT_DOOR", "open-sesame")
	t.Setenv("CHAT_CROWN", "open-barley")
	forEachStore(t, func(t *testing.T, store string) {
		s := serve(t, "ephemeral_chat {\n"+store+"\n"+lounge+"\n}")
		var stale []*connection
		var ended []apitest.Member
		for instance := range 3 {
			admin := s.Join(t, "lounge", "username", "Anna", "password", "open-barley")
			ben := s.Join(t, "lounge", "username", "Ben", "password", "open-sesame")
			if admin.User != "Anna" || ben.User != "Ben" {
				t.Errorf("instance %d: the names are %q and %q", instance, admin.User, ben.User)
			}
			a, b := s.connect(t, "", admin), s.connect(t, "", ben)
			a.echo(t, fmt.Sprint("hello in instance ", instance))
			if first := b.receive(t, "message"); first["seq"] != 1.0 || first["message"] != fmt.Sprint("hello in instance ", instance) {
				t.Errorf("instance %d begins with %v", instance, first)
			}
			for _, m := range ended {
				s.Post(t, "/joinRoom", m.As(t)).Refused(t, 401, "invalid_session")
				code, _ := s.refusedSocket(t, m)
				if code != 4401 && code != 4404 {
					t.Errorf("a session of an ended instance is refused with %d", code)
				}
			}
			s.Post(t, "/deleteRoom", admin.As(t)).OK(t)
			stale, ended = append(stale, a, b), append(ended, admin, ben)
		}
		for i, c := range stale {
			if reason := c.receive(t, "ended")["reason"]; reason != "deleted" {
				t.Errorf("connection %d: ended, %v", i, reason)
			}
			if code, reason := c.closed(t); code != 4410 || reason != "deleted" {
				t.Errorf("connection %d: closed with %d %s", i, code, reason)
			}
		}
	})
}

// TestDeclaredRoomReload changes the declaration of an open room.
func TestDeclaredRoomReload(t *testing.T) {
	forEachStore(t, func(t *testing.T, store string) {
		s := newSite(t)
		block := func(room string) string { return s.block("ephemeral_chat {\n" + store + "\n" + room + "\n}") }
		load(t, block("room lounge Before {\npassword tea\nadmin_password barley\n}"))
		admin := s.Join(t, "lounge", "password", "barley")
		c := s.connect(t, "", admin)
		for _, other := range []string{"room lounge After {\nttl 5m\n}", ""} {
			load(t, block(other))
			c.echo(t, "still here")
			answer := s.Post(t, "/joinRoom", apitest.Object(t, "roomId", "lounge", "password", "tea")).OK(t)
			if answer["roomName"] != "Before" || answer["ttl"] != 3600.0 || answer["startedAt"] == nil {
				t.Errorf("the instance continues as %v", answer)
			}
			s.Post(t, "/joinRoom", apitest.Object(t, "roomId", "lounge")).Refused(t, 403, "wrong_password")
		}
		load(t, block("room lounge After {\nttl 5m\n}"))
		s.Post(t, "/deleteRoom", admin.As(t)).OK(t)
		answer := s.Post(t, "/joinRoom", apitest.Object(t, "roomId", "lounge")).OK(t)
		if answer["roomName"] != "After" || answer["ttl"] != 300.0 || answer["startedAt"] != nil {
			t.Errorf("the next instance begins as %v", answer)
		}
	})
}

func TestDeclaredRoomMaxRooms(t *testing.T) {
	s := serve(t, "ephemeral_chat {\nmax_rooms 1\nroom lounge Lounge {\nadmin_password barley\n}\nroom attic Attic\n}")
	admin := s.Join(t, "lounge", "password", "barley")
	s.Post(t, "/joinRoom", apitest.Object(t, "roomId", "attic")).Refused(t, 503, "too_many_rooms")
	s.Post(t, "/createRoom", apitest.Object(t, "roomName", "x")).Refused(t, 503, "too_many_rooms")
	s.Join(t, "lounge")
	s.Post(t, "/deleteRoom", admin.As(t)).OK(t)
	s.Join(t, "attic")
}

// TestDeclaredRoomPasswordRate guesses the passwords of a room that is not open.
func TestDeclaredRoomPasswordRate(t *testing.T) {
	s := serve(t, "ephemeral_chat {\npassword_rate 3 1h\nroom lounge Lounge {\nadmin_password barley\n}\n}")
	for range 3 {
		s.Post(t, "/joinRoom", apitest.Object(t, "roomId", "lounge", "password", "rye")).Refused(t, 403, "wrong_password")
	}
	s.Post(t, "/joinRoom", apitest.Object(t, "roomId", "lounge", "password", "barley")).Refused(t, 429, "rate_limited")
	s.Join(t, "lounge")
}

// TestManyDeclaredRooms checks that loading a configuration hashes no passwords.
func TestManyDeclaredRooms(t *testing.T) {
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
	// The hashes would take more than ten seconds of a core.
	if took := time.Since(began); took > 5*time.Second {
		t.Errorf("loading 500 rooms with passwords takes %v", took)
	}
}
