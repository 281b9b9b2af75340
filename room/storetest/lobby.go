package storetest

import (
	"errors"
	"testing"
	"time"

	"github.com/ephemeralchat/caddy-ephemeral-chat/room"
)

var lobbyTests = map[string]func(*testing.T, Backend){
	"Reaped":           testReaped,
	"StartedIsNot":     testStartedIsNotReaped,
	"StartWhileReaped": testStartWhileReaped,
	"DifferentLobbies": testDifferentLobbies,
}

const (
	shortLobby = time.Second
	// reapWithin is how soon after its lobby time a room must be gone.
	reapWithin = 4 * time.Second
)

// expectReaped waits until a room is reaped. It fails if that is too early or too
// late.
func expectReaped(t *testing.T, b Backend, r room.Room, lobby time.Duration, all []*watch) {
	t.Helper()
	for _, w := range all {
		due := w.snapshot.Room.CreatedAt.Add(lobby)
		e := w.awaitUserWithin(t, time.Until(due)+timeout, room.EventEnded, "")
		if e.Reason != room.EndExpired {
			t.Errorf("node %d: ended with %q, want %q", w.node, e.Reason, room.EndExpired)
		}
		if late := e.at.Sub(due); late < 0 || late > reapWithin {
			t.Errorf("node %d: reaped %v after its lobby time, want 0 to %v", w.node, late, reapWithin)
		}
	}
	expectGone(t, b, r.ID)
}

func testReaped(t *testing.T, b Backend) {
	r := create(t, b, longTTL, shortLobby)
	join(t, b, r.ID, "anna")
	all := watchAll(t, b, r.ID)
	all[0].enter(t, presence("anna"))
	expectReaped(t, b, r, shortLobby, all)
}

func testStartedIsNotReaped(t *testing.T, b Backend) {
	started := create(t, b, longTTL, shortLobby)
	talking := create(t, b, longTTL, shortLobby)
	// Rooms in front of and behind the started ones.
	reaped := create(t, b, longTTL, shortLobby)
	all, allReaped := watchAll(t, b, started.ID), watchAll(t, b, reaped.ID)
	if _, err := b.node(0).Start(t.Context(), started.ID); err != nil {
		t.Fatal(err)
	}
	post(t, b.node(1), talking.ID, "hello")
	expectReaped(t, b, reaped, shortLobby, allReaped)
	for i, s := range b.Nodes {
		for _, id := range []string{started.ID, talking.ID} {
			if got := load(t, s, id); !got.Started() {
				t.Errorf("node %d: a started room says that it is not", i)
			}
		}
	}
	for _, w := range all {
		w.fence(t, started.ID)
		if ended := ofKind(w.events(), room.EventEnded); len(ended) != 0 {
			t.Errorf("node %d was told that a started room ended", w.node)
		}
	}
}

// testStartWhileReaped starts many rooms at about the time at which they are
// reaped. A start that returns a clock has kept the room alive.
func testStartWhileReaped(t *testing.T, b Backend) {
	const rooms = 40
	var all [rooms]room.Room
	var watches [rooms]*watch
	for i := range all {
		all[i] = create(t, b, longTTL, shortLobby)
		watches[i] = watchOn(t, b, i, all[i].ID)
	}
	due := watches[0].snapshot.Room.CreatedAt.Add(shortLobby)
	var started [rooms]bool
	together(rooms, func(i int) {
		// Half of them close to the moment itself, half spread over the time
		// that a reaper may take.
		moment := watches[i].snapshot.Room.CreatedAt.Add(shortLobby + time.Duration(i/2-rooms/4)*200*time.Microsecond)
		if i%2 == 1 {
			moment = due.Add(time.Duration(i) * 3 * time.Second / rooms)
		}
		<-time.After(time.Until(moment))
		switch _, err := b.node(i).Start(t.Context(), all[i].ID); {
		case err == nil:
			started[i] = true
		case !errors.Is(err, room.ErrRoomNotFound):
			t.Errorf("Start while reaped: %v", err)
		}
	})
	for i, w := range watches {
		if started[i] {
			continue
		}
		expectReaped(t, b, all[i], shortLobby, []*watch{w})
	}
	at(t, due.Add(reapWithin)) // all rooms due by then are reaped
	for i, w := range watches {
		if !started[i] {
			continue
		}
		for _, s := range b.Nodes {
			if _, err := s.Load(t.Context(), all[i].ID); err != nil {
				t.Errorf("a room that was started while it was due is gone: %v", err)
			}
		}
		if ended := ofKind(w.events(), room.EventEnded); len(ended) != 0 {
			t.Error("the end of a room was told that was started while it was due")
		}
	}
}

func testDifferentLobbies(t *testing.T, b Backend) {
	long := create(t, b, longTTL, longLobby)
	middle := create(t, b, longTTL, 2*shortLobby)
	short := create(t, b, longTTL, shortLobby)
	allShort, allMiddle := watchAll(t, b, short.ID), watchAll(t, b, middle.ID)
	expectReaped(t, b, short, shortLobby, allShort)
	expectReaped(t, b, middle, 2*shortLobby, allMiddle)
	load(t, b.node(1), long.ID)
}
