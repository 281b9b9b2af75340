package e2e_test

import (
	"fmt"
	"strconv"
	"strings"
	"testing"
)

// TestLimits is of refusals that depend on what a site allows. Two sites of one
// Caddyfile have different limits, and nothing of the one is seen at the other.
func TestLimits(t *testing.T) {
	for _, kind := range []string{"memory", "redis"} {
		t.Run(kind, func(t *testing.T) {
			store, fewRooms := "store memory", "max_rooms 2"
			if kind == "redis" {
				store, fewRooms = "redis "+startRedis(t).address, ""
			}
			tight, wide, full := freeAddress(t), freeAddress(t), freeAddress(t)
			startNode(t, "", fmt.Sprintf(`
http://%s {
	ephemeral_chat {
		%s
		create_rate 4 1m
		join_rate 5 1m
		password_rate 2 1m
		max_members 2
		max_ttl 1m
	}
}
http://%s {
	ephemeral_chat {
		%s
	}
}
http://%s {
	ephemeral_chat {
		store memory full
		max_rooms 2
	}
}`, tight, store, wide, store, full), tight, wide, full)
			limited(t, newAPI(t, "http://"+tight), newAPI(t, "http://"+wide))
			if fewRooms != "" {
				tooManyRooms(t, newAPI(t, "http://"+full))
			}
		})
	}
}

// limited finds the limits of tight, at which others than the one that is
// looked for must not be met before.
func limited(t *testing.T, tight, wide *api) {
	// Longer than max_ttl here, but not there.
	expectRefusal(t, tight.call(t, "/createRoom", fields{"roomName": "r", "ttl": 61}), 400, "invalid_request")
	var long member
	wide.succeed(t, "/createRoom", fields{"roomName": "r", "ttl": 61, "username": "a"}).decode(t, &long)

	var open, guarded member
	tight.succeed(t, "/createRoom", fields{"roomName": "r"}).decode(t, &open)
	if open.TTL != 60 {
		t.Errorf("without a ttl a room lives for %d s", open.TTL)
	}
	tight.succeed(t, "/createRoom", fields{"roomName": "r", "password": "p", "username": "a"}).decode(t, &guarded)
	tight.succeed(t, "/createRoom", fields{"roomName": "r"})
	expectRateLimited(t, tight.call(t, "/createRoom", fields{"roomName": "r"}))
	wide.succeed(t, "/createRoom", fields{"roomName": "r"})

	for range 2 {
		expectRefusal(t, tight.call(t, "/joinRoom", fields{"roomId": guarded.RoomID, "password": "x"}), 403, "wrong_password")
	}
	// Also the right one now, until the time is up; but not at another room, and
	// not for who comes back.
	expectRateLimited(t, tight.call(t, "/joinRoom", fields{"roomId": guarded.RoomID, "password": "p"}))
	tight.succeed(t, "/joinRoom", guarded.credentials())
	b := tight.join(t, open.RoomID, "b")
	expectRateLimited(t, tight.call(t, "/joinRoom", fields{"roomId": open.RoomID}))

	// A socket is not charged to join_rate. Two users fill the room; a member who
	// comes third is refused, by the socket and by the endpoint.
	enter(t, tight.base, &open)
	enter(t, tight.base, &b)
	c := wide.join(t, open.RoomID, "c")
	third := dial(t, tight.base)
	third.send(t, c.credentials("type", "join"))
	third.awaitClose(t, 4413)
	enter(t, wide.base, &c)
	enter(t, tight.base, &b) // who is online already
}

func expectRateLimited(t *testing.T, got *answer) {
	t.Helper()
	expectRefusal(t, got, 429, "rate_limited")
	if seconds, err := strconv.Atoi(got.header.Get("Retry-After")); err != nil || seconds < 1 || seconds > 60 {
		t.Errorf("Retry-After is %q", got.header.Get("Retry-After"))
	}
}

func tooManyRooms(t *testing.T, a *api) {
	admin := a.create(t, 60)
	a.create(t, 60)
	expectRefusal(t, a.call(t, "/createRoom", fields{"roomName": "r"}), 503, "too_many_rooms")
	a.succeed(t, "/deleteRoom", admin.credentials())
	a.create(t, 60)
}

// TestRoomFull is of the endpoint's refusal.
func TestRoomFull(t *testing.T) {
	t.Parallel() // it waits most of the time
	onBoth(t, "max_members 2", func(t *testing.T, s *site) {
		admin := s.api(0).create(t, 60)
		b := s.api(1).join(t, admin.RoomID, "b")
		enter(t, s.base(0), &admin)
		socket, _ := enter(t, s.base(1), &b)
		expectRefusal(t, s.api(0).call(t, "/joinRoom", fields{"roomId": admin.RoomID}), 409, "room_full")
		expectRefusal(t, s.api(1).call(t, "/joinRoom", fields{"roomId": admin.RoomID}), 409, "room_full")
		s.api(0).succeed(t, "/joinRoom", b.credentials())
		socket.close()
		// 3 s after its last connection a user no longer counts.
		until(t, waitTime, "there is room again", func() bool {
			return s.api(0).call(t, "/joinRoom", fields{"roomId": admin.RoomID}).status == 200
		})
		s.noErrors(t)
	})
}

