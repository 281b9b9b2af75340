package storetest

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/ephemeralchat/caddy-ephemeral-chat/room"
)

var expiryTests = map[string]func(*testing.T, Backend){
	"Expires":          testExpires,
	"ExpiresUnwatched": testExpiresUnwatched,
	"FirstMessage":     testExpiresAfterFirstMessage,
	"Hammered":         testHammered,
	"LateWatch":        testLateWatch,
}

const (
	shortTTL = time.Second
	// endWithin is how soon after a deadline its event must come.
	endWithin = 500 * time.Millisecond
	// scheduling is how long a call that began before the deadline may take.
	scheduling = 100 * time.Millisecond
)

// expectExpiry waits until a room with this deadline expires on every node. It
// fails if a node expires it too early or too late.
func expectExpiry(t *testing.T, b Backend, roomID string, all []*watch, deadline time.Time) {
	t.Helper()
	for _, w := range all {
		e := w.awaitUserWithin(t, time.Until(deadline)+timeout, room.EventEnded, "")
		if e.Reason != room.EndExpired {
			t.Errorf("node %d: ended with %q, want %q", w.node, e.Reason, room.EndExpired)
		}
		if late := e.at.Sub(deadline); late < 0 || late > endWithin {
			t.Errorf("node %d: the end came %v after the deadline, want 0 to %v", w.node, late, endWithin)
		}
		expectFeedGone(t, w)
	}
	expectGone(t, b, roomID)
}

func testExpires(t *testing.T, b Backend) {
	r := create(t, b, shortTTL, longLobby)
	join(t, b, r.ID, "anna", "bert")
	all := watchAll(t, b, r.ID)
	all[0].enter(t, presence("anna"))
	clock, err := b.node(0).Start(t.Context(), r.ID)
	if err != nil {
		t.Fatal(err)
	}
	// Keys that are created now must expire as well.
	last := all[len(all)-1]
	last.enter(t, presence("bert"))
	s := b.node(1)
	if _, err := s.Post(t.Context(), r.ID, numbered(s, "bert", "tag-of-bert", 1, "hello")); err != nil {
		t.Fatal(err)
	}
	join(t, b, r.ID, "carla")
	if err := s.Remove(t.Context(), r.ID, "anna"); err != nil {
		t.Fatal(err)
	}
	for n := range 3 { // nothing extends the deadline
		at(t, clock.StartedAt.Add(time.Duration(n)*300*time.Millisecond))
		post(t, s, r.ID, "still here")
	}
	if got := load(t, b.node(0), r.ID); !got.Deadline.Equal(clock.Deadline) {
		t.Errorf("the deadline moved from %v to %v", clock.Deadline, got.Deadline)
	}
	expectExpiry(t, b, r.ID, all, clock.Deadline)
}

// testExpiresUnwatched polls a room without watchers: it exists until its deadline,
// not after.
func testExpiresUnwatched(t *testing.T, b Backend) {
	r := create(t, b, shortTTL, longLobby)
	clock, err := b.node(0).Start(t.Context(), r.ID)
	if err != nil {
		t.Fatal(err)
	}
	together(len(b.Nodes), func(i int) {
		s := b.node(i)
		for {
			now, before := s.Now(), time.Now()
			_, err := s.Load(t.Context(), r.ID)
			after := time.Now()
			switch {
			case err == nil:
				if late := before.Sub(clock.Deadline); late > scheduling {
					t.Errorf("node %d: the room exists %v after its deadline", i, late)
					return
				}
				if late := now.Sub(clock.Deadline); late > scheduling {
					t.Errorf("node %d: the room exists %v after its deadline by the store's clock", i, late)
					return
				}
			case errors.Is(err, room.ErrRoomNotFound):
				if early := clock.Deadline.Sub(after); early > 0 {
					t.Errorf("node %d: the room is gone %v before its deadline", i, early)
				}
				return
			default:
				t.Errorf("node %d: Load: %v", i, err)
				return
			}
			<-time.After(2 * time.Millisecond)
		}
	})
	expectGone(t, b, r.ID)
}

func testExpiresAfterFirstMessage(t *testing.T, b Backend) {
	r := create(t, b, 2*time.Second, longLobby)
	all := watchAll(t, b, r.ID)
	post(t, b.node(1), r.ID, "first")
	started := all[0].awaitKind(t, room.EventStarted)
	expectExpiry(t, b, r.ID, all, started.Deadline)
}

// testHammered writes on all nodes without a pause. That can neither extend a room
// nor bring back any of its data.
func testHammered(t *testing.T, b Backend) {
	r := create(t, b, shortTTL, longLobby)
	join(t, b, r.ID, "anna")
	all := watchAll(t, b, r.ID)
	clock, err := b.node(0).Start(t.Context(), r.ID)
	if err != nil {
		t.Fatal(err)
	}
	writes := []func(n int, s room.Store, w *watch) error{
		func(n int, s room.Store, _ *watch) error {
			_, err := s.Post(t.Context(), r.ID, numbered(s, admin, fmt.Sprintf("tag-%d", n), 1, "hello"))
			return err
		},
		func(_ int, s room.Store, _ *watch) error {
			_, err := s.Post(t.Context(), r.ID, newPost(s, "anna", "hello"))
			return err
		},
		func(n int, s room.Store, _ *watch) error {
			join := room.Join{Candidates: []string{fmt.Sprintf("user-%d", n), room.NewID()}, MaxOnline: manyUsers, MaxMembers: 1 << 20}
			_, err := s.Join(t.Context(), r.ID, join)
			return err
		},
		func(n int, s room.Store, _ *watch) error { return s.SetLocked(t.Context(), r.ID, n%5 == 0) },
		func(_ int, s room.Store, _ *watch) error {
			_, err := s.Start(t.Context(), r.ID)
			return err
		},
		func(_ int, _ room.Store, w *watch) error {
			p := presence("anna")
			_, err := w.tryEnter(t.Context(), p, manyUsers)
			w.exit(t.Context(), p)
			return err
		},
	}
	together(len(writes)*len(b.Nodes), func(i int) {
		s, w, write := b.node(i), all[i%len(all)], writes[i/len(b.Nodes)]
		gone := false
		for n := 0; time.Now().Before(clock.Deadline.Add(endWithin)); n++ {
			before := time.Now()
			err := write(n, s, w)
			switch {
			case errors.Is(err, room.ErrRoomNotFound):
				if early := time.Until(clock.Deadline); early > 0 {
					t.Errorf("write %d: no room %v before its deadline", i, early)
				}
				gone = true
			case errors.Is(err, room.ErrRoomLocked):
			case err != nil:
				t.Errorf("write %d: %v", i, err)
			case gone:
				t.Errorf("write %d succeeded in a room that had gone", i)
				return
			case before.After(clock.Deadline.Add(scheduling)):
				t.Errorf("write %d succeeded %v after the deadline", i, before.Sub(clock.Deadline))
				return
			}
			<-time.After(time.Millisecond)
		}
	})
	expectExpiry(t, b, r.ID, all, clock.Deadline)
}

// testLateWatch opens a watch that learns the deadline from its snapshot only.
func testLateWatch(t *testing.T, b Backend) {
	r := create(t, b, shortTTL, longLobby)
	clock, err := b.node(0).Start(t.Context(), r.ID)
	if err != nil {
		t.Fatal(err)
	}
	at(t, clock.StartedAt.Add(300*time.Millisecond))
	all := watchAll(t, b, r.ID)
	expectExpiry(t, b, r.ID, all, clock.Deadline)
}
