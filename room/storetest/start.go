package storetest

import (
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ephemeralchat/caddy-ephemeral-chat/room"
)

var startTests = map[string]func(*testing.T, Backend){
	"Start":         testStart,
	"FirstMessage":  testFirstMessage,
	"ExactlyOnce":   testStartExactlyOnce,
	"ManyFirstPost": testManyFirstPosts,
}

func testStart(t *testing.T, b Backend) {
	r := create(t, b, 90*time.Second, longLobby)
	all := watchAll(t, b, r.ID)
	from := time.Now().Truncate(time.Millisecond)
	clock, err := b.node(0).Start(t.Context(), r.ID)
	if err != nil {
		t.Fatalf("Start: %v", err)
	}
	until := time.Now()
	if !clock.Began {
		t.Error("whoever starts the room is not told that it did")
	}
	if clock.StartedAt.Before(from) || clock.StartedAt.After(until) {
		t.Errorf("started at %v, want between %v and %v", clock.StartedAt, from, until)
	}
	if clock.StartedAt.Nanosecond()%int(time.Millisecond) != 0 {
		t.Errorf("started at %v, want whole milliseconds", clock.StartedAt)
	}
	if got := clock.Deadline.Sub(clock.StartedAt); got != r.TTL {
		t.Errorf("the deadline is %v after the start, want %v", got, r.TTL)
	}
	expectClock(t, b, r.ID, all, clock)
	// Later, nothing changes any more.
	at(t, time.Now().Add(5*time.Millisecond))
	post(t, b.node(1), r.ID, "one")
	for i, s := range b.Nodes {
		again, err := s.Start(t.Context(), r.ID)
		if err != nil || !sameClock(again, clock) || again.Began {
			t.Errorf("node %d: Start again: %v, %v; want %v", i, again, err, clock)
		}
	}
	expectClock(t, b, r.ID, all, clock)
}

func sameClock(a, b room.Clock) bool {
	return a.StartedAt.Equal(b.StartedAt) && a.Deadline.Equal(b.Deadline)
}

// expectClock fails unless every node and every watch knows the same clock.
func expectClock(t *testing.T, b Backend, roomID string, all []*watch, clock room.Clock) {
	t.Helper()
	for i, s := range b.Nodes {
		r := load(t, s, roomID)
		if got := (room.Clock{StartedAt: r.StartedAt, Deadline: r.Deadline}); !sameClock(got, clock) {
			t.Errorf("node %d: Load says %v, want %v", i, got, clock)
		}
	}
	for _, w := range all {
		e := w.awaitKind(t, room.EventStarted)
		if got := (room.Clock{StartedAt: e.StartedAt, Deadline: e.Deadline}); !sameClock(got, clock) {
			t.Errorf("node %d: EventStarted says %v, want %v", w.node, got, clock)
		}
	}
}

func testFirstMessage(t *testing.T, b Backend) {
	r := create(t, b, 90*time.Second, longLobby)
	join(t, b, r.ID, "anna")
	all := watchAll(t, b, r.ID)
	from := time.Now().Truncate(time.Millisecond)
	s := b.node(1)
	receipt, err := s.Post(t.Context(), r.ID, newPost(s, "anna", "first"))
	if want := (room.Receipt{Seq: 1, Began: true}); err != nil || receipt != want {
		t.Fatalf("Post: %+v, %v; want %+v", receipt, err, want)
	}
	until := time.Now()
	got := load(t, b.node(0), r.ID)
	if got.StartedAt.Before(from) || got.StartedAt.After(until) {
		t.Errorf("started at %v, want between %v and %v", got.StartedAt, from, until)
	}
	expectClock(t, b, r.ID, all, room.Clock{StartedAt: got.StartedAt, Deadline: got.StartedAt.Add(r.TTL)})
	for _, w := range all {
		w.awaitSeq(t, 1)
		if got := names(w.events()); len(got) != 2 || got[0] != "started" || got[1] != "message 1" {
			t.Errorf("node %d was told %q, want the start, then message 1", w.node, got)
		}
	}
}

func testStartExactlyOnce(t *testing.T, b Backend) {
	for round := range 10 {
		r := create(t, b, longTTL, longLobby)
		all := watchAll(t, b, r.ID)
		const callers = 12
		var clocks [callers]room.Clock
		var began atomic.Int32
		together(callers, func(i int) {
			s := b.node(i / 2)
			var receipt room.Receipt
			var err error
			if i%2 == 0 {
				clocks[i], err = s.Start(t.Context(), r.ID)
			} else {
				receipt, err = s.Post(t.Context(), r.ID, newPost(s, admin, fmt.Sprint(i)))
			}
			if err != nil {
				t.Errorf("round %d: start at once with others: %v", round, err)
			}
			if clocks[i].Began || receipt.Began {
				began.Add(1)
			}
		})
		if n := began.Load(); n != 1 {
			t.Errorf("round %d: %d callers are told that it was they who started the room, want one", round, n)
		}
		for i := 2; i < callers; i += 2 {
			if !sameClock(clocks[i], clocks[0]) {
				t.Errorf("round %d: two that started at once were told %v and %v", round, clocks[0], clocks[i])
			}
		}
		for _, w := range all {
			w.awaitSeq(t, callers/2)
		}
		expectClock(t, b, r.ID, all, clocks[0]) // verify checks that there is one event
	}
}

func testManyFirstPosts(t *testing.T, b Backend) {
	for range 10 {
		r := create(t, b, longTTL, longLobby)
		all := watchAll(t, b, r.ID)
		const senders = 12
		together(senders, func(i int) {
			s := b.node(i)
			if _, err := s.Post(t.Context(), r.ID, newPost(s, admin, fmt.Sprint(i))); err != nil {
				t.Errorf("Post at once with others: %v", err)
			}
		})
		got := load(t, b.node(0), r.ID)
		for _, w := range all {
			w.awaitSeq(t, senders)
		}
		expectClock(t, b, r.ID, all, room.Clock{StartedAt: got.StartedAt, Deadline: got.Deadline})
	}
}
