package attack_test

import (
	"encoding/base64"
	"fmt"
	"maps"
	"net/http"
	"strings"
	"testing"

	"github.com/ephemeralchat/caddy-ephemeral-chat/e2e/harness"
)

// adminEndpoints are the endpoints for a room's admin only.
var adminEndpoints = []string{"/startChat", "/deleteRoom", "/removeMember", "/lockRoom"}

// TestAttackForgedSessions forges sessions from those of other users, rooms and roles, and
// from changed ones.
func TestAttackForgedSessions(t *testing.T) {
	harness.OnBothStores(t, harness.Unlimited, func(t *testing.T, s *harness.Site) {
		count := newAttacks(t)
		admin := s.API(0).Create(t, 600)
		ben := s.API(1).Join(t, admin.RoomID, "ben")
		elsewhere := s.API(0).Create(t, 600) // with the same name of its admin
		before := s.State(t, &admin)

		forged := make(map[string]string)
		change := func(what, session string, edit func(b []byte)) {
			b, err := base64.RawURLEncoding.DecodeString(session)
			if err != nil {
				t.Fatal(err)
			}
			edit(b)
			forged[what] = base64.RawURLEncoding.EncodeToString(b)
		}
		for bit := range 48 * 8 {
			change(fmt.Sprint("bit ", bit), admin.SessionID, func(b []byte) { b[bit/8] ^= 1 << (bit % 8) })
		}
		change("a member's, as an admin's", ben.SessionID, func(b []byte) { b[15] = 'a' })
		change("nothing but zeros", admin.SessionID, func(b []byte) { clear(b) })
		for n := range len(admin.SessionID) {
			forged[fmt.Sprint("cut at ", n)] = admin.SessionID[:n]
		}
		maps.Copy(forged, map[string]string{
			"another room's": elsewhere.SessionID, "another user's": ben.SessionID,
			"padded": admin.SessionID + "=", "padded twice": admin.SessionID + "==", "longer": admin.SessionID + "A", "twice": admin.SessionID + admin.SessionID,
			"a newline at its end": admin.SessionID + "\n", "a newline within": admin.SessionID[:32] + "\n" + admin.SessionID[32:],
			"a newline for a character": admin.SessionID[:32] + "\n" + admin.SessionID[33:], "a blank before": " " + admin.SessionID,
			"a NUL at its end": admin.SessionID + "\x00", "in quotes": `"` + admin.SessionID + `"`, "null": "null", "undefined": "undefined",
			"very long": strings.Repeat("A", 60_000), "the user's name": admin.UserID, "the room's id": admin.RoomID,
			"one more bit": admin.SessionID[:63] + string(nextInAlphabet(admin.SessionID[63])),
		})
		other := 0
		for what, session := range forged {
			thief := admin
			thief.SessionID = session
			other++
			count.refused(what, s.API(other).Call(t, "/lockRoom", thief.Credentials("locked", true)), 401, "invalid_session")
			if strings.HasPrefix(what, "bit ") && other%16 > 0 || strings.HasPrefix(what, "cut ") && other%8 > 0 {
				continue
			}
			count.refused(what+", coming back", s.API(other).Call(t, "/joinRoom", thief.Credentials()), 401, "invalid_session")
			k := harness.Dial(t, s.Base(other))
			k.Send(t, thief.Credentials("type", "join"))
			count.closed(what+", by WebSocket", k, 4401)
		}
		// The same bytes in standard base64 instead of base64url.
		for range 200 {
			again := s.API(0).Rejoin(t, &admin)
			standard := strings.NewReplacer("-", "+", "_", "/").Replace(again.SessionID)
			if standard == again.SessionID {
				continue
			}
			again.SessionID = standard
			count.refused("standard base64", s.API(1).Call(t, "/lockRoom", again.Credentials("locked", true)), 401, "invalid_session")
			break
		}
		s.ExpectUnchanged(t, before, &admin)
		s.ExpectNoErrors(t)
	})
}

// nextInAlphabet returns the character of base64url that differs in the last bit.
func nextInAlphabet(c byte) byte {
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	return alphabet[strings.IndexByte(alphabet, c)^1]
}

