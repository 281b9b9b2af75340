package room_test

import (
	"errors"
	"testing"
	"time"

	"github.com/ephemeralchat/caddy-ephemeral-chat/room"
	"github.com/ephemeralchat/caddy-ephemeral-chat/room/message"
)

func TestFormatTime(t *testing.T) {
	for _, c := range []struct {
		at   time.Time
		want string
	}{
		{time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC), "2026-01-02T03:04:05.000Z"},
		{time.Date(2026, 1, 2, 3, 4, 5, 6_000_000, time.UTC), "2026-01-02T03:04:05.006Z"},
		{time.Date(2026, 1, 2, 3, 4, 5, 999_999_999, time.UTC), "2026-01-02T03:04:05.999Z"},
		{time.Date(2026, 1, 1, 0, 30, 0, 0, time.FixedZone("", 3600)), "2025-12-31T23:30:00.000Z"},
		{time.UnixMilli(1_700_000_000_123), "2023-11-14T22:13:20.123Z"},
	} {
		if got := message.FormatTime(c.at); got != c.want {
			t.Errorf("%v is %q, want %q", c.at, got, c.want)
		}
		if back, err := time.Parse(time.RFC3339, c.want); err != nil || !back.Equal(c.at.Truncate(time.Millisecond)) {
			t.Errorf("%q is read back as %v, %v", c.want, back, err)
		}
	}
}

func TestStarted(t *testing.T) {
	r := room.Room{}
	if r.Started() {
		t.Error("a room without a deadline has started")
	}
	r.Deadline = time.UnixMilli(1)
	if !r.Started() {
		t.Error("a room with a deadline has not started")
	}
}

func TestMembershipErr(t *testing.T) {
	for membership, want := range map[room.Membership]error{
		room.IsMember: nil, room.WasRemoved: room.ErrRemoved, room.NotMember: room.ErrInvalidSession,
	} {
		if got := membership.Err(); !errors.Is(got, want) {
			t.Errorf("membership %d: %v, want %v", membership, got, want)
		}
	}
}

func TestPageLast(t *testing.T) {
	empty := room.Page{Oldest: 3, Newest: 9}
	if got := empty.Last(); got != 0 {
		t.Errorf("the last of an empty page is %d, want 0", got)
	}
	page := room.Page{Entries: make([][]byte, 3), First: 7}
	if got := page.Last(); got != 9 {
		t.Errorf("the last of three from 7 is %d, want 9", got)
	}
}
