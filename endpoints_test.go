package ephemeralchat_test

import (
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

var (
	uuidPattern    = regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`)
	roomIDPattern  = regexp.MustCompile(`^[A-Za-z0-9_-]{22}$`)
	sessionPattern = regexp.MustCompile(`^[A-Za-z0-9_-]{64}$`)
	timePattern    = regexp.MustCompile(`^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$`)
)

// admissionFields are all that an answer to createRoom or joinRoom consists of.
var admissionFields = []string{
	"expiresAt", "role", "roomId", "roomName", "sessionId", "startedAt", "ttl", "userId",
}

func fieldsOf(object map[string]any) []string { return slices.Sorted(maps.Keys(object)) }

func TestCreateRoom(t *testing.T) {
	forEachStore(t, func(t *testing.T, store string) {
		s := serve(t, "ephemeral_chat {\n"+store+"\nttl 20m\n}")
		for name, test := range map[string]struct {
			fields   []any
			roomName string
			userID   string // "" for a UUID
			ttl      float64
		}{
			"only a name":    {[]any{"roomName", "Tea"}, "Tea", "", 1200},
			"everything":     {[]any{"roomName", "Tea", "username", "Anna", "password", "s", "ttl", 60}, "Tea", "Anna", 60},
			"ttl in words":   {[]any{"roomName", "Tea", "ttl", "30m"}, "Tea", "", 1800},
			"ttl of a day":   {[]any{"roomName", "Tea", "ttl", "1d"}, "Tea", "", 86400},
			"nulls":          {[]any{"roomName", "Tea", "username", nil, "password", nil, "ttl", nil}, "Tea", "", 1200},
			"empty optional": {[]any{"roomName", "Tea", "username", "", "password", ""}, "Tea", "", 1200},
			"unknown fields": {[]any{"roomName", "Tea", "RoomName", 7, "more", []int{1}}, "Tea", "", 1200},
			"trimmed, NFC":   {[]any{"roomName", "  Cafe\u0301 ", "username", "\tAnna\n"}, "Café", "Anna", 1200},
			"markup":         {[]any{"roomName", "<b>\u200e&", "username", "☕"}, "<b>&", "☕", 1200},
		} {
			t.Run(name, func(t *testing.T) {
				answer := s.post(t, "/createRoom", object(t, test.fields...)).ok(t)
				if got := fieldsOf(answer); !slices.Equal(got, admissionFields) {
					t.Errorf("fields %v", got)
				}
				if answer["roomName"] != test.roomName || answer["ttl"] != test.ttl || answer["role"] != "admin" ||
					answer["startedAt"] != nil || answer["expiresAt"] != nil {
					t.Errorf("answer %v", answer)
				}
				user, _ := answer["userId"].(string)
				if test.userID == "" && !uuidPattern.MatchString(user) || test.userID != "" && user != test.userID {
					t.Errorf("userId %q, want %q", user, test.userID)
				}
				id, _ := answer["roomId"].(string)
				session, _ := answer["sessionId"].(string)
				if !roomIDPattern.MatchString(id) || !sessionPattern.MatchString(session) {
					t.Errorf("roomId %q, sessionId %q", id, session)
				}
			})
		}
	})
}

func TestJoinRoom(t *testing.T) {
	forEachStore(t, func(t *testing.T, store string) {
		s := serve(t, "ephemeral_chat {\n"+store+"\n}")
		admin := s.create(t, "username", "Anna", "password", "tea")

		answer := s.post(t, "/joinRoom", object(t, "roomId", admin.room, "password", "tea", "username", "Ben")).ok(t)
		if got := fieldsOf(answer); !slices.Equal(got, admissionFields) {
			t.Errorf("fields %v", got)
		}
		if answer["userId"] != "Ben" || answer["role"] != "member" || answer["roomName"] != "Room" || answer["ttl"] != 3600.0 {
			t.Errorf("answer %v", answer)
		}
		namesake := s.join(t, admin.room, "password", "tea", "username", "Anna")
		if !strings.HasPrefix(namesake.user, "Anna-") {
			t.Errorf("second Anna is %q", namesake.user)
		}
		if nobody := s.join(t, admin.room, "password", "tea"); !uuidPattern.MatchString(nobody.user) {
			t.Errorf("userId without a username is %q", nobody.user)
		}

		t.Run("coming back", func(t *testing.T) {
			s.post(t, "/lockRoom", admin.as(t, "locked", true)).ok(t)
			for role, m := range map[string]member{"admin": admin, "member": namesake} {
				answer := s.post(t, "/joinRoom", m.as(t)).ok(t)
				if answer["role"] != role || answer["userId"] != m.user || answer["sessionId"] == m.session {
					t.Errorf("%s comes back as %v", role, answer)
				}
			}
			s.post(t, "/lockRoom", admin.as(t, "locked", false)).ok(t)
		})
		t.Run("clock", func(t *testing.T) {
			started := s.post(t, "/startChat", admin.as(t)).ok(t)
			answer := s.post(t, "/joinRoom", namesake.as(t)).ok(t)
			if answer["startedAt"] != started["startedAt"] || answer["expiresAt"] != started["expiresAt"] {
				t.Errorf("%v, but the room was started with %v", answer, started)
			}
		})
	})
}

func TestStartChat(t *testing.T) {
	forEachStore(t, func(t *testing.T, store string) {
		s := serve(t, "ephemeral_chat {\n"+store+"\n}")
		admin := s.create(t, "ttl", 90)
		first := s.post(t, "/startChat", admin.as(t))
		answer := first.ok(t)
		if got := fieldsOf(answer); !slices.Equal(got, []string{"expiresAt", "startedAt"}) {
			t.Errorf("fields %v", got)
		}
		startedAt, expiresAt := parseTime(t, answer["startedAt"]), parseTime(t, answer["expiresAt"])
		if lives := expiresAt.Sub(startedAt); lives != 90*time.Second {
			t.Errorf("lives for %s", lives)
		}
		if again := s.post(t, "/startChat", admin.as(t)); string(again.body) != string(first.body) {
			t.Errorf("first %s, then %s", first.body, again.body)
		}
		if info := s.info(t, admin.room); info["startedAt"] != answer["startedAt"] || info["expiresAt"] != answer["expiresAt"] {
			t.Errorf("roomInfo says %v", info)
		}
	})
}

func parseTime(t *testing.T, value any) time.Time {
	t.Helper()
	text, _ := value.(string)
	if !timePattern.MatchString(text) {
		t.Fatalf("%v is not a time with milliseconds in UTC", value)
	}
	parsed, err := time.Parse(time.RFC3339, text)
	if err != nil {
		t.Fatal(err)
	}
	return parsed
}

func TestRoomInfo(t *testing.T) {
	forEachStore(t, func(t *testing.T, store string) {
		s := serve(t, "ephemeral_chat {\n"+store+"\n}")
		open := s.create(t)
		closed := s.create(t, "password", "tea")
		s.post(t, "/lockRoom", closed.as(t, "locked", true)).ok(t)
		info := s.info(t, open.room)
		if got := fieldsOf(info); !slices.Equal(got, []string{"expiresAt", "locked", "passwordRequired", "startedAt"}) {
			t.Errorf("fields %v", got)
		}
		if info["passwordRequired"] != false || info["locked"] != false || info["startedAt"] != nil || info["expiresAt"] != nil {
			t.Errorf("open room: %v", info)
		}
		if info := s.info(t, closed.room); info["passwordRequired"] != true || info["locked"] != true {
			t.Errorf("locked room with a password: %v", info)
		}
	})
}

// TestMembership goes through what ends a membership, and what that means on
// every endpoint.
func TestMembership(t *testing.T) {
	forEachStore(t, func(t *testing.T, store string) {
		s := serve(t, "ephemeral_chat {\n"+store+"\n}")
		admin := s.create(t, "username", "Anna")
		ben := s.join(t, admin.room, "username", "Ben")
		cleo := s.join(t, admin.room, "username", "Cleo")

		empty := func(path, body string) {
			t.Helper()
			if got := string(s.post(t, path, body).body); got != "{}" {
				t.Errorf("%s answers %s", path, got)
			}
		}
		empty("/removeMember", admin.as(t, "memberId", ben.user))
		empty("/leaveRoom", cleo.as(t))
		for _, gone := range []member{ben, cleo} {
			for _, path := range []string{"/joinRoom", "/startChat", "/deleteRoom", "/leaveRoom"} {
				s.post(t, path, gone.as(t)).refused(t, 401, "invalid_session")
			}
			s.post(t, "/removeMember", admin.as(t, "memberId", gone.user)).refused(t, 404, "member_not_found")
			if heir := s.join(t, admin.room, "username", gone.user); heir.user == gone.user {
				t.Errorf("%q was given out twice", heir.user)
			}
		}
		empty("/lockRoom", admin.as(t, "locked", true))
		empty("/deleteRoom", admin.as(t))
		s.post(t, "/joinRoom", admin.as(t)).refused(t, 404, "room_not_found")
	})
}

// TestRefusals goes through the errors of each endpoint. None of them changes
// the room.
func TestRefusals(t *testing.T) {
	forEachStore(t, func(t *testing.T, store string) {
		s := serve(t, "ephemeral_chat {\n"+store+"\nmax_ttl 2h\nmax_members 1\n}")
		admin := s.create(t, "username", "Anna", "password", "tea")
		ben := s.join(t, admin.room, "username", "Ben", "password", "tea")
		other := s.create(t, "username", "Anna")
		locked := s.create(t)
		s.post(t, "/lockRoom", locked.as(t, "locked", true)).ok(t)
		full := s.create(t)
		for range 9 { // ten members for each who may be online
			s.join(t, full.room)
		}
		before := s.info(t, admin.room)

		unknown := member{"AAAAAAAAAAAAAAAAAAAAAA", admin.user, admin.session}
		stolen := member{admin.room, ben.user, admin.session}
		foreign := member{admin.room, other.user, other.session}
		garbled := member{admin.room, admin.user, strings.ToLower(admin.session)}
		stranger := member{admin.room, "Zoe", ben.session}
		odd := member{"../x y", admin.user, admin.session}

		type row struct {
			path   string
			body   string
			status int
			code   string
		}
		rows := []row{
			{"/createRoom", object(t, "roomName", ""), 400, "invalid_request"},
			{"/createRoom", object(t, "roomName", "  \t"), 400, "invalid_request"},
			{"/createRoom", object(t, "roomName", "a\u0000b"), 400, "invalid_request"},
			{"/createRoom", object(t, "roomName", strings.Repeat("é", 101)), 400, "invalid_request"},
			{"/createRoom", object(t, "roomName", "x", "username", strings.Repeat("é", 33)), 400, "invalid_request"},
			{"/createRoom", object(t, "roomName", "x", "username", " "), 400, "invalid_request"},
			{"/createRoom", object(t, "roomName", "x", "password", strings.Repeat("p", 1025)), 400, "invalid_request"},
			{"/createRoom", object(t, "roomName", "x", "ttl", 0), 400, "invalid_request"},
			{"/createRoom", object(t, "roomName", "x", "ttl", -5), 400, "invalid_request"},
			{"/createRoom", object(t, "roomName", "x", "ttl", 7201), 400, "invalid_request"},
			{"/createRoom", object(t, "roomName", "x", "ttl", "2h1s"), 400, "invalid_request"},
			{"/createRoom", object(t, "roomName", "x", "ttl", "1500ms"), 400, "invalid_request"},
			{"/joinRoom", object(t, "roomId", admin.room), 403, "wrong_password"},
			{"/joinRoom", object(t, "roomId", admin.room, "password", "Tea"), 403, "wrong_password"},
			{"/joinRoom", object(t, "roomId", admin.room, "password", "tea", "username", "a\nb"), 400, "invalid_request"},
			{"/joinRoom", object(t, "roomId", locked.room), 403, "room_locked"},
			{"/joinRoom", object(t, "roomId", full.room), 409, "room_full"},
			{"/removeMember", admin.as(t, "memberId", admin.user), 400, "invalid_request"},
			{"/removeMember", admin.as(t, "memberId", "Zoe"), 404, "member_not_found"},
			{"/removeMember", ben.as(t, "memberId", admin.user), 403, "not_admin"},
			{"/lockRoom", ben.as(t, "locked", true), 403, "not_admin"},
			{"/startChat", ben.as(t), 403, "not_admin"},
			{"/deleteRoom", ben.as(t), 403, "not_admin"},
			{"/roomInfo", object(t, "roomId", unknown.room), 404, "room_not_found"},
		}
		// Ids that cannot be ids are not found, like those that are nobody's.
		for _, id := range []string{"", "*", "a b", "ä", "../x", "a:b", "{a}", "a\x00", strings.Repeat("a", 65)} {
			rows = append(rows,
				row{"/roomInfo", object(t, "roomId", id), 404, "room_not_found"},
				row{"/joinRoom", object(t, "roomId", id), 404, "room_not_found"})
		}
		// What shows a session is refused alike everywhere.
		for _, path := range []string{"/joinRoom", "/startChat", "/deleteRoom", "/leaveRoom", "/removeMember", "/lockRoom"} {
			for who, status := range map[member]int{unknown: 404, odd: 404, stolen: 401, foreign: 401, garbled: 401, stranger: 401} {
				code := "invalid_session"
				if status == 404 {
					code = "room_not_found"
				}
				rows = append(rows, row{path, who.as(t, "memberId", ben.user, "locked", true), status, code})
			}
		}
		for _, row := range rows {
			t.Run(row.path[1:]+" "+row.code, func(t *testing.T) {
				s.post(t, row.path, row.body).refused(t, row.status, row.code)
			})
		}
		if after := s.info(t, admin.room); !maps.Equal(before, after) {
			t.Errorf("room was %v and is %v", before, after)
		}
		s.post(t, "/joinRoom", ben.as(t)).ok(t)
	})
}

func TestRequestsOfOthers(t *testing.T) {
	s := serve(t, "ephemeral_chat\nrespond \"next {http.request.uri.path}\" 203")
	for _, path := range []string{"/x", "/createRoom/", "/createroom", "/ws/", "/ws/x", "//ws", "/create%52oom/", "/joinRoom.json"} {
		if got := s.send(t, http.MethodGet, path, ""); got.status != 203 || !strings.HasPrefix(string(got.body), "next ") {
			t.Errorf("GET %s: %d %s", path, got.status, got.body)
		}
	}
	s.post(t, "/create%52oom", object(t, "roomName", "x")).ok(t)
}

func TestTooManyRooms(t *testing.T) {
	s := serve(t, "ephemeral_chat {\nmax_rooms 2\n}")
	first := s.create(t)
	s.create(t)
	s.post(t, "/createRoom", object(t, "roomName", "x")).refused(t, 503, "too_many_rooms")
	s.post(t, "/deleteRoom", first.as(t)).ok(t)
	s.create(t)
}

func TestDeadline(t *testing.T) {
	forEachStore(t, func(t *testing.T, store string) {
		s := serve(t, "ephemeral_chat {\n"+store+"\n}")
		admin := s.create(t, "ttl", 1)
		expiresAt := parseTime(t, s.post(t, "/startChat", admin.as(t)).ok(t)["expiresAt"])
		gone := waitUntil(t, func() bool {
			return s.post(t, "/roomInfo", object(t, "roomId", admin.room)).status == 404
		})
		if early := expiresAt.Sub(gone); early > 0 {
			t.Errorf("gone %s before the deadline", early)
		} else if early < -500*time.Millisecond {
			t.Errorf("gone %s after the deadline", -early)
		}
		for _, path := range []string{"/joinRoom", "/startChat", "/deleteRoom", "/leaveRoom"} {
			s.post(t, path, admin.as(t)).refused(t, 404, "room_not_found")
		}
	})
}

// waitUntil polls a condition and returns when it was first seen to hold.
func waitUntil(t *testing.T, holds func() bool) time.Time {
	t.Helper()
	deadline := time.Now().Add(10 * time.Second)
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for time.Now().Before(deadline) {
		if holds() {
			return time.Now()
		}
		<-tick.C
	}
	t.Fatal("condition did not come to hold in 10 s")
	return time.Time{}
}
