package room_test

import (
	"errors"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"

	"github.com/ephemeralchat/caddy-ephemeral-chat/room"
	"github.com/ephemeralchat/caddy-ephemeral-chat/room/name"
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
		{"anna  \u3000 b", "anna b"},
		{"an\u200bna\ufeff", "anna"},         // no width
		{"\u202eanna\u2066", "anna"},         // direction
		{"anna\u00ad", "anna"},               // soft hyphen
		{"anna\U000e0061\U000e007f", "anna"}, // tags
		{"an\u034fna\u180b\ufe0f", "anna"},   // selectors and the like
		{"\u115f\u3164\uffa0\u2800", ""},     // all of them blank
		{"\u200d", ""},
		{"\u2065", ""},                         // unassigned, and to be ignored by default
		{"an\u2065na\ufff0\U000e0fff", "anna"}, // the same
		{"\U0001d159", ""},                     // a note without a head
		{"❤\ufe0f\u200d🔥", "❤\ufe0f\u200d🔥"},   // a heart on fire
		{"1\ufe0f\u20e3", "1\ufe0f\u20e3"},     // a key
		{"👍🏽", "👍🏽"},                           // with a tone of skin
		{"a\u200d🔥", "a🔥"},
		{"می\u200cخواهم", "می\u200cخواهم"}, // Persian joins letters unless a non-joiner separates them
		{"می\u200c", "می"},
		{"क\u094d\u200dष", "क\u094d\u200dष"}, // Devanagari, two letters instead of a ligature
		{"\U0001fae9", "\U0001fae9"},         // of a Unicode that this Go does not know
		{"\u0338anna", ""},                   // a mark on what stands in front
		{"a" + strings.Repeat("\u0338", 4), "a" + strings.Repeat("\u0338", 4)},
		{"a" + strings.Repeat("\u0338", 5), ""},
		{"anna\u2028b", ""},
		{"anna\ue000", ""}, // for private use
		{"anna\ufffe", ""}, // no character
	} {
		a, err := rooms.Create(t.Context(), room.CreateRequest{Name: "x", Username: c.name})
		if c.want == "" {
			expect(t, "username "+c.name, err, room.ErrInvalidRequest)
			r := create(t, rooms, room.CreateRequest{})
			_, err := rooms.Join(t.Context(), room.JoinRequest{RoomID: r.Room.ID, Username: c.name})
			expect(t, "username of a newcomer "+c.name, err, room.ErrInvalidRequest)
			continue
		}
		if err != nil || a.UserID != c.want {
			t.Errorf("username %q became %q, %v; want %q", c.name, a.UserID, err, c.want)
		}
		a, err = rooms.Create(t.Context(), room.CreateRequest{Name: c.name})
		if err != nil || a.Room.Name != c.want {
			t.Errorf("room name %q became %q, %v; want %q", c.name, a.Room.Name, err, c.want)
		}
	}
	for name, ok := range map[string]bool{"": false, " ": false, long(100): true, long(101): false, "a\rb": false, "\xc3\x28": false} {
		_, err := rooms.Create(t.Context(), room.CreateRequest{Name: name})
		if ok && err != nil {
			t.Errorf("room name %q: %v", name, err)
		}
		if !ok {
			expect(t, "room name "+name, err, room.ErrInvalidRequest)
		}
	}
}

// TestReservedNames joins under names that claim to be in charge.
func TestReservedNames(t *testing.T) {
	rooms, _ := newRooms(t)
	r := create(t, rooms, room.CreateRequest{Username: "System"}) // the creator of a room may
	for _, name := range []string{"admin", "Admin!", "★ ADMIN ★", "\u0430dmin", "adrnin", "a d m i n", "Moderator", "system", "[Server]", "Administrator"} {
		_, err := rooms.Join(t.Context(), room.JoinRequest{RoomID: r.Room.ID, Username: name})
		expect(t, name, err, room.ErrInvalidRequest)
	}
	for _, name := range []string{"adminton", "Sam Admin", "mod", "serverin"} {
		if joined := join(t, rooms, r.Room.ID, name); joined.UserID != name {
			t.Errorf("%q became %q", name, joined.UserID)
		}
	}
}

// TestSameLookSameName checks that two ways to write one name are one name.
func TestSameLookSameName(t *testing.T) {
	rooms, _ := newRooms(t)
	a := create(t, rooms, room.CreateRequest{Username: "Ren\u00e9"})
	if b := join(t, rooms, a.Room.ID, "Rene\u0301 "); b.UserID == a.UserID || !strings.HasPrefix(b.UserID, a.UserID+"-") {
		t.Errorf("another %q is %q", a.UserID, b.UserID)
	}
}

func FuzzName(f *testing.F) {
	for _, seed := range []string{"1\ufe0f\u20e3\u200d🔥", "\u0430nn\u0391", "\u0130\u212a", "\u3164\u0338", "anna", " Rene\u0301 ", "\xff", "a\x00", "\u2028", strings.Repeat("e\u0301", 40), "👩\u200d👧", "\u0344\u1fc1"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, input string) {
		rooms, _ := newRooms(t)
		a, err := rooms.Create(t.Context(), room.CreateRequest{Name: input, Username: "admin"})
		if err != nil {
			if !errors.Is(err, room.ErrInvalidRequest) {
				t.Fatalf("%q: %v", input, err)
			}
			return
		}
		got := a.Room.Name
		if n := utf8.RuneCountInString(got); n == 0 || n > name.MaxRoom || !utf8.ValidString(got) {
			t.Fatalf("%q became %q, of %d characters", input, got, n)
		}
		if !norm.NFC.IsNormalString(got) || strings.ContainsFunc(got, unicode.IsControl) || strings.TrimSpace(got) != got {
			t.Fatalf("%q became %q, which is not clean", input, got)
		}
		if strings.ContainsFunc(got, func(r rune) bool { return unicode.Is(unicode.Bidi_Control, r) }) {
			t.Fatalf("%q became %q, which turns what is around it", input, got)
		}
		if look := name.Skeleton(got); look != name.Skeleton(look) || look == "" {
			t.Fatalf("%q looks like %q, and that like %q", got, look, name.Skeleton(look))
		}
		again, err := rooms.Create(t.Context(), room.CreateRequest{Name: got})
		if err != nil || again.Room.Name != got {
			t.Fatalf("%q became %q, and that %q, %v", input, got, again.Room.Name, err)
		}
	})
}
