package redisstore_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/ephemeralchat/caddy-ephemeral-chat/redisstore/redistest"
	"github.com/ephemeralchat/caddy-ephemeral-chat/room"
)

// TestNodeStops closes a node whose users have not exited: unless they enter through
// another node within 3 s, they are offline.
func TestNodeStops(t *testing.T) {
	t.Parallel()
	s := newSetup(t, redistest.Options{}, time.Hour)
	joinRoom(t, s.nodes[0], s.room.ID, "anna", "bert")
	w := s.watches[1]
	for _, user := range []string{"anna", "bert"} {
		s.watches[0].enter(t, presenceOf(user))
		w.awaitUser(t, room.EventJoined, user)
	}
	s.watches[0].Close()
	closed := time.Now()
	if err := s.nodes[0].Close(); err != nil {
		t.Fatal(err)
	}
	w.enter(t, presenceOf("anna"))
	w.awaitUser(t, room.EventLeft, "bert")
	if after := time.Since(closed); after < 2*time.Second || after > 8*time.Second {
		t.Errorf("bert left %v after the node had stopped, want about 3s", after)
	}
	if received := w.all(room.EventLeft, room.EventJoined); len(received) != 3 {
		t.Errorf("received %s, want that two joined and bert left", describe(received))
	}
	fields, err := s.server.Client().HKeys(t.Context(), "room:online:"+s.room.ID).Result()
	if err != nil || len(fields) != 1 || fields[0] != s.nodes[1].Node()+":anna" {
		t.Errorf("online are %q (%v), want anna on the living node", fields, err)
	}
}

// TestNodeDies kills a node whose users are online in two rooms, one with a watcher and
// one without.
func TestNodeDies(t *testing.T) {
	t.Parallel()
	s := newSetup(t, redistest.Options{}, time.Hour)
	joinRoom(t, s.nodes[0], s.room.ID, "anna", "bert")
	other := createRoom(t, s.nodes[1], time.Hour, time.Hour)
	watchRoom(t, s.nodes[0], other.ID).enter(t, presenceOf(admin))
	s.watches[0].enter(t, presenceOf("anna"))
	s.watches[1].enter(t, presenceOf("bert"))
	s.watches[1].awaitUser(t, room.EventJoined, "anna")
	s.nodes[0].Crash()
	s.watches[1].awaitUser(t, room.EventLeft, "anna")
	if left := s.watches[1].all(room.EventLeft); len(left) != 1 {
		t.Errorf("received %s, want that anna left", describe(left))
	}
	// In the room without a watcher, users of a dead node do not count.
	join := room.Join{Candidates: []string{"carla"}, MaxOnline: 1, MaxMembers: 100}
	if _, err := s.nodes[1].Join(t.Context(), other.ID, join); err != nil {
		t.Errorf("Join of a room where only the users of a dead node are: %v", err)
	}
	if w := watchRoom(t, s.nodes[1], other.ID); len(w.snapshot.Online) != 0 {
		t.Errorf("%q are online through a dead node", w.snapshot.Online)
	}
	eventually(t, awaitTimeout, func() string {
		if n := s.do(t, "exists", "room:online:"+other.ID); n != int64(0) {
			return "the fields of the dead node are there"
		}
		return ""
	})
}

// TestTakenForDead deletes the lease of a living node: it recovers by itself.
func TestTakenForDead(t *testing.T) {
	t.Parallel()
	s := newSetup(t, redistest.Options{}, time.Hour)
	s.watches[0].enter(t, presenceOf(admin))
	s.watches[1].awaitUser(t, room.EventJoined, admin)
	s.do(t, "del", "room:node:"+s.nodes[0].Node())
	s.do(t, "del", "room:online:"+s.room.ID)
	eventually(t, 2*awaitTimeout, func() string {
		online, err := s.server.Client().HKeys(t.Context(), "room:online:"+s.room.ID).Result()
		if err != nil || len(online) != 1 {
			return fmt.Sprintf("online are %q (%v)", online, err)
		}
		return ""
	})
	eventually(t, 2*awaitTimeout, func() string {
		w := s.watches[1]
		if joined, left := w.all(room.EventJoined), w.all(room.EventLeft); len(joined) != len(left)+1 {
			return fmt.Sprintf("received %s, then %s", describe(joined), describe(left))
		}
		return ""
	})
}
