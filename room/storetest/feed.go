package storetest

import (
	"fmt"
	"sync"
	"testing"

	"github.com/ephemeralchat/caddy-ephemeral-chat/room"
)

var watchTests = map[string]func(*testing.T, Backend){
	"Snapshot":          testSnapshot,
	"NoHoleWhileOpened": testNoHole,
	"EventsInOneOrder":  testEventsInOneOrder,
	"Close":             testClose,
	"CloseWhilePosting": testCloseWhilePosting,
	"CloseAtOnce":       testCloseAtOnce,
	"Again":             testWatchAgain,
	"AfterTheStart":     testWatchStarted,
}

func testSnapshot(t *testing.T, b Backend) {
	r := create(t, b, longTTL, longLobby)
	join(t, b, r.ID, "anna", "bert")
	all := watchAll(t, b, r.ID)
	for _, w := range all {
		sameRoom(t, w.snapshot.Room, load(t, b.node(w.node), r.ID))
		if len(w.snapshot.Online) != 0 {
			t.Errorf("node %d: %q are online in a new room", w.node, w.snapshot.Online)
		}
	}
	if err := b.node(0).SetLocked(t.Context(), r.ID, true); err != nil {
		t.Fatal(err)
	}
	post(t, b.node(1), r.ID, "one", "two")
	later := watchOn(t, b, 0, newRoomBeside(t, b).ID) // another room makes no difference
	if later.snapshot.Room.ID == r.ID {
		t.Error("the snapshot is of another room")
	}
	for _, w := range all {
		w.awaitSeq(t, 2)
	}
}

func newRoomBeside(t *testing.T, b Backend) room.Room {
	t.Helper()
	return create(t, b, longTTL, longLobby)
}

// testNoHole opens watches while every node posts. Each message after the snapshot
// arrives once: verify checks that.
func testNoHole(t *testing.T, b Backend) {
	for range 20 {
		r := create(t, b, longTTL, longLobby)
		const posts, posters = 60, 2
		first := make(chan struct{})
		var once sync.Once
		var running sync.WaitGroup
		for i := range posters {
			// Ends after its posts; awaited below.
			running.Go(func() {
				s := b.node(i)
				for n := range posts {
					if _, err := s.Post(t.Context(), r.ID, newPost(s, admin, fmt.Sprint(n))); err != nil {
						t.Errorf("Post: %v", err)
						return
					}
					once.Do(func() { close(first) })
				}
			})
		}
		<-first
		all := watchAll(t, b, r.ID)
		running.Wait()
		for _, w := range all {
			if seq := w.snapshot.Room.Seq; seq < posts*posters {
				w.awaitSeq(t, posts*posters)
			}
		}
	}
}

// testEventsInOneOrder makes all kinds of changes at once: every node delivers the
// events in the same order.
func testEventsInOneOrder(t *testing.T, b Backend) {
	r := create(t, b, longTTL, longLobby)
	all := watchAll(t, b, r.ID)
	together(4, func(i int) {
		s := b.node(i)
		for n := range 30 {
			if _, err := s.Post(t.Context(), r.ID, newPost(s, admin, fmt.Sprint(n))); err != nil {
				t.Errorf("Post: %v", err)
			}
			if err := s.SetLocked(t.Context(), r.ID, (n+i)%2 == 0); err != nil {
				t.Errorf("SetLocked: %v", err)
			}
		}
	})
	var first string
	for _, w := range all {
		w.awaitSeq(t, 4*30)
		got := describe(w.fence(t, r.ID))
		if first == "" {
			first = got
		}
		if len(got) < len(first) || got[:len(first)] != first { // later ones have more fences
			t.Errorf("node %d was told\n%s\nwhile node 0 was told\n%s", w.node, got, first)
		}
	}
}

func testClose(t *testing.T, b Backend) {
	r := create(t, b, longTTL, longLobby)
	for i := range b.Nodes {
		w := watchOn(t, b, i, r.ID)
		post(t, b.node(i+1), r.ID, "one")
		w.awaitKind(t, room.EventMessage)
		w.feed.Close()
		came := len(w.events())
		// An event on a later watch of the same node has passed the closed one.
		later := watchOn(t, b, i, r.ID)
		later.fence(t, r.ID)
		if events := w.events(); len(events) != came {
			t.Errorf("node %d: after Close came %s", i, describe(events[came:]))
		}
		w.feed.Close()
		later.feed.Close()
	}
}

func testCloseWhilePosting(t *testing.T, b Backend) {
	r := create(t, b, longTTL, longLobby)
	stop := make(chan struct{})
	var running sync.WaitGroup
	for i := range b.Nodes {
		// Ends with stop; awaited below.
		running.Go(func() {
			s := b.node(i)
			for n := 0; ; n++ {
				select {
				case <-stop:
					return
				default:
				}
				if _, err := s.Post(t.Context(), r.ID, newPost(s, admin, fmt.Sprint(n))); err != nil {
					t.Errorf("Post: %v", err)
					return
				}
			}
		})
	}
	for i := range 20 {
		w := watchOn(t, b, i, r.ID)
		w.awaitKind(t, room.EventMessage)
		w.close(t.Context()) // checks that no event follows
		came := len(w.events())
		other := watchOn(t, b, i, r.ID)
		other.awaitKind(t, room.EventMessage)
		other.close(t.Context())
		if n := len(w.events()); n != came {
			t.Errorf("round %d: %d events came after Close had returned", i, n-came)
		}
	}
	close(stop)
	running.Wait()
}

func testCloseAtOnce(t *testing.T, b Backend) {
	r := create(t, b, longTTL, longLobby)
	all := watchAll(t, b, r.ID)
	// Closing concurrently, while the room ends, never blocks.
	together(8, func(i int) {
		if i == 0 {
			if err := b.node(0).Delete(t.Context(), r.ID); err != nil {
				t.Errorf("Delete: %v", err)
			}
			return
		}
		all[i%len(all)].feed.Close()
	})
}

// testWatchAgain repeatedly closes the last feed of a room and opens a new one, as a
// node does when the only member there reconnects.
func testWatchAgain(t *testing.T, b Backend) {
	r := create(t, b, longTTL, longLobby)
	for i := range 30 {
		w := watchOn(t, b, i/2, r.ID)
		if got := w.snapshot.Room.Seq; got != uint64(i) {
			t.Fatalf("watch %d: the snapshot says seq %d", i, got)
		}
		post(t, b.node(i), r.ID, fmt.Sprint(i))
		w.awaitSeq(t, uint64(i+1))
		w.close(t.Context())
	}
}

func testWatchStarted(t *testing.T, b Backend) {
	r := create(t, b, longTTL, longLobby)
	clock, err := b.node(0).Start(t.Context(), r.ID)
	if err != nil {
		t.Fatal(err)
	}
	post(t, b.node(0), r.ID, "one", "two", "three")
	if err := b.node(0).SetLocked(t.Context(), r.ID, true); err != nil {
		t.Fatal(err)
	}
	for _, w := range watchAll(t, b, r.ID) {
		s := w.snapshot.Room
		if !s.StartedAt.Equal(clock.StartedAt) || !s.Deadline.Equal(clock.Deadline) || s.Seq != 3 || !s.Locked {
			t.Errorf("node %d: the snapshot says started %v, deadline %v, seq %d, locked %v; want %v, %v, 3, true",
				w.node, s.StartedAt, s.Deadline, s.Seq, s.Locked, clock.StartedAt, clock.Deadline)
		}
	}
}