// TestAttackRoles calls the endpoints for admins as other users, on each node, and joins
// by a WebSocket with the same credentials.
func TestAttackRoles(t *testing.T) {
	harness.OnBothStores(t, harness.Unlimited, func(t *testing.T, s *harness.Site) {
		count := newAttacks(t)
		admin := s.API(0).Create(t, 600)
		victim := s.API(0).Join(t, admin.RoomID, "victim")
		ben, carla, dora := s.API(0).Join(t, admin.RoomID, "ben"), s.API(1).Join(t, admin.RoomID, "carla"), s.API(0).Join(t, admin.RoomID, "dora")
		elsewhere := s.API(1).Create(t, 600)
		stranger := harness.Member{RoomID: admin.RoomID, UserID: "stranger", SessionID: elsewhere.SessionID}
		otherAdmin := harness.Member{RoomID: admin.RoomID, UserID: elsewhere.UserID, SessionID: elsewhere.SessionID}
		asAdmin := ben
		asAdmin.UserID = admin.UserID
		s.API(1).Succeed(t, "/removeMember", admin.Credentials("memberId", "carla"))
		s.API(1).Succeed(t, "/leaveRoom", dora.Credentials())
		before := s.State(t, &admin)
		for _, attacker := range []struct {
			name   string
			m      harness.Member
			status int
			code   string
			closed int // 0: is welcome
		}{
			{"a member", ben, 403, "not_admin", 0},
			{"a member in the admin's name", asAdmin, 401, "invalid_session", 4401},
			{"a removed member", carla, 401, "invalid_session", 4403},
			{"a member who has left", dora, 401, "invalid_session", 4403},
			{"a stranger", stranger, 401, "invalid_session", 4401},
			{"the admin of another room", otherAdmin, 401, "invalid_session", 4401},
		} {
			for node := range 2 {
				for _, endpoint := range adminEndpoints {
					// The server ignores the role in a request.
					got := s.API(node).Call(t, endpoint, attacker.m.Credentials("memberId", "victim", "locked", true, "role", "admin", "admin", true))
					count.refused(attacker.name+" at "+endpoint, got, attacker.status, attacker.code)
				}
				if attacker.closed > 0 {
					k := harness.Dial(t, s.Base(node))
					k.Send(t, attacker.m.Credentials("type", "join", "role", "admin"))
					count.closed(attacker.name+" by WebSocket", k, attacker.closed)
				}
			}
		}
		s.ExpectUnchanged(t, before, &admin)
		harness.ExpectStatus(t, "the victim is out", s.API(0).Call(t, "/joinRoom", victim.Credentials()), http.StatusOK)
		s.ExpectNoErrors(t)
	})
}

