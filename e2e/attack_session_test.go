package e2e_test

import (
	"encoding/base64"
	"fmt"
	"maps"
	"net/http"
	"strings"
	"testing"
)

// adminEndpoints are those of a room's admin.
var adminEndpoints = []string{"/startChat", "/deleteRoom", "/removeMember", "/lockRoom"}

// TestAttackForgedSessions makes sessions of what an attacker has: sessions of other
// users, rooms and roles, and of his own, changed.
func TestAttackForgedSessions(t *testing.T) {
	onBoth(t, unlimited, func(t *testing.T, s *site) {
		count := newAttacks(t)
		admin := s.api(0).create(t, 600)
		ben := s.api(1).join(t, admin.RoomID, "ben")
		elsewhere := s.api(0).create(t, 600) // of the same name, admin
		before := s.fingerprint(t, &admin)

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
			count.refused(what, s.api(other).call(t, "/lockRoom", thief.credentials("locked", true)), 401, "invalid_session")
			if strings.HasPrefix(what, "bit ") && other%16 > 0 || strings.HasPrefix(what, "cut ") && other%8 > 0 {
				continue
			}
			count.refused(what+", coming back", s.api(other).call(t, "/joinRoom", thief.credentials()), 401, "invalid_session")
			k := dial(t, s.base(other))
			k.send(t, thief.credentials("type", "join"))
			count.closed(what+", by WebSocket", k, 4401)
		}
		// The same bytes, in the alphabet of base64 that is not for URLs.
		for range 200 {
			var again member
			s.api(0).succeed(t, "/joinRoom", admin.credentials()).decode(t, &again)
			standard := strings.NewReplacer("-", "+", "_", "/").Replace(again.SessionID)
			if standard == again.SessionID {
				continue
			}
			again.SessionID = standard
			count.refused("standard base64", s.api(1).call(t, "/lockRoom", again.credentials("locked", true)), 401, "invalid_session")
			break
		}
		s.expectUnchanged(t, before, &admin)
		s.noErrors(t)
	})
}

// nextInAlphabet is the character of base64 that differs in the last bit.
func nextInAlphabet(c byte) byte {
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	return alphabet[strings.IndexByte(alphabet, c)^1]
}

// TestAttackRoles has everybody but the admin do what only the admin may, on each
// node, by requests and, with the same credentials, by a WebSocket.
func TestAttackRoles(t *testing.T) {
	onBoth(t, unlimited, func(t *testing.T, s *site) {
		count := newAttacks(t)
		admin := s.api(0).create(t, 600)
		victim := s.api(0).join(t, admin.RoomID, "victim")
		ben, carla, dora := s.api(0).join(t, admin.RoomID, "ben"), s.api(1).join(t, admin.RoomID, "carla"), s.api(0).join(t, admin.RoomID, "dora")
		elsewhere := s.api(1).create(t, 600)
		stranger := member{RoomID: admin.RoomID, UserID: "stranger", SessionID: elsewhere.SessionID}
		otherAdmin := member{RoomID: admin.RoomID, UserID: elsewhere.UserID, SessionID: elsewhere.SessionID}
		asAdmin := ben
		asAdmin.UserID = admin.UserID
		s.api(1).succeed(t, "/removeMember", admin.credentials("memberId", "carla"))
		s.api(1).succeed(t, "/leaveRoom", dora.credentials())
		before := s.fingerprint(t, &admin)
		for _, attacker := range []struct {
			who    string
			m      member
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
					// What one says of one's role is not heard.
					got := s.api(node).call(t, endpoint, attacker.m.credentials("memberId", "victim", "locked", true, "role", "admin", "admin", true))
					count.refused(attacker.who+" at "+endpoint, got, attacker.status, attacker.code)
				}
				if attacker.closed > 0 {
					k := dial(t, s.base(node))
					k.send(t, attacker.m.credentials("type", "join", "role", "admin"))
					count.closed(attacker.who+" by WebSocket", k, attacker.closed)
				}
			}
		}
		s.expectUnchanged(t, before, &admin)
		if got := s.api(0).call(t, "/joinRoom", victim.credentials()); got.status != http.StatusOK {
			t.Errorf("the victim is out: %d %s", got.status, got.body)
		}
		s.noErrors(t)
	})
}

