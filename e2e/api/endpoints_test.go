package api_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/ephemeralchat/caddy-ephemeral-chat/e2e/harness"
)

func TestEndpoints(t *testing.T) {
	harness.OnBothStores(t, harness.Unlimited, func(t *testing.T, s *harness.Site) {
		t.Run("valid requests", func(t *testing.T) { validRequests(t, s) })
		t.Run("refusals", func(t *testing.T) { refusals(t, s) })
		t.Run("bad requests", func(t *testing.T) { badRequests(t, s) })
		t.Run("other origins", func(t *testing.T) { otherOrigins(t, s) })
		t.Run("names", func(t *testing.T) { names(t, s) })
		s.ExpectNoErrors(t)
	})
}

// validRequests calls every endpoint as documented, on alternating nodes.
func validRequests(t *testing.T, s *harness.Site) {
	var admin harness.Member
	got := s.API(0).Succeed(t, "/createRoom", harness.Fields{
		"roomName": "  Stand up  ", "username": "anna", "password": "secret words", "ttl": "2m", "unknown": true,
	})
	got.Decode(t, &admin)
	if admin.RoomName != "Stand up" || admin.UserID != "anna" || admin.Role != "admin" || admin.TTL != 120 ||
		len(admin.RoomID) != 22 || admin.SessionID == "" || admin.StartedAt != nil || admin.ExpiresAt != nil {
		t.Errorf("created: %s", got.Body)
	}
	for _, name := range []string{"startedAt", "expiresAt"} {
		if value, ok := got.Fields[name]; !ok || value != nil {
			t.Errorf("%s is not null: %s", name, got.Body)
		}
	}
	if h := got.Header; h.Get("Cache-Control") != "no-store" || h.Get("Content-Type") != "application/json" {
		t.Errorf("header: %v", h)
	}

	info := s.API(1).Succeed(t, "/roomInfo", harness.Fields{"roomId": admin.RoomID})
	expectBody(t, info, `{"passwordRequired":true,"locked":false,"startedAt":null,"expiresAt":null}`)

	var ben harness.Member
	got = s.API(1).Succeed(t, "/joinRoom", harness.Fields{"roomId": admin.RoomID, "password": "secret words", "username": "ben"})
	got.Decode(t, &ben)
	if ben.RoomID != admin.RoomID || ben.RoomName != "Stand up" || ben.UserID != "ben" || ben.Role != "member" || ben.TTL != 120 {
		t.Errorf("joined: %s", got.Body)
	}

	// Members rejoin without the password, and get a new session each time.
	for _, m := range []harness.Member{admin, ben} {
		again := s.API(1).Rejoin(t, &m)
		if again.UserID != m.UserID || again.Role != m.Role || again.SessionID == m.SessionID {
			t.Errorf("back as %+v: %+v", m, again)
		}
	}

	started := s.API(1).Succeed(t, "/startChat", admin.Credentials())
	from, ok1 := started.Fields["startedAt"].(string)
	to, ok2 := started.Fields["expiresAt"].(string)
	if !ok1 || !ok2 {
		t.Fatalf("started: %s", started.Body)
	}
	if ttl := harness.ParseTime(t, to).Sub(harness.ParseTime(t, from)); ttl.Seconds() != 120 {
		t.Errorf("the room has %s", ttl)
	}
	expectBody(t, s.API(0).Succeed(t, "/startChat", admin.Credentials()), string(started.Body))
	expectBody(t, s.API(1).Succeed(t, "/roomInfo", harness.Fields{"roomId": admin.RoomID}),
		fmt.Sprintf(`{"passwordRequired":true,"locked":false,"startedAt":%q,"expiresAt":%q}`, from, to))

	expectBody(t, s.API(0).Succeed(t, "/lockRoom", admin.Credentials("locked", true)), `{}`)
	harness.ExpectProblem(t, s.API(1).Call(t, "/joinRoom", harness.Fields{"roomId": admin.RoomID, "password": "secret words"}), 403, "room_locked")
	s.API(1).Succeed(t, "/joinRoom", ben.Credentials())
	expectBody(t, s.API(1).Succeed(t, "/lockRoom", admin.Credentials("locked", false)), `{}`)

	carla := s.API(0).JoinRoom(t, harness.Fields{"roomId": admin.RoomID, "password": "secret words", "username": "carla"})
	expectBody(t, s.API(0).Succeed(t, "/leaveRoom", carla.Credentials()), `{}`)
	harness.ExpectProblem(t, s.API(1).Call(t, "/joinRoom", carla.Credentials()), 401, "invalid_session")
	expectBody(t, s.API(1).Succeed(t, "/removeMember", admin.Credentials("memberId", "ben")), `{}`)
	harness.ExpectProblem(t, s.API(0).Call(t, "/joinRoom", ben.Credentials()), 401, "invalid_session")
	harness.ExpectProblem(t, s.API(0).Call(t, "/leaveRoom", ben.Credentials()), 401, "invalid_session")

	expectBody(t, s.API(0).Succeed(t, "/deleteRoom", admin.Credentials()), `{}`)
	for i := range 2 {
		harness.ExpectNoRoom(t, s.API(i), &admin)
	}
	if s.Redis != nil {
		// The id of the room stays in the list of the lobby, in a key of another name.
		for key := range s.Redis.Contents(t, admin.RoomID) {
			t.Errorf("left: %s", key)
		}
	}
}

