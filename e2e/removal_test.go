package e2e_test

import (
	"fmt"
	"testing"
	"time"
)

// TestRemoval is of members who are removed.
func TestRemoval(t *testing.T) {
	t.Parallel() // it waits most of the time
	onBoth(t, unlimited, func(t *testing.T, s *site) {
		admin := s.api(0).create(t, 600)
		watcher, _ := enter(t, s.base(0), &admin)
		ben := s.api(1).join(t, admin.RoomID, "ben")
		var tabs []member
		var sockets []*socket
		for i := range 4 {
			var tab member
			s.api(i).succeed(t, "/joinRoom", ben.credentials()).decode(t, &tab)
			k, _ := enter(t, s.base(i), &tab)
			tabs, sockets = append(tabs, tab), append(sockets, k)
		}
		watcher.await(t, "joined")
		s.api(0).succeed(t, "/removeMember", admin.credentials("memberId", "ben"))
		for _, k := range sockets {
			k.await(t, "removed")
			k.awaitClose(t, 4403)
		}
		if f := watcher.await(t, "left"); f.UserID != "ben" {
			t.Errorf("left: %+v", f)
		}
		for i, tab := range append(tabs, ben) {
			expectVoid(t, s, i, &tab)
		}
		expectRefusal(t, s.api(1).call(t, "/removeMember", admin.credentials("memberId", "ben")), 404, "member_not_found")

		// The name is not given to anybody else.
		other := s.api(1).join(t, admin.RoomID, "ben")
		if other.UserID == "ben" {
			t.Error("the name of a removed member is given out again")
		}

		// A locked room takes nobody new, but its members.
		s.api(1).succeed(t, "/lockRoom", admin.credentials("locked", true))
		if f := watcher.await(t, "locked"); !f.Locked {
			t.Errorf("locked: %+v", f)
		}
		for i := range 2 {
			expectRefusal(t, s.api(i).call(t, "/joinRoom", fields{"roomId": admin.RoomID, "username": "new"}), 403, "room_locked")
			s.api(i).succeed(t, "/joinRoom", other.credentials())
			expectVoid(t, s, i, &ben)
		}
		k, welcome := enter(t, s.base(1), &other)
		if !welcome.Room.Locked {
			t.Errorf("welcome: %+v", welcome.Room)
		}
		k.say(t, "behind locked doors")
		watcher.awaitText(t, "behind locked doors")

		// Who leaves, leaves for good.
		s.api(0).succeed(t, "/leaveRoom", other.credentials())
		k.await(t, "removed")
		k.awaitClose(t, 4403)
		expectVoid(t, s, 1, &other)
		s.noErrors(t)
	})
}

// expectVoid fails the test unless nothing can be done with a session.
func expectVoid(t *testing.T, s *site, i int, m *member) {
	t.Helper()
	for _, endpoint := range []string{"/joinRoom", "/leaveRoom", "/startChat"} {
		expectRefusal(t, s.api(i).call(t, endpoint, m.credentials()), 401, "invalid_session")
	}
	k := dial(t, s.base(i))
	k.send(t, m.credentials("type", "join"))
	if end := k.awaitClose(t, 4403); k.count("welcome") > 0 {
		t.Errorf("welcome before %+v", end)
	}
	query := fmt.Sprintf("?roomId=%s&userId=%s&sessionId=%s", m.RoomID, m.UserID, m.SessionID)
	_, got, err := openSocket(t.Context(), wsURL(s.base(i))+query, nil, nil)
	if err == nil || got == nil {
		t.Fatalf("by query: %v, %v", got, err)
	}
	expectRefusal(t, got, 401, "invalid_session")
}

// TestRemovalBehindOutage removes members while the node that they are
// connected to does not hear of it.
func TestRemovalBehindOutage(t *testing.T) {
	for name, how := range map[string]outage{"refused": refused, "silent": silent} {
		t.Run(name, func(t *testing.T) {
			t.Parallel() // it waits most of the time
			server := startRedis(t)
			link := startProxy(t, server.address)
			s := startSite(t, server, unlimited, server.address, link.address)
			admin := s.api(0).create(t, 600)
			watcher, _ := enter(t, s.base(0), &admin)
			ben, carla := s.api(0).join(t, admin.RoomID, "ben"), s.api(0).join(t, admin.RoomID, "carla")
			bens, _ := enter(t, s.base(1), &ben)
			carlas, _ := enter(t, s.base(1), &carla)
			bens.say(t, "hello")
			carlas.awaitText(t, "hello")

			link.set(how)
			s.api(0).succeed(t, "/removeMember", admin.credentials("memberId", "ben"))
			s.api(0).succeed(t, "/lockRoom", admin.credentials("locked", true))
			watcher.say(t, "while node 1 is deaf")

			// The node cannot know, but it lets nobody do anything either.
			got := s.api(1).call(t, "/joinRoom", ben.credentials())
			expectRefusal(t, got, 503, "unavailable")
			bens.send(t, fields{"type": "message", "message": "I am still here", "id": 1})
			if f := bens.await(t, "error"); f.Code != "unavailable" || f.ID != 1 {
				t.Errorf("the removed member's message: %+v", f)
			}
			again := dial(t, s.base(1))
			again.send(t, ben.credentials("type", "join"))
			again.awaitClose(t, 1013)
			if !bens.isOpen() || !carlas.isOpen() {
				t.Fatalf("closed by the outage: %+v, %+v", bens.ending(), carlas.ending())
			}

			link.set(noOutage)
			healed := time.Now()
			bens.await(t, "removed")
			t.Logf("told %s after the link was healed", bens.awaitClose(t, 4403).at.Sub(healed).Round(time.Millisecond))
			if f := carlas.await(t, "message"); f.Message != "while node 1 is deaf" || f.Seq != 2 {
				t.Errorf("after the outage: %+v", f)
			}
			if carlas.count("locked") != 1 {
				carlas.await(t, "locked")
			}
			carlas.say(t, "I can talk")
			watcher.awaitText(t, "I can talk")
			if n := watcher.count("message"); n != 3 {
				t.Errorf("%d messages, of which one is the removed member's", n)
			}
			for i := range 2 {
				expectVoid(t, s, i, &ben)
				expectRefusal(t, s.api(i).call(t, "/joinRoom", fields{"roomId": admin.RoomID, "username": "ben"}), 403, "room_locked")
			}
		})
	}
}

// TestSessionVoidBehindOutage is of a session that is shown for the first time
// after the outage, when nothing of the room was known to the node.
func TestSessionVoidBehindOutage(t *testing.T) {
	t.Parallel() // it waits most of the time
	server := startRedis(t)
	link := startProxy(t, server.address)
	s := startSite(t, server, unlimited, server.address, link.address)
	admin := s.api(0).create(t, 600)
	ben := s.api(0).join(t, admin.RoomID, "ben")
	link.set(refused)
	s.api(0).succeed(t, "/removeMember", admin.credentials("memberId", "ben"))
	expectRefusal(t, s.api(1).call(t, "/joinRoom", ben.credentials()), 503, "unavailable")
	link.set(noOutage)
	until(t, waitTime, "node 1 works again", func() bool {
		return s.api(1).call(t, "/roomInfo", fields{"roomId": admin.RoomID}).status == 200
	})
	expectVoid(t, s, 1, &ben)
}
