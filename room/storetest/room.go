package storetest

import (
	"bytes"
	"context"
	"errors"
	"testing"
	"time"

	"github.com/ephemeralchat/caddy-ephemeral-chat/room"
)

var roomTests = map[string]func(*testing.T, Backend){
	"CreateAndLoad":   testCreateAndLoad,
	"CreateIgnores":   testCreateIgnores,
	"UnknownRoom":     testUnknownRoom,
	"Member":          testMember,
	"SetLocked":       testSetLocked,
	"Remove":          testRemove,
	"CanceledContext": testCanceledContext,
	"NowIsNeverAhead": testNow,
	"OtherRoomsStay":  testOtherRoomsStay,
}

// sameRoom fails unless two rooms are the same in every field.
func sameRoom(t *testing.T, got, want room.Room) {
	t.Helper()
	if got.ID != want.ID || got.Name != want.Name || got.Admin != want.Admin || got.TTL != want.TTL ||
		got.Locked != want.Locked || got.Seq != want.Seq || got.Epoch != want.Epoch || got.Instance != want.Instance {
		t.Errorf("room is %q %q admin %q ttl %v locked %v seq %d epoch %q instance %q,\nwant %q %q admin %q ttl %v locked %v seq %d epoch %q instance %q",
			got.ID, got.Name, got.Admin, got.TTL, got.Locked, got.Seq, got.Epoch, got.Instance,
			want.ID, want.Name, want.Admin, want.TTL, want.Locked, want.Seq, want.Epoch, want.Instance)
	}
	if got.SignedIn != want.SignedIn {
		t.Errorf("room is of the site's own users: %v, want %v", got.SignedIn, want.SignedIn)
	}
	if !bytes.Equal(got.Key, want.Key) {
		t.Errorf("key is %d bytes %x, want %x", len(got.Key), got.Key, want.Key)
	}
	if !bytes.Equal(got.AdminPassword, want.AdminPassword) {
		t.Errorf("admin's password hash is %d bytes %x, want %x", len(got.AdminPassword), got.AdminPassword, want.AdminPassword)
	}
	if !bytes.Equal(got.Password, want.Password) {
		t.Errorf("password hash is %d bytes %x, want %x", len(got.Password), got.Password, want.Password)
	}
	if !got.CreatedAt.Equal(want.CreatedAt) || !got.StartedAt.Equal(want.StartedAt) || !got.Deadline.Equal(want.Deadline) ||
		got.StartedAt.IsZero() != want.StartedAt.IsZero() || got.Deadline.IsZero() != want.Deadline.IsZero() {
		t.Errorf("room was created %v, started %v, ends %v; want %v, %v, %v",
			got.CreatedAt, got.StartedAt, got.Deadline, want.CreatedAt, want.StartedAt, want.Deadline)
	}
}

func testCreateAndLoad(t *testing.T, b Backend) {
	binary := make([]byte, 48)
	for i := range binary {
		binary[i] = byte(i * 7) // with NUL, CR, LF and invalid UTF-8
	}
	r := newRoom(7 * time.Second)
	r.Name = "\"quoted\" \\ <b>Ünïcödé</b> \u2028 🦊"
	r.Admin = "Frau Müller: admin"
	r.Key = append([]byte{0, '\r', '\n', 0xff}, bytes.Repeat([]byte{0x80}, 28)...)
	r.Password = binary
	r.SignedIn = true
	from := time.Now().Truncate(time.Millisecond)
	createAs(t, b, r, longLobby)
	until := time.Now()
	for i, s := range b.Nodes {
		got := load(t, s, r.ID)
		if got.CreatedAt.Before(from) || got.CreatedAt.After(until) {
			t.Errorf("node %d: created at %v, want between %v and %v", i, got.CreatedAt, from, until)
		}
		if got.CreatedAt.Nanosecond()%int(time.Millisecond) != 0 {
			t.Errorf("node %d: created at %v, want whole milliseconds", i, got.CreatedAt)
		}
		want := r
		want.CreatedAt = got.CreatedAt
		sameRoom(t, got, want)
	}
	// A room without a password has none, not an empty one of some length.
	open := create(t, b, longTTL, longLobby)
	if got := load(t, b.node(1), open.ID); len(got.Password) != 0 {
		t.Errorf("a room without password has one of %d bytes", len(got.Password))
	}
}

