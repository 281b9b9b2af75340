package e2e_test

import (
	"fmt"
	"maps"
	"strings"
	"testing"
)

// endpointNames are all that take POST.
var endpointNames = []string{
	"/createRoom", "/joinRoom", "/startChat", "/deleteRoom", "/removeMember", "/lockRoom", "/leaveRoom", "/roomInfo",
}

func TestEndpoints(t *testing.T) {
	onBoth(t, unlimited, func(t *testing.T, s *site) {
		t.Run("life of a room", func(t *testing.T) { lifeOfARoom(t, s) })
		t.Run("refusals", func(t *testing.T) { refusals(t, s) })
		t.Run("bad requests", func(t *testing.T) { badRequests(t, s) })
		t.Run("other origins", func(t *testing.T) { otherOrigins(t, s) })
		t.Run("names", func(t *testing.T) { names(t, s) })
		s.noErrors(t)
	})
}

// lifeOfARoom calls every endpoint as it is meant, on alternating nodes.
func lifeOfARoom(t *testing.T, s *site) {
	var admin member
	got := s.api(0).succeed(t, "/createRoom", fields{
		"roomName": "  Stand up  ", "username": "anna", "password": "secret words", "ttl": "2m", "unknown": true,
	})
	got.decode(t, &admin)
	if admin.RoomName != "Stand up" || admin.UserID != "anna" || admin.Role != "admin" || admin.TTL != 120 ||
		len(admin.RoomID) != 22 || admin.SessionID == "" || admin.StartedAt != nil || admin.ExpiresAt != nil {
		t.Errorf("created: %s", got.body)
	}
	for _, name := range []string{"startedAt", "expiresAt"} {
		if value, ok := got.fields[name]; !ok || value != nil {
			t.Errorf("%s is not null: %s", name, got.body)
		}
	}
	if h := got.header; h.Get("Cache-Control") != "no-store" || h.Get("Content-Type") != "application/json" {
		t.Errorf("header: %v", h)
	}

	info := s.api(1).succeed(t, "/roomInfo", fields{"roomId": admin.RoomID})
	expectBody(t, info, `{"passwordRequired":true,"locked":false,"startedAt":null,"expiresAt":null}`)

	var ben member
	got = s.api(1).succeed(t, "/joinRoom", fields{"roomId": admin.RoomID, "password": "secret words", "username": "ben"})
	got.decode(t, &ben)
	if ben.RoomID != admin.RoomID || ben.RoomName != "Stand up" || ben.UserID != "ben" || ben.Role != "member" || ben.TTL != 120 {
		t.Errorf("joined: %s", got.body)
	}

	// Back as oneself, without the password, under a new session each time.
	for _, m := range []member{admin, ben} {
		var again member
		s.api(1).succeed(t, "/joinRoom", m.credentials()).decode(t, &again)
		if again.UserID != m.UserID || again.Role != m.Role || again.SessionID == m.SessionID {
			t.Errorf("back as %+v: %+v", m, again)
		}
	}

	started := s.api(1).succeed(t, "/startChat", admin.credentials())
	from, ok1 := started.fields["startedAt"].(string)
	to, ok2 := started.fields["expiresAt"].(string)
	if !ok1 || !ok2 {
		t.Fatalf("started: %s", started.body)
	}
	if life := parseTime(t, to).Sub(parseTime(t, from)); life.Seconds() != 120 {
		t.Errorf("lives for %s", life)
	}
	expectBody(t, s.api(0).succeed(t, "/startChat", admin.credentials()), string(started.body))
	expectBody(t, s.api(1).succeed(t, "/roomInfo", fields{"roomId": admin.RoomID}),
		fmt.Sprintf(`{"passwordRequired":true,"locked":false,"startedAt":%q,"expiresAt":%q}`, from, to))

	expectBody(t, s.api(0).succeed(t, "/lockRoom", admin.credentials("locked", true)), `{}`)
	expectRefusal(t, s.api(1).call(t, "/joinRoom", fields{"roomId": admin.RoomID, "password": "secret words"}), 403, "room_locked")
	s.api(1).succeed(t, "/joinRoom", ben.credentials())
	expectBody(t, s.api(1).succeed(t, "/lockRoom", admin.credentials("locked", false)), `{}`)

	var carla member
	s.api(0).succeed(t, "/joinRoom", fields{"roomId": admin.RoomID, "password": "secret words", "username": "carla"}).decode(t, &carla)
	expectBody(t, s.api(0).succeed(t, "/leaveRoom", carla.credentials()), `{}`)
	expectRefusal(t, s.api(1).call(t, "/joinRoom", carla.credentials()), 401, "invalid_session")
	expectBody(t, s.api(1).succeed(t, "/removeMember", admin.credentials("memberId", "ben")), `{}`)
	expectRefusal(t, s.api(0).call(t, "/joinRoom", ben.credentials()), 401, "invalid_session")
	expectRefusal(t, s.api(0).call(t, "/leaveRoom", ben.credentials()), 401, "invalid_session")

	expectBody(t, s.api(0).succeed(t, "/deleteRoom", admin.credentials()), `{}`)
	for i := range 2 {
		expectNowhere(t, s.api(i), &admin)
	}
	if s.redis != nil {
		// Queued for its reaping, a room stays in the lobby list by its bare id.
		for key := range s.redis.contents(t, admin.RoomID) {
			t.Errorf("left: %s", key)
		}
	}
}

