package storetest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/ephemeralchat/caddy-ephemeral-chat/room"
)

// instanceTests are about declared rooms, which open a new instance after the end.
var instanceTests = map[string]func(*testing.T, Backend){
	"Open":          testOpen,
	"OpenAtOnce":    testOpenAtOnce,
	"OpenWhatIs":    testOpenCreated,
	"AnotherLife":   testAnotherLife,
	"AfterDeletion": testLifeAfterDeletion,
	"AfterExpiry":   testLifeAfterExpiry,
	"AfterReaping":  testLifeAfterReaping,
	"AtTheDeadline": testInstanceAtTheDeadline,
}

// newInstance returns an instance that no store has yet.
func newInstance(roomID string, ttl time.Duration) room.Room {
	r := newRoom(ttl)
	r.ID, r.Admin, r.Instance = roomID, "", room.NewNonce()
	return r
}

// tryOpen opens a room on a node; the test's cleanup ends the instance.
func tryOpen(t *testing.T, s room.Store, r room.Room, lobby time.Duration) (room.Room, error) {
	t.Helper()
	opened, err := s.Open(t.Context(), r, room.CreateLimits{Lobby: lobby})
	if err != nil {
		return opened, err
	}
	ctx := context.WithoutCancel(t.Context())
	t.Cleanup(func() {
		if err := s.Delete(ctx, opened.InstanceID()); err != nil && !errors.Is(err, room.ErrRoomNotFound) {
			t.Errorf("Delete after the test: %v", err)
		}
	})
	return opened, nil
}

// begin opens a room that has no instance.
func begin(t *testing.T, s room.Store, r room.Room, lobby time.Duration) room.Room {
	t.Helper()
	opened, err := tryOpen(t, s, r, lobby)
	if err != nil {
		t.Fatalf("Open: %v", err)
	}
	if opened.InstanceID() != r.InstanceID() {
		t.Fatalf("Open of a room that is not there returned the instance %q, want %q", opened.InstanceID(), r.InstanceID())
	}
	return opened
}

func testOpen(t *testing.T, b Backend) {
	r := newInstance(room.NewID(), 7*time.Second)
	r.Password = append([]byte{0, '\r', '\n', 0xff}, bytes.Repeat([]byte{0x80}, 44)...)
	r.AdminPassword = append([]byte{0xff, '\n', '\r', 0}, bytes.Repeat([]byte{0x81}, 44)...)
	// The store sets these.
	r.Admin, r.Locked, r.Seq = "somebody", true, 99
	r.CreatedAt, r.StartedAt, r.Deadline = time.Unix(1, 0), time.Unix(2, 0), time.Unix(3, 0)
	from := time.Now().Truncate(time.Millisecond)
	opened := begin(t, b.node(0), r, longLobby)
	if opened.CreatedAt.Before(from) || opened.CreatedAt.After(time.Now()) {
		t.Errorf("opened at %v, want now", opened.CreatedAt)
	}
	want := r
	want.Admin, want.Locked, want.Seq, want.CreatedAt = "", false, 0, opened.CreatedAt
	want.StartedAt, want.Deadline = time.Time{}, time.Time{}
	sameRoom(t, opened, want)
	for i, s := range b.Nodes {
		for _, id := range []string{r.ID, r.InstanceID()} {
			sameRoom(t, load(t, s, id), want)
			for _, userID := range []string{"", "somebody", admin} {
				got, membership, err := s.Member(t.Context(), id, userID)
				if err != nil || membership != room.NotMember {
					t.Errorf("node %d: Member %q of a new instance is %v, %v, want a stranger", i, userID, membership, err)
				}
				sameRoom(t, got, want)
			}
		}
		// A second call returns the existing instance.
		again, err := tryOpen(t, s, newInstance(r.ID, time.Hour), longLobby)
		if err != nil {
			t.Fatalf("node %d: Open again: %v", i, err)
		}
		sameRoom(t, again, want)
	}
	join(t, b, r.InstanceID(), "anna", "bert")
}

func testOpenAtOnce(t *testing.T, b Backend) {
	for range 10 {
		id := room.NewID()
		var opened [8]room.Room
		together(len(opened), func(i int) {
			var err error
			if opened[i], err = tryOpen(t, b.node(i), newInstance(id, longTTL), longLobby); err != nil {
				t.Errorf("Open at once with others: %v", err)
			}
		})
		now := load(t, b.node(0), id)
		for i := range opened {
			sameRoom(t, opened[i], now)
		}
	}
}