func testCreateIgnores(t *testing.T, b Backend) {
	r := newRoom(longTTL)
	r.Locked = true
	r.Seq = 99
	r.CreatedAt = time.Unix(1, 0)
	r.StartedAt = time.Unix(2, 0)
	r.Deadline = time.Unix(3, 0)
	createAs(t, b, r, longLobby)
	got := load(t, b.node(1), r.ID)
	if got.Locked || got.Seq != 0 || got.Started() || !got.StartedAt.IsZero() || got.CreatedAt.Unix() == 1 {
		t.Errorf("a new room is locked %v, seq %d, created %v, started %v, deadline %v",
			got.Locked, got.Seq, got.CreatedAt, got.StartedAt, got.Deadline)
	}
}

func testUnknownRoom(t *testing.T, b Backend) {
	// Reading must not create anything.
	for _, id := range []string{room.NewID(), "x", "-_-"} {
		expectGone(t, b, id)
	}
}

func testMember(t *testing.T, b Backend) {
	r := create(t, b, longTTL, longLobby)
	join(t, b, r.ID, "anna", "bert")
	if err := b.node(0).Remove(t.Context(), r.ID, "bert"); err != nil {
		t.Fatal(err)
	}
	want := map[string]room.Membership{
		admin: room.IsMember, "anna": room.IsMember, "bert": room.WasRemoved,
		"carla": room.NotMember, "": room.NotMember, "Anna": room.NotMember,
		// Ids that a store might use for its own keys.
		"key": room.NotMember, "x:bert": room.NotMember, "seq": room.NotMember,
	}
	for i, s := range b.Nodes {
		for userID, membership := range want {
			got, m, err := s.Member(t.Context(), r.ID, userID)
			if err != nil {
				t.Fatalf("node %d: Member %q: %v", i, userID, err)
			}
			if m != membership {
				t.Errorf("node %d: Member %q is %d, want %d", i, userID, m, membership)
			}
			sameRoom(t, got, load(t, s, r.ID))
		}
	}
}

func testSetLocked(t *testing.T, b Backend) {
	r := create(t, b, longTTL, longLobby)
	all := watchAll(t, b, r.ID)
	for i, locked := range []bool{false, true, true, true, false, false, true} {
		if err := b.node(i).SetLocked(t.Context(), r.ID, locked); err != nil {
			t.Fatal(err)
		}
		for _, s := range b.Nodes {
			if got := load(t, s, r.ID).Locked; got != locked {
				t.Fatalf("after SetLocked %v the room says %v", locked, got)
			}
		}
		_, err := b.node(i+1).Join(t.Context(), r.ID, joinAs("anna", "bert", "carla", "dora"))
		if locked && !errors.Is(err, room.ErrRoomLocked) {
			t.Errorf("Join of a locked room: %v, want ErrRoomLocked", err)
		}
		if !locked && err != nil {
			t.Errorf("Join of a room that is not locked: %v", err)
		}
	}
	for _, w := range all {
		got := names(ofKind(w.fence(t, r.ID), room.EventLocked))
		want := []string{"locked true", "locked false", "locked true"}
		if len(got) != 3 || got[0] != want[0] || got[1] != want[1] || got[2] != want[2] {
			t.Errorf("node %d was told %q, want %q", w.node, got, want)
		}
	}
}

