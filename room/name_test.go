package room_test

import (
	"errors"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"

	"github.com/ephemeralchat/caddy-ephemeral-chat/room"
)

func TestNames(t *testing.T) {
	rooms, _ := newRooms(t)
	long := func(n int) string { return strings.Repeat("é", n) }
	for _, c := range []struct{ name, want string }{ // "" is refused
		{"anna", "anna"},
		{"  anna\t\n", "anna"},
		{"\u00a0anna\u2003", "anna"},
		{"anna b", "anna b"},
		{"A\u030angstrom", "\u00c5ngstrom"}, // composed
		{"\u212bngstrom", "\u00c5ngstrom"},  // the sign for the unit
		{"한", "한"},
		{"🦊", "🦊"},
		{"👩\u200d👧", "👩\u200d👧"}, // one family, joined
		{"<b>&\"'\\", "<b>&\"'\\"},
		{long(32), long(32)},
		{strings.Repeat("e\u0301", 32), long(32)}, // 64 before they are composed
		{long(33), ""},
		{"a\x00b", ""},
		{"a\nb", ""},
		{"a\x7fb", ""},
		{"a\u0085b", ""},
		{"a\x1b[31mb", ""},
		{"\xff", ""},
		{"anna\xc3", ""},
		{" ", ""},
		{"\u2003\u00a0", ""},
	} {
		a, err := rooms.Create(t.Context(), room.NewRoom{Name: "x", Username: c.name})
		if c.want == "" {
			expect(t, "username "+c.name, err, room.ErrInvalidRequest)
			r := create(t, rooms, room.NewRoom{})
			_, err := rooms.Join(t.Context(), room.Newcomer{RoomID: r.Room.ID, Username: c.name})
			expect(t, "username of a newcomer "+c.name, err, room.ErrInvalidRequest)
			continue
		}
		if err != nil || a.UserID != c.want {
			t.Errorf("username %q became %q, %v; want %q", c.name, a.UserID, err, c.want)
		}
		a, err = rooms.Create(t.Context(), room.NewRoom{Name: c.name})
		if err != nil || a.Room.Name != c.want {
			t.Errorf("room name %q became %q, %v; want %q", c.name, a.Room.Name, err, c.want)
		}
	}
	for name, ok := range map[string]bool{"": false, " ": false, long(100): true, long(101): false, "a\rb": false, "\xc3\x28": false} {
		_, err := rooms.Create(t.Context(), room.NewRoom{Name: name})
		if ok && err != nil {
			t.Errorf("room name %q: %v", name, err)
		}
		if !ok {
			expect(t, "room name "+name, err, room.ErrInvalidRequest)
		}
	}
}

// TestSameLookSameName checks that two ways to write one name are one name.
func TestSameLookSameName(t *testing.T) {
	rooms, _ := newRooms(t)
	a := create(t, rooms, room.NewRoom{Username: "Ren\u00e9"})
	if b := join(t, rooms, a.Room.ID, "Rene\u0301 "); b.UserID == a.UserID || !strings.HasPrefix(b.UserID, a.UserID+"-") {
		t.Errorf("another %q is %q", a.UserID, b.UserID)
	}
}

func FuzzName(f *testing.F) {
	for _, seed := range []string{"anna", " Rene\u0301 ", "\xff", "a\x00", "\u2028", strings.Repeat("e\u0301", 40), "👩\u200d👧", "\u0344\u1fc1"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, name string) {
		rooms, _ := newRooms(t)
		a, err := rooms.Create(t.Context(), room.NewRoom{Name: name, Username: "admin"})
		if err != nil {
			if !errors.Is(err, room.ErrInvalidRequest) {
				t.Fatalf("%q: %v", name, err)
			}
			return
		}
		got := a.Room.Name
		if n := utf8.RuneCountInString(got); n == 0 || n > room.MaxRoomName || !utf8.ValidString(got) {
			t.Fatalf("%q became %q, of %d characters", name, got, n)
		}
		if !norm.NFC.IsNormalString(got) || strings.ContainsFunc(got, unicode.IsControl) || strings.TrimSpace(got) != got {
			t.Fatalf("%q became %q, which is not clean", name, got)
		}
		again, err := rooms.Create(t.Context(), room.NewRoom{Name: got})
		if err != nil || again.Room.Name != got {
			t.Fatalf("%q became %q, and that %q, %v", name, got, again.Room.Name, err)
		}
	})
}