// testOpenCreated opens a room that Create made.
func testOpenCreated(t *testing.T, b Backend) {
	r := create(t, b, longTTL, longLobby)
	opened, err := b.node(1).Open(t.Context(), newInstance(r.ID, longTTL), room.CreateLimits{Lobby: longLobby})
	if err != nil {
		t.Fatalf("Open: %v", err)
	}
	sameRoom(t, opened, load(t, b.node(0), r.ID))
	if opened.Instance != "" || opened.Admin != admin {
		t.Errorf("opened instance %q with admin %q, want the one that there is", opened.Instance, opened.Admin)
	}
}

// expectNoInstance fails unless every method on every node returns ErrRoomNotFound
// for the instance. A bare room id finds an instance by Load and Member only.
func expectNoInstance(t *testing.T, b Backend, instanceID string) {
	t.Helper()
	_, instance := room.SplitInstanceID(instanceID)
	for i, s := range b.Nodes {
		for method, err := range methods(t.Context(), s, instanceID) {
			if instance == "" && (method == "Load" || method == "Member") {
				if err != nil {
					t.Errorf("node %d: %s by the room's id: %v", i, method, err)
				}
			} else if !errors.Is(err, room.ErrRoomNotFound) {
				t.Errorf("node %d: %s of another instance: %v, want ErrRoomNotFound", i, method, err)
			}
		}
	}
}

func testAnotherLife(t *testing.T, b Backend) {
	r := begin(t, b.node(0), newInstance(room.NewID(), longTTL), longLobby)
	join(t, b, r.InstanceID(), admin, "anna")
	all := watchAll(t, b, r.InstanceID())
	before := load(t, b.node(0), r.ID)
	for _, other := range []string{room.InstanceID(r.ID, "other"), r.ID, r.InstanceID() + "x"} {
		expectNoInstance(t, b, other)
	}
	for _, s := range b.Nodes {
		sameRoom(t, load(t, s, r.ID), before)
		if _, membership, err := s.Member(t.Context(), r.ID, admin); err != nil || membership != room.IsMember {
			t.Errorf("a member of this instance is %v, %v", membership, err)
		}
	}
	for _, w := range all {
		if events := w.fence(t, r.InstanceID()); len(ofKind(events, room.EventMessage)) > len(b.Nodes) || len(ofKind(events, room.EventLocked)) > 0 {
			t.Errorf("node %d was told %s, want nothing of what was asked of other instances", w.node, describe(events))
		}
	}
	// The instance of a created room has no name.
	made := create(t, b, longTTL, longLobby)
	expectNoInstance(t, b, room.InstanceID(made.ID, "other"))
	load(t, b.node(1), made.ID)
}

