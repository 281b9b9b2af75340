package api_test

import (
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ephemeralchat/caddy-ephemeral-chat/api/apitest"
	"github.com/ephemeralchat/caddy-ephemeral-chat/room"
)

var (
	uuidPattern    = regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`)
	roomIDPattern  = regexp.MustCompile(`^[A-Za-z0-9_-]{22}$`)
	sessionPattern = regexp.MustCompile(`^[A-Za-z0-9_-]{64}$`)
	timePattern    = regexp.MustCompile(`^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$`)
)

// admissionFields are all fields of an answer to createRoom or joinRoom.
var admissionFields = []string{
	"expiresAt", "role", "roomId", "roomName", "sessionId", "startedAt", "ttl", "userId",
}

func fieldsOf(object map[string]any) []string { return slices.Sorted(maps.Keys(object)) }

func TestCreateRoom(t *testing.T) {
	forEachStore(t, func(t *testing.T, open func() room.Store) {
		s := serve(t, func(o *options) { o.store, o.TTL = open(), 20*time.Minute })
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
				answer := s.Post(t, "/createRoom", apitest.Object(t, test.fields...)).OK(t)
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
	forEachStore(t, func(t *testing.T, open func() room.Store) {
		s := serve(t, func(o *options) { o.store = open() })
		admin := s.Create(t, "username", "Anna", "password", "tea")

		answer := s.Post(t, "/joinRoom", apitest.Object(t, "roomId", admin.Room, "password", "tea", "username", "Ben")).OK(t)
		if got := fieldsOf(answer); !slices.Equal(got, admissionFields) {
			t.Errorf("fields %v", got)
		}
		if answer["userId"] != "Ben" || answer["role"] != "member" || answer["roomName"] != "Room" || answer["ttl"] != 3600.0 {
			t.Errorf("answer %v", answer)
		}
		namesake := s.Join(t, admin.Room, "password", "tea", "username", "Anna")
		if !strings.HasPrefix(namesake.User, "Anna-") {
			t.Errorf("second Anna is %q", namesake.User)
		}
		if nobody := s.Join(t, admin.Room, "password", "tea"); !uuidPattern.MatchString(nobody.User) {
			t.Errorf("userId without a username is %q", nobody.User)
		}

		t.Run("coming back", func(t *testing.T) {
			s.Post(t, "/lockRoom", admin.As(t, "locked", true)).OK(t)
			for role, m := range map[string]apitest.Member{"admin": admin, "member": namesake} {
				answer := s.Post(t, "/joinRoom", m.As(t)).OK(t)
				if answer["role"] != role || answer["userId"] != m.User || answer["sessionId"] == m.Session {
					t.Errorf("%s comes back as %v", role, answer)
				}
			}
			s.Post(t, "/lockRoom", admin.As(t, "locked", false)).OK(t)
		})
		t.Run("clock", func(t *testing.T) {
			started := s.Post(t, "/startChat", admin.As(t)).OK(t)
			answer := s.Post(t, "/joinRoom", namesake.As(t)).OK(t)
			if answer["startedAt"] != started["startedAt"] || answer["expiresAt"] != started["expiresAt"] {
				t.Errorf("%v, but the room was started with %v", answer, started)
			}
		})
	})
}

func TestStartChat(t *testing.T) {
	forEachStore(t, func(t *testing.T, open func() room.Store) {
		s := serve(t, func(o *options) { o.store = open() })
		admin := s.Create(t, "ttl", 90)
		first := s.Post(t, "/startChat", admin.As(t))
		answer := first.OK(t)
		if got := fieldsOf(answer); !slices.Equal(got, []string{"expiresAt", "startedAt"}) {
			t.Errorf("fields %v", got)
		}
		startedAt, expiresAt := parseTime(t, answer["startedAt"]), parseTime(t, answer["expiresAt"])
		if lives := expiresAt.Sub(startedAt); lives != 90*time.Second {
			t.Errorf("lives for %s", lives)
		}
		if again := s.Post(t, "/startChat", admin.As(t)); string(again.Body) != string(first.Body) {
			t.Errorf("first %s, then %s", first.Body, again.Body)
		}
		if info := s.Info(t, admin.Room); info["startedAt"] != answer["startedAt"] || info["expiresAt"] != answer["expiresAt"] {
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
	forEachStore(t, func(t *testing.T, open func() room.Store) {
		s := serve(t, func(o *options) { o.store = open() })
		unlocked := s.Create(t)
		closed := s.Create(t, "password", "tea")
		s.Post(t, "/lockRoom", closed.As(t, "locked", true)).OK(t)
		info := s.Info(t, unlocked.Room)
		if got := fieldsOf(info); !slices.Equal(got, []string{"expiresAt", "locked", "passwordRequired", "startedAt"}) {
			t.Errorf("fields %v", got)
		}
		if info["passwordRequired"] != false || info["locked"] != false || info["startedAt"] != nil || info["expiresAt"] != nil {
			t.Errorf("unlocked room: %v", info)
		}
		if info := s.Info(t, closed.Room); info["passwordRequired"] != true || info["locked"] != true {
			t.Errorf("locked room with a password: %v", info)
		}
	})
}

// TestMembership ends memberships in each way, and checks the effect on all endpoints.
func TestMembership(t *testing.T) {
	forEachStore(t, func(t *testing.T, open func() room.Store) {
		s := serve(t, func(o *options) { o.store = open() })
		admin := s.Create(t, "username", "Anna")
		ben := s.Join(t, admin.Room, "username", "Ben")
		cleo := s.Join(t, admin.Room, "username", "Cleo")

		empty := func(path, body string) {
			t.Helper()
			if got := string(s.Post(t, path, body).Body); got != "{}" {
				t.Errorf("%s answers %s", path, got)
			}
		}
		empty("/removeMember", admin.As(t, "memberId", ben.User))
		empty("/leaveRoom", cleo.As(t))
		for _, gone := range []apitest.Member{ben, cleo} {
			for _, path := range []string{"/joinRoom", "/startChat", "/deleteRoom", "/leaveRoom"} {
				s.Post(t, path, gone.As(t)).Refused(t, 401, "invalid_session")
			}
			s.Post(t, "/removeMember", admin.As(t, "memberId", gone.User)).Refused(t, 404, "member_not_found")
			if heir := s.Join(t, admin.Room, "username", gone.User); heir.User == gone.User {
				t.Errorf("%q was given out twice", heir.User)
			}
		}
		empty("/lockRoom", admin.As(t, "locked", true))
		empty("/deleteRoom", admin.As(t))
		s.Post(t, "/joinRoom", admin.As(t)).Refused(t, 404, "room_not_found")
	})
}

// TestRefusals checks the errors of each endpoint. No error changes the room.
func TestRefusals(t *testing.T) {
	forEachStore(t, func(t *testing.T, open func() room.Store) {
		s := serve(t, func(o *options) { o.store, o.MaxTTL, o.MaxMembers = open(), 2*time.Hour, 1 })
		admin := s.Create(t, "username", "Anna", "password", "tea")
		ben := s.Join(t, admin.Room, "username", "Ben", "password", "tea")
		other := s.Create(t, "username", "Anna")
		locked := s.Create(t)
		s.Post(t, "/lockRoom", locked.As(t, "locked", true)).OK(t)
		full := s.Create(t)
		for range 9 { // ten members for each online user
			s.Join(t, full.Room)
		}
		before := s.Info(t, admin.Room)

		unknown := apitest.Member{Room: "AAAAAAAAAAAAAAAAAAAAAA", User: admin.User, Session: admin.Session}
		stolen := apitest.Member{Room: admin.Room, User: ben.User, Session: admin.Session}
		foreign := apitest.Member{Room: admin.Room, User: other.User, Session: other.Session}
		garbled := apitest.Member{Room: admin.Room, User: admin.User, Session: strings.ToLower(admin.Session)}
		stranger := apitest.Member{Room: admin.Room, User: "Zoe", Session: ben.Session}
		odd := apitest.Member{Room: "../x y", User: admin.User, Session: admin.Session}

		type row struct {
			path   string
			body   string
			status int
			code   string
		}
		rows := []row{
			{"/createRoom", apitest.Object(t, "roomName", ""), 400, "invalid_request"},
			{"/createRoom", apitest.Object(t, "roomName", "  \t"), 400, "invalid_request"},
			{"/createRoom", apitest.Object(t, "roomName", "a\u0000b"), 400, "invalid_request"},
			{"/createRoom", apitest.Object(t, "roomName", strings.Repeat("é", 101)), 400, "invalid_request"},
			{"/createRoom", apitest.Object(t, "roomName", "x", "username", strings.Repeat("é", 33)), 400, "invalid_request"},
			{"/createRoom", apitest.Object(t, "roomName", "x", "username", " "), 400, "invalid_request"},
			{"/createRoom", apitest.Object(t, "roomName", "x", "password", strings.Repeat("p", 1025)), 400, "invalid_request"},
			{"/createRoom", apitest.Object(t, "roomName", "x", "ttl", 0), 400, "invalid_request"},
			{"/createRoom", apitest.Object(t, "roomName", "x", "ttl", -5), 400, "invalid_request"},
			{"/createRoom", apitest.Object(t, "roomName", "x", "ttl", 7201), 400, "invalid_request"},
			{"/createRoom", apitest.Object(t, "roomName", "x", "ttl", "2h1s"), 400, "invalid_request"},
			{"/createRoom", apitest.Object(t, "roomName", "x", "ttl", "1500ms"), 400, "invalid_request"},
			{"/joinRoom", apitest.Object(t, "roomId", admin.Room), 403, "wrong_password"},
			{"/joinRoom", apitest.Object(t, "roomId", admin.Room, "password", "Tea"), 403, "wrong_password"},
			{"/joinRoom", apitest.Object(t, "roomId", admin.Room, "password", "tea", "username", "a\nb"), 400, "invalid_request"},
			{"/joinRoom", apitest.Object(t, "roomId", locked.Room), 403, "room_locked"},
			{"/joinRoom", apitest.Object(t, "roomId", full.Room), 409, "room_full"},
			{"/removeMember", admin.As(t, "memberId", admin.User), 400, "invalid_request"},
			{"/removeMember", admin.As(t, "memberId", "Zoe"), 404, "member_not_found"},
			{"/removeMember", ben.As(t, "memberId", admin.User), 403, "not_admin"},
			{"/lockRoom", ben.As(t, "locked", true), 403, "not_admin"},
			{"/startChat", ben.As(t), 403, "not_admin"},
			{"/deleteRoom", ben.As(t), 403, "not_admin"},
			{"/roomInfo", apitest.Object(t, "roomId", unknown.Room), 404, "room_not_found"},
		}
		// Invalid ids are not found, like unknown ones.
		for _, id := range []string{"", "*", "a b", "ä", "../x", "a:b", "{a}", "a\x00", strings.Repeat("a", 65)} {
			rows = append(rows,
				row{"/roomInfo", apitest.Object(t, "roomId", id), 404, "room_not_found"},
				row{"/joinRoom", apitest.Object(t, "roomId", id), 404, "room_not_found"})
		}
		// All endpoints that take a session refuse a wrong one with the same error.
		for _, path := range []string{"/joinRoom", "/startChat", "/deleteRoom", "/leaveRoom", "/removeMember", "/lockRoom"} {
			for who, status := range map[apitest.Member]int{unknown: 404, odd: 404, stolen: 401, foreign: 401, garbled: 401, stranger: 401} {
				code := "invalid_session"
				if status == 404 {
					code = "room_not_found"
				}
				rows = append(rows, row{path, who.As(t, "memberId", ben.User, "locked", true), status, code})
			}
		}
		for _, row := range rows {
			t.Run(row.path[1:]+" "+row.code, func(t *testing.T) {
				s.Post(t, row.path, row.body).Refused(t, row.status, row.code)
			})
		}
		if after := s.Info(t, admin.Room); !maps.Equal(before, after) {
			t.Errorf("room was %v and is %v", before, after)
		}
		s.Post(t, "/joinRoom", ben.As(t)).OK(t)
	})
}

func TestTooManyRooms(t *testing.T) {
	s := serve(t, func(o *options) { o.MaxRooms = 2 })
	first := s.Create(t)
	s.Create(t)
	s.Post(t, "/createRoom", apitest.Object(t, "roomName", "x")).Refused(t, 503, "too_many_rooms")
	s.Post(t, "/deleteRoom", first.As(t)).OK(t)
	s.Create(t)
}

func TestDeadline(t *testing.T) {
	forEachStore(t, func(t *testing.T, open func() room.Store) {
		s := serve(t, func(o *options) { o.store = open() })
		admin := s.Create(t, "ttl", 1)
		expiresAt := parseTime(t, s.Post(t, "/startChat", admin.As(t)).OK(t)["expiresAt"])
		gone := apitest.WaitUntil(t, func() bool {
			return s.Post(t, "/roomInfo", apitest.Object(t, "roomId", admin.Room)).Status == 404
		})
		if early := expiresAt.Sub(gone); early > 0 {
			t.Errorf("gone %s before the deadline", early)
		} else if early < -500*time.Millisecond {
			t.Errorf("gone %s after the deadline", -early)
		}
		for _, path := range []string{"/joinRoom", "/startChat", "/deleteRoom", "/leaveRoom"} {
			s.Post(t, path, admin.As(t)).Refused(t, 404, "room_not_found")
		}
	})
}
