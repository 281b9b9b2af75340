package api_test

import (
	"fmt"
	"strconv"
	"strings"
	"testing"

	"github.com/ephemeralchat/caddy-ephemeral-chat/e2e/harness"
)

// TestLimits exceeds the limits of a site. Another site of the same Caddyfile has other
// limits, and neither affects the other.
func TestLimits(t *testing.T) {
	harness.OnBothBackends(t, func(t *testing.T, store string, server *harness.Redis) {
		tight, wide, full := harness.FreeAddress(t), harness.FreeAddress(t), harness.FreeAddress(t)
		harness.StartNode(t, "", fmt.Sprintf(`
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
		limited(t, harness.NewAPI(t, "http://"+tight), harness.NewAPI(t, "http://"+wide))
		if server == nil {
			tooManyRooms(t, harness.NewAPI(t, "http://"+full))
		}
	})
}

// limited exceeds one limit of tight after the other, before any other limit.
func limited(t *testing.T, tight, wide *harness.API) {
	// Longer than max_ttl here, but not there.
	harness.ExpectProblem(t, tight.Call(t, "/createRoom", harness.Fields{"roomName": "r", "ttl": 61}), 400, "invalid_request")
	wide.Succeed(t, "/createRoom", harness.Fields{"roomName": "r", "ttl": 61, "username": "a"})

	open := tight.CreateRoom(t, harness.Fields{"roomName": "r"})
	if open.TTL != 60 {
		t.Errorf("without a ttl a room has %d s", open.TTL)
	}
	guarded := tight.CreateRoom(t, harness.Fields{"roomName": "r", "password": "p", "username": "a"})
	tight.Succeed(t, "/createRoom", harness.Fields{"roomName": "r"})
	expectRateLimited(t, tight.Call(t, "/createRoom", harness.Fields{"roomName": "r"}))
	wide.Succeed(t, "/createRoom", harness.Fields{"roomName": "r"})

	for range 2 {
		harness.ExpectProblem(t, tight.Call(t, "/joinRoom", harness.Fields{"roomId": guarded.RoomID, "password": "x"}), 403, "wrong_password")
	}
	// The right password is refused too now, but not at another room, and members
	// rejoin.
	expectRateLimited(t, tight.Call(t, "/joinRoom", harness.Fields{"roomId": guarded.RoomID, "password": "p"}))
	tight.Succeed(t, "/joinRoom", guarded.Credentials())
	b := tight.Join(t, open.RoomID, "b")
	expectRateLimited(t, tight.Call(t, "/joinRoom", harness.Fields{"roomId": open.RoomID}))

	// A WebSocket does not count for join_rate. Two users fill the room; the third
	// member is refused.
	harness.Join(t, tight.Base, &open)
	harness.Join(t, tight.Base, &b)
	c := wide.Join(t, open.RoomID, "c")
	third := harness.Dial(t, tight.Base)
	third.Send(t, c.Credentials("type", "join"))
	third.AwaitClose(t, 4413)
	harness.Join(t, wide.Base, &c)
	harness.Join(t, tight.Base, &b) // a user that is online already
}

func expectRateLimited(t *testing.T, got *harness.Response) {
	t.Helper()
	harness.ExpectProblem(t, got, 429, "rate_limited")
	if seconds, err := strconv.Atoi(got.Header.Get("Retry-After")); err != nil || seconds < 1 || seconds > 60 {
		t.Errorf("Retry-After is %q", got.Header.Get("Retry-After"))
	}
}

func tooManyRooms(t *testing.T, a *harness.API) {
	admin := a.Create(t, 60)
	a.Create(t, 60)
	harness.ExpectProblem(t, a.Call(t, "/createRoom", harness.Fields{"roomName": "r"}), 503, "too_many_rooms")
	a.Succeed(t, "/deleteRoom", admin.Credentials())
	a.Create(t, 60)
}

// TestRoomFull fills a room, so that /joinRoom refuses others.
func TestRoomFull(t *testing.T) {
	t.Parallel() // mostly waits
	harness.OnBothStores(t, "max_members 2", func(t *testing.T, s *harness.Site) {
		admin := s.API(0).Create(t, 60)
		b := s.API(1).Join(t, admin.RoomID, "b")
		harness.Join(t, s.Base(0), &admin)
		socket, _ := harness.Join(t, s.Base(1), &b)
		harness.ExpectProblem(t, s.API(0).Call(t, "/joinRoom", harness.Fields{"roomId": admin.RoomID}), 409, "room_full")
		harness.ExpectProblem(t, s.API(1).Call(t, "/joinRoom", harness.Fields{"roomId": admin.RoomID}), 409, "room_full")
		s.API(0).Succeed(t, "/joinRoom", b.Credentials())
		socket.Close()
		// A user counts until 3 s after the end of its last connection.
		harness.Until(t, harness.WaitTime, "there is room again", func() bool {
			return s.API(0).Call(t, "/joinRoom", harness.Fields{"roomId": admin.RoomID}).Status == 200
		})
		s.ExpectNoErrors(t)
	})
}

// TestFrameLimits sends frames that the server refuses, or answers by closing.
func TestFrameLimits(t *testing.T) {
	harness.OnBothStores(t, "message_rate 5 1m", func(t *testing.T, s *harness.Site) {
		admin := s.API(0).Create(t, 60)
		k, _ := harness.Join(t, s.Base(1), &admin)
		refused := func(code string, frame harness.Fields) {
			t.Helper()
			id := uint64(0)
			if n, ok := frame["id"].(int); ok {
				id = uint64(n)
			}
			k.Send(t, frame)
			if f := k.Await(t, "error"); f.Code != code || f.ID != id {
				t.Errorf("%v is refused by %+v", frame, f)
			}
		}
		refused("unknown_type", harness.Fields{"type": "shout"})
		refused("unknown_type", harness.Fields{})
		refused("invalid_message", harness.Fields{"type": "message", "message": ""})
		refused("invalid_message", harness.Fields{"type": "message"})
		refused("invalid_frame", harness.Fields{"type": "message", "message": 1})
		refused("invalid_frame", harness.Fields{"type": "message", "message": "x", "id": 1.5})
		refused("invalid_frame", harness.Fields{"type": "history", "limit": 201})
		k.Send(t, harness.Fields{"type": "message", "message": strings.Repeat("ä", 2048), "id": 1}) // as long as may be
		if f := k.Await(t, "message"); f.Seq != 1 || len(f.Message) != 4096 {
			t.Errorf("message: %+v", f)
		}
		refused("message_too_long", harness.Fields{"type": "message", "message": strings.Repeat("ä", 2048) + "x", "id": 2})
		// Resent, it is refused again, not acknowledged.
		refused("message_too_long", harness.Fields{"type": "message", "message": strings.Repeat("ä", 2048) + "x", "id": 2})
		k.Send(t, harness.Fields{"type": "message", "message": "again", "id": 1})
		if f := k.AwaitFrame(t, "ack", func(f *harness.Frame) bool { return f.Type == "ack" || f.Type == "message" }); f.Type != "ack" || f.ID != 1 {
			t.Errorf("a message that had been stored: %+v", f)
		}
		k.Publish(t, "2")
		if f := k.Await(t, "message"); f.Seq != 2 {
			t.Errorf("message: %+v", f)
		}
		// Faster than allowed, and too often.
		for range 60 {
			if k.Write(harness.Fields{"type": "message", "message": "spam"}) != nil {
				break
			}
		}
		refusedFast, _ := k.Wait(harness.WaitTime, func(f *harness.Frame) bool { return f.Type == "error" && f.Code == "rate_limited" })
		if refusedFast.Type == "" {
			t.Error("no message is too fast")
		}
		k.AwaitClose(t, 4429)

		for name, c := range map[string]struct {
			joined bool
			kind   int
			data   string
			code   int
		}{
			"no JSON":                   {true, 1, "hello", 4400},
			"an array":                  {true, 1, "[]", 4400},
			"binary":                    {true, 2, "{}", 4400},
			"invalid UTF-8":             {true, 1, "{\"type\":\"message\",\"message\":\"\xff\"}", 1007},
			"too large":                 {true, 1, `{"type":"message","message":"` + strings.Repeat("x", 64<<10) + `"}`, 1009},
			"no JSON before a join":     {false, 1, "hello", 4400},
			"a message before a join":   {false, 1, `{"type":"message","message":"x"}`, 4401},
			"a join without a session":  {false, 1, fmt.Sprintf(`{"type":"join","roomId":%q}`, admin.RoomID), 4401},
			"a join to an unknown room": {false, 1, `{"type":"join","roomId":"AAAAAAAAAAAAAAAAAAAAAA","userId":"a","sessionId":"b"}`, 4404},
			"a join to an invalid id":   {false, 1, `{"type":"join","roomId":"../x","userId":"a","sessionId":"b"}`, 4404},
			"a join with a wrong field": {false, 1, `{"type":"join","roomId":1}`, 4400},
			"binary before a join":      {false, 2, "", 4400},
		} {
			t.Log(name)
			k := harness.Dial(t, s.Base(0))
			if c.joined {
				k, _ = harness.Join(t, s.Base(0), &admin)
			}
			k.SendRaw(t, c.kind, c.data)
			k.AwaitClose(t, c.code)
		}
		s.ExpectNoErrors(t)
	})
}