// lead fills an instance: two members, one of them removed, a lock, and, if it is to
// start, messages with ids.
func lead(t *testing.T, b Backend, r room.Room, start bool) []*watch {
	t.Helper()
	join(t, b, r.InstanceID(), "anna", "bert")
	all := watchAll(t, b, r.InstanceID())
	all[0].enter(t, presence("anna"))
	all[len(all)-1].enter(t, presence("bert"))
	if start {
		for id := uint64(1); id <= 5; id++ {
			s := b.node(int(id))
			if _, err := s.Post(t.Context(), r.InstanceID(), numbered(s, "anna", "tag-of-anna", id, "of the former instance")); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := b.node(0).Remove(t.Context(), r.InstanceID(), "bert"); err != nil {
		t.Fatal(err)
	}
	if err := b.node(1).SetLocked(t.Context(), r.InstanceID(), true); err != nil {
		t.Fatal(err)
	}
	return all
}

// expectNothingOf begins the next instance after one that has ended while all nodes
// watched it. It fails if one has data of the other.
func expectNothingOf(t *testing.T, b Backend, former room.Room, all []*watch) {
	t.Helper()
	expectGone(t, b, former.ID)
	var told []int
	for _, w := range all {
		told = append(told, len(w.events()))
		expectFeedGone(t, w)
	}
	r := begin(t, b.node(1), newInstance(former.ID, longTTL), longLobby)
	if r.Seq != 0 || r.Locked || r.Started() || r.Epoch == former.Epoch {
		t.Errorf("the next instance begins with seq %d, locked %v, started %v, epoch %q", r.Seq, r.Locked, r.Started(), r.Epoch)
	}
	expectNoInstance(t, b, former.InstanceID())
	for i, s := range b.Nodes {
		for _, userID := range []string{"anna", "bert"} {
			if _, membership, err := s.Member(t.Context(), r.InstanceID(), userID); err != nil || membership != room.NotMember {
				t.Errorf("node %d: %q of the former instance is %v, %v, want a stranger", i, userID, membership, err)
			}
		}
		if page, err := s.Before(t.Context(), r.InstanceID(), 0, 10, maxBytes); err != nil || len(page.Entries) != 0 || page.Newest != 0 {
			t.Errorf("node %d: the next instance has %d messages, newest %d, %v", i, len(page.Entries), page.Newest, err)
		}
	}
	join(t, b, r.InstanceID(), "anna", "bert", admin) // the names are free
	now := watchAll(t, b, r.InstanceID())
	for _, w := range now {
		if len(w.snapshot.Online) > 0 {
			t.Errorf("node %d: %q are online in a instance that nobody has entered", w.node, w.snapshot.Online)
		}
	}
	if lastID := now[0].enter(t, presence("anna")); lastID != 0 {
		t.Errorf("a session is said to have posted up to id %d in the former instance", lastID)
	}
	for _, w := range all {
		expectFeedGone(t, w)
		w.feed.Exit(t.Context(), "anna", ^uint64(0)) // has no effect on this instance
		w.feed.Close()
	}
	s := b.node(0)
	receipt, err := s.Post(t.Context(), r.InstanceID(), numbered(s, "anna", "tag-of-anna", 1, "hello again"))
	if err != nil || receipt.Seq != 1 {
		t.Errorf("the first message is number %d, duplicate %v, %v", receipt.Seq, receipt.Duplicate, err)
	}
	for _, w := range now {
		if got := presenceEvents(w.fence(t, r.InstanceID())); !slices.Equal(got, []string{"joined anna"}) {
			t.Errorf("node %d was told %q, want that anna joined", w.node, got)
		}
	}
	for i, w := range all {
		if events := w.events(); len(events) != told[i] {
			t.Errorf("node %d was told of the former instance: %s", w.node, describe(events[told[i]:]))
		}
	}
	load(t, b.node(1), r.InstanceID())
}

func testLifeAfterDeletion(t *testing.T, b Backend) {
	id := room.NewID()
	for range 3 {
		r := begin(t, b.node(0), newInstance(id, longTTL), longLobby)
		all := lead(t, b, r, true)
		if err := b.node(1).Delete(t.Context(), r.InstanceID()); err != nil {
			t.Fatal(err)
		}
		for _, w := range all {
			w.awaitKind(t, room.EventEnded)
		}
		expectNothingOf(t, b, r, all)
		next := load(t, b.node(0), id)
		if err := b.node(0).Delete(t.Context(), next.InstanceID()); err != nil {
			t.Fatal(err)
		}
	}
}

func testLifeAfterExpiry(t *testing.T, b Backend) {
	r := begin(t, b.node(0), newInstance(room.NewID(), shortTTL), longLobby)
	all := lead(t, b, r, true)
	for _, w := range all {
		w.awaitKind(t, room.EventEnded)
	}
	expectNothingOf(t, b, r, all)
}

func testLifeAfterReaping(t *testing.T, b Backend) {
	r := begin(t, b.node(0), newInstance(room.NewID(), longTTL), shortLobby)
	all := lead(t, b, r, false)
	for _, w := range all {
		w.awaitKind(t, room.EventEnded)
	}
	expectNothingOf(t, b, r, all)
}

// testInstanceAtTheDeadline begins the next instance at the very deadline, before
// the nodes notice it: they end the old instance and leave the next one alone.
func testInstanceAtTheDeadline(t *testing.T, b Backend) {
	const rooms = 20
	together(rooms, func(i int) {
		first := newInstance(room.NewID(), shortTTL)
		if _, err := tryOpen(t, b.node(i), first, longLobby); err != nil {
			t.Errorf("Open: %v", err)
			return
		}
		// Without a message, so that the numbers of the next instance would fit.
		clock, err := b.node(i).Start(t.Context(), first.InstanceID())
		if err != nil {
			t.Errorf("Start: %v", err)
			return
		}
		t.Run(fmt.Sprint(i), func(t *testing.T) {
			all := watchAll(t, b, first.InstanceID())
			at(t, clock.Deadline.Add(-time.Duration(i)*time.Millisecond))
			next := newInstance(first.ID, longTTL)
			for opened := first; opened.Instance == first.Instance; {
				if opened, err = tryOpen(t, b.node(i), next, longLobby); err != nil {
					t.Fatalf("Open at the deadline: %v", err)
				}
			}
			if now := time.Now(); now.Before(clock.Deadline) {
				t.Errorf("the next instance began %v before the deadline", clock.Deadline.Sub(now))
			}
			post(t, b.node(i+1), next.InstanceID(), "one", "two", "three")
			for _, w := range all {
				if e := w.awaitKind(t, room.EventEnded); e.Reason != room.EndExpired {
					t.Errorf("node %d: the former instance ended with %q", w.node, e.Reason)
				}
				if told := ofKind(w.events(), room.EventMessage); len(told) > 0 {
					t.Errorf("node %d was told of the next instance: %s", w.node, describe(told))
				}
			}
			if got := load(t, b.node(i), next.InstanceID()); got.Seq != 3 {
				t.Errorf("the next instance has %d messages, want 3", got.Seq)
			}
		})
	})
}