// TestFrameLimits is of frames that are refused.
func TestFrameLimits(t *testing.T) {
	onBoth(t, "message_rate 5 1m", func(t *testing.T, s *site) {
		admin := s.api(0).create(t, 60)
		k, _ := enter(t, s.base(1), &admin)
		refused := func(code string, frame fields) {
			t.Helper()
			id := uint64(0)
			if n, ok := frame["id"].(int); ok {
				id = uint64(n)
			}
			k.send(t, frame)
			if f := k.await(t, "error"); f.Code != code || f.ID != id {
				t.Errorf("%v is refused by %+v", frame, f)
			}
		}
		refused("unknown_type", fields{"type": "shout"})
		refused("unknown_type", fields{})
		refused("invalid_message", fields{"type": "message", "message": ""})
		refused("invalid_message", fields{"type": "message"})
		refused("invalid_frame", fields{"type": "message", "message": 1})
		refused("invalid_frame", fields{"type": "message", "message": "x", "id": 1.5})
		refused("invalid_frame", fields{"type": "history", "limit": 201})
		k.send(t, fields{"type": "message", "message": strings.Repeat("ä", 2048), "id": 1}) // as long as may be
		if f := k.await(t, "message"); f.Seq != 1 || len(f.Message) != 4096 {
			t.Errorf("message: %+v", f)
		}
		refused("message_too_long", fields{"type": "message", "message": strings.Repeat("ä", 2048) + "x", "id": 2})
		// Again: it is not acknowledged.
		refused("message_too_long", fields{"type": "message", "message": strings.Repeat("ä", 2048) + "x", "id": 2})
		k.send(t, fields{"type": "message", "message": "again", "id": 1})
		if f := k.awaitThat(t, "ack", func(f *frame) bool { return f.Type == "ack" || f.Type == "message" }); f.Type != "ack" || f.ID != 1 {
			t.Errorf("a message that had been stored: %+v", f)
		}
		k.say(t, "2")
		if f := k.await(t, "message"); f.Seq != 2 {
			t.Errorf("message: %+v", f)
		}
		// Faster than allowed, and too often.
		for range 60 {
			if k.write(fields{"type": "message", "message": "spam"}) != nil {
				break
			}
		}
		refusedFast, _ := k.expect(waitTime, func(f *frame) bool { return f.Type == "error" && f.Code == "rate_limited" })
		if refusedFast.Type == "" {
			t.Error("no message is too fast")
		}
		k.awaitClose(t, 4429)

		for name, c := range map[string]struct {
			kind int
			data string
			code int
		}{
			"no JSON":       {1, "hello", 4400},
			"an array":      {1, "[]", 4400},
			"binary":        {2, "{}", 4400},
			"invalid UTF-8": {1, "{\"type\":\"message\",\"message\":\"\xff\"}", 1007},
			"too large":     {1, `{"type":"message","message":"` + strings.Repeat("x", 64<<10) + `"}`, 1009},
		} {
			joined, _ := enter(t, s.base(0), &admin)
			if err := joined.conn.WriteMessage(c.kind, []byte(c.data)); err != nil {
				t.Fatal(err)
			}
			t.Log(name)
			joined.awaitClose(t, c.code)
		}
		for name, c := range map[string]struct {
			kind int
			data string
			code int
		}{
			"no JSON":        {1, "hello", 4400},
			"another type":   {1, `{"type":"message","message":"x"}`, 4401},
			"no session":     {1, fmt.Sprintf(`{"type":"join","roomId":%q}`, admin.RoomID), 4401},
			"unknown room":   {1, `{"type":"join","roomId":"AAAAAAAAAAAAAAAAAAAAAA","userId":"a","sessionId":"b"}`, 4404},
			"odd room":       {1, `{"type":"join","roomId":"../x","userId":"a","sessionId":"b"}`, 4404},
			"a wrong field":  {1, `{"type":"join","roomId":1}`, 4400},
			"not even a bit": {2, "", 4400},
		} {
			stranger := dial(t, s.base(0))
			if err := stranger.conn.WriteMessage(c.kind, []byte(c.data)); err != nil {
				t.Fatal(err)
			}
			t.Log(name)
			stranger.awaitClose(t, c.code)
		}
		s.noErrors(t)
	})
}
