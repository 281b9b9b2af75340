package rooms_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/ephemeralchat/caddy-ephemeral-chat/e2e/harness"
)

// TestRemoval removes a member with four sessions, and lets another member leave.
func TestRemoval(t *testing.T) {
	t.Parallel() // mostly waits
	harness.OnBothStores(t, harness.Unlimited, func(t *testing.T, s *harness.Site) {
		admin := s.API(0).Create(t, 600)
		watcher, _ := harness.Join(t, s.Base(0), &admin)
		ben := s.API(1).Join(t, admin.RoomID, "ben")
		var tabs []harness.Member
		var sockets []*harness.Socket
		for i := range 4 {
			tab := s.API(i).Rejoin(t, &ben)
			k, _ := harness.Join(t, s.Base(i), &tab)
			tabs, sockets = append(tabs, tab), append(sockets, k)
		}
		watcher.Await(t, "joined")
		s.API(0).Succeed(t, "/removeMember", admin.Credentials("memberId", "ben"))
		for _, k := range sockets {
			k.Await(t, "removed")
			k.AwaitClose(t, 4403)
		}
		if f := watcher.Await(t, "left"); f.UserID != "ben" {
			t.Errorf("left: %+v", f)
		}
		for i, tab := range append(tabs, ben) {
			expectInvalidSession(t, s, i, &tab)
		}
		harness.ExpectProblem(t, s.API(1).Call(t, "/removeMember", admin.Credentials("memberId", "ben")), 404, "member_not_found")

		// No other member gets the name.
		other := s.API(1).Join(t, admin.RoomID, "ben")
		if other.UserID == "ben" {
			t.Error("the name of a removed member is given out again")
		}

		// Members rejoin a locked room, others do not join.
		s.API(1).Succeed(t, "/lockRoom", admin.Credentials("locked", true))
		if f := watcher.Await(t, "locked"); !f.Locked {
			t.Errorf("locked: %+v", f)
		}
		for i := range 2 {
			harness.ExpectProblem(t, s.API(i).Call(t, "/joinRoom", harness.Fields{"roomId": admin.RoomID, "username": "new"}), 403, "room_locked")
			s.API(i).Succeed(t, "/joinRoom", other.Credentials())
			expectInvalidSession(t, s, i, &ben)
		}
		k, welcome := harness.Join(t, s.Base(1), &other)
		if !welcome.Room.Locked {
			t.Errorf("welcome: %+v", welcome.Room)
		}
		k.Publish(t, "behind locked doors")
		watcher.AwaitText(t, "behind locked doors")

		// A member that leaves cannot rejoin.
		s.API(0).Succeed(t, "/leaveRoom", other.Credentials())
		k.Await(t, "removed")
		k.AwaitClose(t, 4403)
		expectInvalidSession(t, s, 1, &other)
		s.ExpectNoErrors(t)
	})
}

// expectInvalidSession fails the test unless a session is refused everywhere.
func expectInvalidSession(t *testing.T, s *harness.Site, i int, m *harness.Member) {
	t.Helper()
	for _, endpoint := range []string{"/joinRoom", "/leaveRoom", "/startChat"} {
		harness.ExpectProblem(t, s.API(i).Call(t, endpoint, m.Credentials()), 401, "invalid_session")
	}
	k := harness.Dial(t, s.Base(i))
	k.Send(t, m.Credentials("type", "join"))
	if end := k.AwaitClose(t, 4403); k.Count("welcome") > 0 {
		t.Errorf("welcome before %+v", end)
	}
	query := fmt.Sprintf("?roomId=%s&userId=%s&sessionId=%s", m.RoomID, m.UserID, m.SessionID)
	harness.ExpectRefused(t, harness.WebSocketURL(s.Base(i))+query, nil, 401, "invalid_session")
}

// TestRemovalBehindOutage removes a member whose node is cut off from Redis.
func TestRemovalBehindOutage(t *testing.T) {
	harness.BehindOutage(t, func(t *testing.T, s *harness.Site, proxy *harness.Proxy, outage harness.Outage) {
		admin := s.API(0).Create(t, 600)
		watcher, _ := harness.Join(t, s.Base(0), &admin)
		ben, carla := s.API(0).Join(t, admin.RoomID, "ben"), s.API(0).Join(t, admin.RoomID, "carla")
		bens, _ := harness.Join(t, s.Base(1), &ben)
		carlas, _ := harness.Join(t, s.Base(1), &carla)
		bens.Publish(t, "hello")
		carlas.AwaitText(t, "hello")

		proxy.Set(outage)
		s.API(0).Succeed(t, "/removeMember", admin.Credentials("memberId", "ben"))
		s.API(0).Succeed(t, "/lockRoom", admin.Credentials("locked", true))
		watcher.Publish(t, "while node 1 is cut off")

		// The node cannot know of the removal, but refuses every change.
		got := s.API(1).Call(t, "/joinRoom", ben.Credentials())
		harness.ExpectProblem(t, got, 503, "unavailable")
		bens.Send(t, harness.Fields{"type": "message", "message": "I am still here", "id": 1})
		if f := bens.Await(t, "error"); f.Code != "unavailable" || f.ID != 1 {
			t.Errorf("the removed member's message: %+v", f)
		}
		again := harness.Dial(t, s.Base(1))
		again.Send(t, ben.Credentials("type", "join"))
		again.AwaitClose(t, 1013)
		if !bens.IsOpen() || !carlas.IsOpen() {
			t.Fatalf("closed by the outage: %+v, %+v", bens.Closing(), carlas.Closing())
		}

		proxy.Set(harness.NoOutage)
		healed := time.Now()
		bens.Await(t, "removed")
		t.Logf("closed %s after the end of the outage", bens.AwaitClose(t, 4403).At.Sub(healed).Round(time.Millisecond))
		if f := carlas.Await(t, "message"); f.Message != "while node 1 is cut off" || f.Seq != 2 {
			t.Errorf("after the outage: %+v", f)
		}
		if carlas.Count("locked") != 1 {
			carlas.Await(t, "locked")
		}
		carlas.Publish(t, "I can publish")
		watcher.AwaitText(t, "I can publish")
		if n := watcher.Count("message"); n != 3 {
			t.Errorf("%d messages, of which one is the removed member's", n)
		}
		for i := range 2 {
			expectInvalidSession(t, s, i, &ben)
			harness.ExpectProblem(t, s.API(i).Call(t, "/joinRoom", harness.Fields{"roomId": admin.RoomID, "username": "ben"}), 403, "room_locked")
		}
	})
}

// TestInvalidSessionBehindOutage removes a member during an outage of a node that knows
// nothing of the room. The node refuses the session afterwards.
func TestInvalidSessionBehindOutage(t *testing.T) {
	t.Parallel() // mostly waits
	server := harness.StartRedis(t)
	proxy := harness.StartProxy(t, server.Addr())
	s := harness.StartSite(t, server, harness.Unlimited, server.Addr(), proxy.Addr())
	admin := s.API(0).Create(t, 600)
	ben := s.API(0).Join(t, admin.RoomID, "ben")
	proxy.Set(harness.Refused)
	s.API(0).Succeed(t, "/removeMember", admin.Credentials("memberId", "ben"))
	harness.ExpectProblem(t, s.API(1).Call(t, "/joinRoom", ben.Credentials()), 503, "unavailable")
	proxy.Set(harness.NoOutage)
	harness.Until(t, harness.WaitTime, "node 1 works again", func() bool {
		return s.API(1).Call(t, "/roomInfo", harness.Fields{"roomId": admin.RoomID}).Status == 200
	})
	expectInvalidSession(t, s, 1, &ben)
}