func expectBody(t *testing.T, got *harness.Response, body string) {
	t.Helper()
	if string(got.Body) != body {
		t.Errorf("body is %s, not %s", got.Body, body)
	}
}

// refusals sends requests that are well formed and refused.
func refusals(t *testing.T, s *harness.Site) {
	a := s.API(0)
	admin := a.CreateRoom(t, harness.Fields{"roomName": "r", "username": "anna"})
	guarded := a.CreateRoom(t, harness.Fields{"roomName": "r", "username": "anna", "password": "p"})
	ben := a.Join(t, admin.RoomID, "ben")
	forged := admin
	forged.SessionID = guarded.SessionID
	promoted := ben
	promoted.UserID = admin.UserID
	odd := []string{"", "a/b", "../x", "a b", "ä", strings.Repeat("a", 65), "*", "{x}", "room:" + admin.RoomID, admin.RoomID + "\x00"}

	before := s.State(t, &admin)
	a = s.API(1)
	for _, endpoint := range harness.Endpoints[1:] {
		for _, roomID := range append(odd, "AAAAAAAAAAAAAAAAAAAAAA", strings.Repeat("a", 64)) {
			lost := admin
			lost.RoomID = roomID
			harness.ExpectProblem(t, a.Call(t, endpoint, lost.Credentials("memberId", "ben", "locked", true)), 404, "room_not_found")
		}
	}
	for _, endpoint := range []string{"/joinRoom", "/startChat", "/deleteRoom", "/removeMember", "/lockRoom", "/leaveRoom"} {
		for _, m := range []harness.Member{forged, promoted} {
			harness.ExpectProblem(t, a.Call(t, endpoint, m.Credentials("memberId", "ben", "locked", true)), 401, "invalid_session")
		}
	}
	for _, endpoint := range []string{"/startChat", "/deleteRoom", "/removeMember", "/lockRoom"} {
		harness.ExpectProblem(t, a.Call(t, endpoint, ben.Credentials("memberId", "anna", "locked", true)), 403, "not_admin")
	}
	harness.ExpectProblem(t, a.Call(t, "/removeMember", admin.Credentials("memberId", "nobody")), 404, "member_not_found")
	harness.ExpectProblem(t, a.Call(t, "/removeMember", admin.Credentials("memberId", "anna")), 400, "invalid_request")
	for _, password := range []string{"", "P", "p ", "pp"} {
		harness.ExpectProblem(t, a.Call(t, "/joinRoom", harness.Fields{"roomId": guarded.RoomID, "password": password}), 403, "wrong_password")
	}
	harness.ExpectProblem(t, a.Call(t, "/joinRoom", harness.Fields{"roomId": guarded.RoomID}), 403, "wrong_password")
	s.ExpectUnchanged(t, before, &admin)
}

// names checks that a room gives a name to one member only.
func names(t *testing.T, s *harness.Site) {
	admin := s.API(0).Create(t, 60)
	given := map[string]bool{admin.UserID: true}
	for i := range 6 {
		m := s.API(i).Join(t, admin.RoomID, "  Zo\u0065\u0308 ")
		if !strings.HasPrefix(m.UserID, "Zo\u00eb") || given[m.UserID] || m.UserID == m.SessionID {
			t.Errorf("%q is called %q", "Zoë", m.UserID)
		}
		given[m.UserID] = true
		s.API(i+1).Succeed(t, "/leaveRoom", m.Credentials())
	}
	nameless := s.API(0).JoinRoom(t, harness.Fields{"roomId": admin.RoomID, "username": ""})
	if len(nameless.UserID) != 36 {
		t.Errorf("without a name: %q", nameless.UserID)
	}
}