// expectNowhere fails the test unless every endpoint says that the room does not
// exist.
func expectNowhere(t *testing.T, a *api, m *member) {
	t.Helper()
	for _, endpoint := range endpointNames[1:] {
		got := a.call(t, endpoint, m.credentials("locked", true, "memberId", "ben"))
		expectRefusal(t, got, 404, "room_not_found")
	}
	expectRefusal(t, a.call(t, "/joinRoom", fields{"roomId": m.RoomID, "username": "x"}), 404, "room_not_found")
}

func expectBody(t *testing.T, got *answer, body string) {
	t.Helper()
	if string(got.body) != body {
		t.Errorf("body is %s, not %s", got.body, body)
	}
}

// expectRefusal fails the test unless the answer is a problem document.
func expectRefusal(t *testing.T, got *answer, status int, code string) {
	t.Helper()
	if got.status != status || got.code() != code || got.fields["status"] != float64(status) ||
		got.fields["type"] == nil || got.fields["title"] == nil || got.fields["detail"] == nil ||
		got.header.Get("Cache-Control") != "no-store" {
		t.Errorf("answer is %d %s %v, not %d %s", got.status, got.body, got.header, status, code)
	}
}

// refusals are requests that are well formed and refused.
func refusals(t *testing.T, s *site) {
	a := s.api(0)
	var admin, guarded member
	a.succeed(t, "/createRoom", fields{"roomName": "r", "username": "anna"}).decode(t, &admin)
	a.succeed(t, "/createRoom", fields{"roomName": "r", "username": "anna", "password": "p"}).decode(t, &guarded)
	ben := a.join(t, admin.RoomID, "ben")
	forged := admin
	forged.SessionID = guarded.SessionID
	promoted := ben
	promoted.UserID = admin.UserID
	odd := []string{"", "a/b", "../x", "a b", "ä", strings.Repeat("a", 65), "*", "{x}", "room:" + admin.RoomID, admin.RoomID + "\x00"}

	before := s.fingerprint(t, &admin)
	a = s.api(1)
	for _, endpoint := range endpointNames[1:] {
		for _, roomID := range append(odd, "AAAAAAAAAAAAAAAAAAAAAA", strings.Repeat("a", 64)) {
			lost := admin
			lost.RoomID = roomID
			expectRefusal(t, a.call(t, endpoint, lost.credentials("memberId", "ben", "locked", true)), 404, "room_not_found")
		}
	}
	for _, endpoint := range []string{"/joinRoom", "/startChat", "/deleteRoom", "/removeMember", "/lockRoom", "/leaveRoom"} {
		for _, m := range []member{forged, promoted} {
			expectRefusal(t, a.call(t, endpoint, m.credentials("memberId", "ben", "locked", true)), 401, "invalid_session")
		}
	}
	for _, endpoint := range []string{"/startChat", "/deleteRoom", "/removeMember", "/lockRoom"} {
		expectRefusal(t, a.call(t, endpoint, ben.credentials("memberId", "anna", "locked", true)), 403, "not_admin")
	}
	expectRefusal(t, a.call(t, "/removeMember", admin.credentials("memberId", "nobody")), 404, "member_not_found")
	expectRefusal(t, a.call(t, "/removeMember", admin.credentials("memberId", "anna")), 400, "invalid_request")
	for _, password := range []string{"", "P", "p ", "pp"} {
		expectRefusal(t, a.call(t, "/joinRoom", fields{"roomId": guarded.RoomID, "password": password}), 403, "wrong_password")
	}
	expectRefusal(t, a.call(t, "/joinRoom", fields{"roomId": guarded.RoomID}), 403, "wrong_password")
	s.expectUnchanged(t, before, &admin)
}

// fingerprint is everything that Redis holds, or what can be seen of a room in
// memory.
func (s *site) fingerprint(t *testing.T, m *member) map[string]string {
	t.Helper()
	if s.redis != nil {
		return s.redis.contents(t, "")
	}
	seen := map[string]string{"info": string(s.api(0).succeed(t, "/roomInfo", fields{"roomId": m.RoomID}).body)}
	k, welcome := enter(t, s.base(0), m)
	seen["seq"] = fmt.Sprint(welcome.Seq, welcome.Room.RoomName, welcome.Room.Locked)
	k.close()
	return seen
}

func (s *site) expectUnchanged(t *testing.T, before map[string]string, m *member) {
	t.Helper()
	if after := s.fingerprint(t, m); !maps.Equal(before, after) {
		t.Errorf("something was changed:\nbefore %q\nafter  %q", before, after)
	}
}

// names are given out once in the life of a room.
func names(t *testing.T, s *site) {
	admin := s.api(0).create(t, 60)
	given := map[string]bool{admin.UserID: true}
	for i := range 6 {
		m := s.api(i).join(t, admin.RoomID, "  Zo\u0065\u0308 ")
		if !strings.HasPrefix(m.UserID, "Zo\u00eb") || given[m.UserID] || m.UserID == m.SessionID {
			t.Errorf("%q is called %q", "Zoë", m.UserID)
		}
		given[m.UserID] = true
		s.api(i+1).succeed(t, "/leaveRoom", m.credentials())
	}
	var nameless member
	s.api(0).succeed(t, "/joinRoom", fields{"roomId": admin.RoomID, "username": ""}).decode(t, &nameless)
	if len(nameless.UserID) != 36 {
		t.Errorf("without a name: %q", nameless.UserID)
	}
}
