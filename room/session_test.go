package room_test

import (
	"encoding/base64"
	"errors"
	"strings"
	"testing"

	"github.com/ephemeralchat/caddy-ephemeral-chat/room"
)

var sessionKey = []byte("0123456789abcdef0123456789abcdef")

// issued is a session of the admin anna in the room "room", from an earlier run.
// Nodes of different versions share rooms, so it must stay good.
const (
	issued    = "TLcF1dFn9yuDtIO3y_NZYUYiKP0I4i2hUMN64WJQeu7S5PiikH0YuO_HlSWS0js9"
	issuedTag = "jwXTkIHn8Dca"
)

func TestSessionIsStable(t *testing.T) {
	s, err := room.VerifySession(sessionKey, "room", "anna", issued)
	if want := (room.Session{Role: room.RoleAdmin, Tag: issuedTag}); err != nil || s != want {
		t.Errorf("an earlier session is %+v, %v; want %+v", s, err, want)
	}
}

func TestSession(t *testing.T) {
	for _, role := range []room.Role{room.RoleAdmin, room.RoleMember} {
		id := room.NewSession(sessionKey, "room", "anna", role)
		s, err := room.VerifySession(sessionKey, "room", "anna", id)
		if err != nil || s.Role != role || s.Tag == "" {
			t.Fatalf("a session for %q is %+v, %v", role, s, err)
		}
		again, err := room.VerifySession(sessionKey, "room", "anna", id)
		if err != nil || again != s {
			t.Errorf("verified again it is %+v, %v; want %+v", again, err, s)
		}
		other := room.NewSession(sessionKey, "room", "anna", role)
		if other == id {
			t.Error("two sessions are the same")
		}
		if o, err := room.VerifySession(sessionKey, "room", "anna", other); err != nil || o.Tag == s.Tag {
			t.Errorf("another session of the same member: tag %q, %v; want another than %q", o.Tag, err, s.Tag)
		}
	}
}

func TestSessionOfAnother(t *testing.T) {
	id := room.NewSession(sessionKey, "room", "anna", room.RoleAdmin)
	otherKey := append([]byte(nil), sessionKey...)
	otherKey[31] ^= 1
	for name, verify := range map[string]func() (room.Session, error){
		"another key": func() (room.Session, error) { return room.VerifySession(otherKey, "room", "anna", id) },
		"no key":      func() (room.Session, error) { return room.VerifySession(nil, "room", "anna", id) },
		"signed with no key": func() (room.Session, error) {
			return room.VerifySession(nil, "room", "anna", room.NewSession(nil, "room", "anna", room.RoleAdmin))
		},
		"another room": func() (room.Session, error) { return room.VerifySession(sessionKey, "moor", "anna", id) },
		"another user": func() (room.Session, error) { return room.VerifySession(sessionKey, "room", "Anna", id) },
		// The same bytes in a row, divided otherwise.
		"room and user divided otherwise": func() (room.Session, error) {
			return room.VerifySession(sessionKey, "rooma", "nna", id)
		},
		"room and user swapped": func() (room.Session, error) { return room.VerifySession(sessionKey, "anna", "room", id) },
	} {
		if s, err := verify(); !errors.Is(err, room.ErrInvalidSession) || s != (room.Session{}) {
			t.Errorf("%s: %+v, %v; want ErrInvalidSession", name, s, err)
		}
	}
}

// TestSessionBitFlips changes each single bit of a session, the role's among them.
func TestSessionBitFlips(t *testing.T) {
	id := room.NewSession(sessionKey, "room", "anna", room.RoleMember)
	raw, err := base64.RawURLEncoding.DecodeString(id)
	if err != nil {
		t.Fatal(err)
	}
	for bit := range 8 * len(raw) {
		raw[bit/8] ^= 1 << (bit % 8)
		flipped := base64.RawURLEncoding.EncodeToString(raw)
		if _, err := room.VerifySession(sessionKey, "room", "anna", flipped); !errors.Is(err, room.ErrInvalidSession) {
			t.Errorf("with bit %d flipped: %v, want ErrInvalidSession", bit, err)
		}
		raw[bit/8] ^= 1 << (bit % 8)
	}
	for i := range id { // and of its text
		for bit := range 8 {
			text := []byte(id)
			text[i] ^= 1 << bit
			if _, err := room.VerifySession(sessionKey, "room", "anna", string(text)); !errors.Is(err, room.ErrInvalidSession) {
				t.Errorf("with bit %d of character %d flipped: %v, want ErrInvalidSession", bit, i, err)
			}
		}
	}
	for _, text := range []string{"", id[:len(id)-1], id + "A", id + "=", " " + id, id[:63] + "\n", id + "\n", strings.Repeat("A", 64)} {
		if _, err := room.VerifySession(sessionKey, "room", "anna", text); !errors.Is(err, room.ErrInvalidSession) {
			t.Errorf("%d characters: %v, want ErrInvalidSession", len(text), err)
		}
	}
}

// TestTagTellsNothing checks that the public tag shares no run of characters
// with the secret, in either of its forms.
func TestTagTellsNothing(t *testing.T) {
	for range 200 {
		id := room.NewSession(sessionKey, "room", "anna", room.RoleMember)
		s, err := room.VerifySession(sessionKey, "room", "anna", id)
		if err != nil {
			t.Fatal(err)
		}
		for i := range len(s.Tag) - 4 { // five characters would be a coincidence of one in a million
			if strings.Contains(id, s.Tag[i:i+5]) {
				t.Fatalf("the tag %q stands in the session", s.Tag)
			}
		}
		if _, err := room.VerifySession(sessionKey, "room", "anna", s.Tag); !errors.Is(err, room.ErrInvalidSession) {
			t.Fatalf("the tag as a session: %v", err)
		}
	}
}

func FuzzVerifySession(f *testing.F) {
	f.Add("room", "anna", issued)
	f.Add("room", "bert", issued)
	f.Add("", "", "")
	f.Add("room", "anna", strings.Repeat("A", 64))
	f.Add("room", "anna", issued[:63]+"=")
	f.Fuzz(func(t *testing.T, roomID, userID, sessionID string) {
		s, err := room.VerifySession(sessionKey, roomID, userID, sessionID)
		good := roomID == "room" && userID == "anna" && sessionID == issued
		switch {
		case err == nil && !good:
			t.Fatalf("a session that was never issued is good: %q, %q, %q", roomID, userID, sessionID)
		case good && (err != nil || s.Role != room.RoleAdmin):
			t.Fatalf("the session that was issued is not good: %+v, %v", s, err)
		case err != nil && (!errors.Is(err, room.ErrInvalidSession) || s != (room.Session{})):
			t.Fatalf("%+v, %v", s, err)
		}
	})
}

func BenchmarkVerifySession(b *testing.B) {
	roomID := room.NewID()
	id := room.NewSession(sessionKey, roomID, "anna", room.RoleMember)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := room.VerifySession(sessionKey, roomID, "anna", id); err != nil {
			b.Fatal(err)
		}
	}
}