// TestAttackReplays says again what was good once: a join on a socket that has joined,
// the session of a socket that is open, and sessions whose room, or whose life of a
// standing room, is over.
func TestAttackReplays(t *testing.T) {
	onBoth(t, unlimited+"\n\t\troom lounge Lounge {\n\t\t\tadmin_password tea\n\t\t}", func(t *testing.T, s *site) {
		count := newAttacks(t)
		admin := s.api(0).create(t, 600)
		ben := s.api(1).join(t, admin.RoomID, "ben")
		owner, _ := enter(t, s.base(0), &admin)
		k, _ := enter(t, s.base(1), &ben)
		for what, frame := range map[string]fields{
			"one's own join": ben.credentials("type", "join"), "the join of another": admin.credentials("type", "join"),
		} {
			k.send(t, frame)
			f := k.await(t, "error")
			count.hold(f.Code == "unknown_type", "%s again: %+v", what, f)
		}
		// Of whom a message is, the socket says and not the frame.
		k.send(t, admin.credentials("type", "message", "message", "hello", "role", "admin"))
		f := owner.awaitText(t, "hello")
		count.hold(f.UserID == "ben", "ben speaks as %s", f.UserID)
		k.send(t, admin.credentials("type", "retract", "seq", 1, "epoch", "x"))

		// A second socket of the session takes the place of the first, on the other node.
		second, _ := enter(t, s.base(0), &ben)
		k.awaitEnd()
		count.hold(k.ending().code == 4409, "two sockets of a session: %+v", k.ending())
		second.say(t, "still one")
		owner.awaitText(t, "still one")

		s.api(1).succeed(t, "/deleteRoom", admin.credentials())
		second.awaitClose(t, 4410)
		for node := range 2 {
			for _, m := range []member{admin, ben} {
				for _, endpoint := range endpointNames[1:] {
					got := s.api(node).call(t, endpoint, m.credentials("memberId", "ben", "locked", true))
					count.refused("after the end, "+endpoint, got, 404, "room_not_found")
				}
				k := dial(t, s.base(node))
				k.send(t, m.credentials("type", "join"))
				count.closed("after the end", k, 4404)
			}
		}

		// The next life of a standing room has a key of its own.
		var first, next member
		s.api(0).succeed(t, "/joinRoom", fields{"roomId": "lounge", "username": "anna", "password": "tea"}).decode(t, &first)
		old, _ := enter(t, s.base(0), &first)
		s.api(0).succeed(t, "/deleteRoom", first.credentials())
		old.awaitClose(t, 4410)
		s.api(1).succeed(t, "/joinRoom", fields{"roomId": "lounge", "username": "anna", "password": "tea"}).decode(t, &next)
		if next.UserID != first.UserID || next.Role != "admin" {
			t.Fatalf("in the next life: %+v", next)
		}
		now, _ := enter(t, s.base(1), &next)
		for node := range 2 {
			for _, endpoint := range append(adminEndpoints, "/joinRoom", "/leaveRoom") {
				got := s.api(node).call(t, endpoint, first.credentials("memberId", "anna", "locked", true))
				count.refused("of an earlier life, "+endpoint, got, 401, "invalid_session")
			}
			k := dial(t, s.base(node))
			k.send(t, first.credentials("type", "join"))
			count.closed("of an earlier life", k, 4401)
		}
		now.say(t, "alive")
		now.awaitText(t, "alive")
		s.noErrors(t)
	})
}

// TestAttackHistory has those who are no members ask for what was said, and a member
// ask for all of it at once.
func TestAttackHistory(t *testing.T) {
	onBoth(t, unlimited, func(t *testing.T, s *site) {
		count := newAttacks(t)
		admin, elsewhere := s.api(0).create(t, 600), s.api(0).create(t, 600)
		owner, _ := enter(t, s.base(0), &admin)
		for n := range 300 {
			owner.say(t, fmt.Sprint("secret ", n))
		}
		owner.awaitText(t, "secret 299")

		stranger := dial(t, s.base(1))
		stranger.send(t, fields{"type": "history", "roomId": admin.RoomID, "before": 100, "limit": 200})
		count.closed("a stranger asks", stranger, 4401)
		other, _ := enter(t, s.base(1), &elsewhere)
		other.send(t, fields{"type": "history", "roomId": admin.RoomID, "before": 200, "limit": 200})
		f := other.await(t, "history")
		count.hold(len(f.Messages) == 0, "of another room: %d messages", len(f.Messages))

		ben := s.api(1).join(t, admin.RoomID, "ben")
		bens, _ := enter(t, s.base(1), &ben)
		for range 40 {
			bens.send(t, fields{"type": "history", "before": 250, "limit": 200})
		}
		until(t, waitTime, "an answer to each", func() bool { return bens.count("history")+bens.count("error") == 40 })
		count.hold(bens.count("history") <= 30, "%d answers at once", bens.count("history"))
		if bens.count("history") < 20 {
			t.Errorf("%d answers, of which 20 may be had at once", bens.count("history"))
		}
		s.api(0).succeed(t, "/removeMember", admin.credentials("memberId", "ben"))
		_ = bens.write(fields{"type": "history", "before": 250, "limit": 200}) // it may be closed already
		bens.awaitEnd()
		count.hold(bens.ending().code == 4403, "a removed member's socket: %+v", bens.ending())
		again := dial(t, s.base(0))
		again.send(t, ben.credentials("type", "join", "after", 0))
		count.closed("a removed member comes back", again, 4403)
		s.noErrors(t)
	})
}