// TestAttackReplays repeats requests that were valid: a join on a socket that has joined,
// the session of an open socket, and sessions of a room, or of an instance of a declared
// room, that has ended.
func TestAttackReplays(t *testing.T) {
	harness.OnBothStores(t, harness.Unlimited+"\n\t\troom lounge Lounge {\n\t\t\tadmin_password tea\n\t\t}", func(t *testing.T, s *harness.Site) {
		count := newAttacks(t)
		admin := s.API(0).Create(t, 600)
		ben := s.API(1).Join(t, admin.RoomID, "ben")
		owner, _ := harness.Join(t, s.Base(0), &admin)
		k, _ := harness.Join(t, s.Base(1), &ben)
		for what, frame := range map[string]harness.Fields{
			"one's own join": ben.Credentials("type", "join"), "the join of another": admin.Credentials("type", "join"),
		} {
			k.Send(t, frame)
			f := k.Await(t, "error")
			count.hold(f.Code == "unknown_type", "%s again: %+v", what, f)
		}
		// The socket determines the sender of a message, not the frame.
		k.Send(t, admin.Credentials("type", "message", "message", "hello", "role", "admin"))
		f := owner.AwaitText(t, "hello")
		count.hold(f.UserID == "ben", "ben publishes as %s", f.UserID)
		k.Send(t, admin.Credentials("type", "retract", "seq", 1, "epoch", "x"))

		// A second socket of the session replaces the first, on the other node.
		second, _ := harness.Join(t, s.Base(0), &ben)
		end := k.AwaitEnd()
		count.hold(end.Code == 4409, "two sockets of a session: %+v", end)
		second.Publish(t, "still one")
		owner.AwaitText(t, "still one")

		s.API(1).Succeed(t, "/deleteRoom", admin.Credentials())
		second.AwaitClose(t, 4410)
		for node := range 2 {
			for _, m := range []harness.Member{admin, ben} {
				for _, endpoint := range harness.Endpoints[1:] {
					got := s.API(node).Call(t, endpoint, m.Credentials("memberId", "ben", "locked", true))
					count.refused("after the end, "+endpoint, got, 404, "room_not_found")
				}
				k := harness.Dial(t, s.Base(node))
				k.Send(t, m.Credentials("type", "join"))
				count.closed("after the end", k, 4404)
			}
		}

		// The next instance of a declared room has a key of its own.
		first := s.API(0).JoinRoom(t, harness.Fields{"roomId": "lounge", "username": "anna", "password": "tea"})
		old, _ := harness.Join(t, s.Base(0), &first)
		s.API(0).Succeed(t, "/deleteRoom", first.Credentials())
		old.AwaitClose(t, 4410)
		next := s.API(1).JoinRoom(t, harness.Fields{"roomId": "lounge", "username": "anna", "password": "tea"})
		if next.UserID != first.UserID || next.Role != "admin" {
			t.Fatalf("in the next instance: %+v", next)
		}
		now, _ := harness.Join(t, s.Base(1), &next)
		for node := range 2 {
			for _, endpoint := range append(adminEndpoints, "/joinRoom", "/leaveRoom") {
				got := s.API(node).Call(t, endpoint, first.Credentials("memberId", "anna", "locked", true))
				count.refused("of an earlier instance, "+endpoint, got, 401, "invalid_session")
			}
			k := harness.Dial(t, s.Base(node))
			k.Send(t, first.Credentials("type", "join"))
			count.closed("of an earlier instance", k, 4401)
		}
		now.Publish(t, "alive")
		now.AwaitText(t, "alive")
		s.ExpectNoErrors(t)
	})
}

// TestAttackHistory requests the history as clients that are no members, and very often as
// a member.
func TestAttackHistory(t *testing.T) {
	harness.OnBothStores(t, harness.Unlimited, func(t *testing.T, s *harness.Site) {
		count := newAttacks(t)
		admin, elsewhere := s.API(0).Create(t, 600), s.API(0).Create(t, 600)
		owner, _ := harness.Join(t, s.Base(0), &admin)
		for n := range 300 {
			owner.Publish(t, fmt.Sprint("secret ", n))
		}
		owner.AwaitText(t, "secret 299")

		stranger := harness.Dial(t, s.Base(1))
		stranger.Send(t, harness.Fields{"type": "history", "roomId": admin.RoomID, "before": 100, "limit": 200})
		count.closed("a stranger asks", stranger, 4401)
		other, _ := harness.Join(t, s.Base(1), &elsewhere)
		other.Send(t, harness.Fields{"type": "history", "roomId": admin.RoomID, "before": 200, "limit": 200})
		f := other.Await(t, "history")
		count.hold(len(f.Messages) == 0, "of another room: %d messages", len(f.Messages))

		ben := s.API(1).Join(t, admin.RoomID, "ben")
		bens, _ := harness.Join(t, s.Base(1), &ben)
		for range 40 {
			bens.Send(t, harness.Fields{"type": "history", "before": 250, "limit": 200})
		}
		harness.Until(t, harness.WaitTime, "an answer to each", func() bool { return bens.Count("history")+bens.Count("error") == 40 })
		count.hold(bens.Count("history") <= 30, "%d answers at once", bens.Count("history"))
		if bens.Count("history") < 20 {
			t.Errorf("%d answers, of which 20 may be had at once", bens.Count("history"))
		}
		s.API(0).Succeed(t, "/removeMember", admin.Credentials("memberId", "ben"))
		_ = bens.Write(harness.Fields{"type": "history", "before": 250, "limit": 200}) // the connection may be closed already
		end := bens.AwaitEnd()
		count.hold(end.Code == 4403, "a removed member's socket: %+v", end)
		again := harness.Dial(t, s.Base(0))
		again.Send(t, ben.Credentials("type", "join", "after", 0))
		count.closed("a removed member comes back", again, 4403)
		s.ExpectNoErrors(t)
	})
}