func testRemove(t *testing.T, b Backend) {
	r := create(t, b, longTTL, longLobby)
	join(t, b, r.ID, "anna", "bert")
	all := watchAll(t, b, r.ID)
	if err := b.node(1).Remove(t.Context(), r.ID, "anna"); err != nil {
		t.Fatalf("Remove: %v", err)
	}
	for i, s := range b.Nodes {
		for _, userID := range []string{"anna", "nobody", ""} {
			if err := s.Remove(t.Context(), r.ID, userID); !errors.Is(err, room.ErrMemberNotFound) {
				t.Errorf("node %d: Remove of %q: %v, want ErrMemberNotFound", i, userID, err)
			}
		}
	}
	// The store knows no roles: an admin that leaves is removed like any member.
	if err := b.node(0).Remove(t.Context(), r.ID, admin); err != nil {
		t.Fatalf("Remove of the admin: %v", err)
	}
	for _, w := range all {
		w.awaitUser(t, room.EventRemoved, admin)
		if got := names(w.events()); len(got) != 2 || got[0] != "removed anna" || got[1] != "removed admin" {
			t.Errorf("node %d was told %q, want anna and the admin removed", w.node, got)
		}
	}
}

func testCanceledContext(t *testing.T, b Backend) {
	r := create(t, b, longTTL, longLobby)
	w := watchOn(t, b, 0, r.ID)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	expect := func(what string, err error) {
		// The write may have happened, so later methods may find no room.
		if err != nil && !errors.Is(err, room.ErrUnavailable) && !errors.Is(err, room.ErrRoomNotFound) &&
			!errors.Is(err, room.ErrRemoved) && !errors.Is(err, room.ErrMemberNotFound) && !errors.Is(err, room.ErrRoomLocked) && !errors.Is(err, room.ErrMessageNotFound) {
			t.Errorf("%s with a canceled context: %v, want success or ErrUnavailable", what, err)
		}
	}
	_, err := w.tryEnter(ctx, presence(admin), manyUsers)
	expect("Enter", err)
	expect("Typing", w.feed.Typing(ctx, admin))
	for name, err := range methods(ctx, b.node(0), r.ID) {
		expect(name, err)
	}
	other := newRoom(longTTL)
	err = b.node(0).Create(ctx, other, room.CreateLimits{Lobby: longLobby})
	expect("Create", err)
	if err == nil {
		load(t, b.node(0), other.ID)
	}
	if err := b.node(0).Delete(t.Context(), other.ID); err != nil && !errors.Is(err, room.ErrRoomNotFound) {
		t.Error(err)
	}
}

func testNow(t *testing.T, b Backend) {
	r := create(t, b, longTTL, longLobby) // a store may learn the time from replies
	for i, s := range b.Nodes {
		load(t, s, r.ID)
		for range 100 {
			before := time.Now()
			now := s.Now()
			after := time.Now()
			if now.After(after) {
				t.Fatalf("node %d: Now is %v ahead", i, now.Sub(after))
			}
			if behind := before.Sub(now); behind > 500*time.Millisecond {
				t.Fatalf("node %d: Now is %v behind", i, behind)
			}
			load(t, s, r.ID)
		}
	}
}

func testOtherRoomsStay(t *testing.T, b Backend) {
	// A write to one room leaves others alone, also if their ids and users are
	// similar.
	r := create(t, b, longTTL, longLobby)
	other := newRoom(longTTL)
	other.ID = r.ID + "-"
	createAs(t, b, other, longLobby)
	join(t, b, other.ID, "anna")
	want := load(t, b.node(0), other.ID)
	w := watchOn(t, b, 0, other.ID)
	join(t, b, r.ID, "anna")
	post(t, b.node(1), r.ID, "one", "two")
	if err := b.node(1).Remove(t.Context(), r.ID, "anna"); err != nil {
		t.Fatal(err)
	}
	if err := b.node(0).SetLocked(t.Context(), r.ID, true); err != nil {
		t.Fatal(err)
	}
	if err := b.node(0).Delete(t.Context(), r.ID); err != nil {
		t.Fatal(err)
	}
	sameRoom(t, load(t, b.node(1), other.ID), want)
	if _, m, err := b.node(1).Member(t.Context(), other.ID, "anna"); err != nil || m != room.IsMember {
		t.Errorf("anna is %d (%v) in the other room, want a member", m, err)
	}
	if got := w.fence(t, other.ID); len(got) != 1 || got[0].Kind != room.EventStarted {
		t.Errorf("the other room was told %s, want its start only", describe(got))
	}
}
