package storetest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/ephemeralchat/caddy-ephemeral-chat/room"
	"github.com/ephemeralchat/caddy-ephemeral-chat/room/message"
)

const (
	// timeout is how long the suite waits for events that should come at once.
	timeout = 10 * time.Second
	// longTTL and longLobby outlast every test.
	longTTL   = time.Hour
	longLobby = time.Hour
	// history is how many messages rooms keep in tests of other things.
	history = 10_000
	// maxBytes is a page size that no page reaches in such tests.
	maxBytes = 64 << 20
	// manyUsers is a limit that such tests don't reach.
	manyUsers = 1_000

	admin = "admin"
)

// newRoom returns a room that no store has yet.
func newRoom(ttl time.Duration) room.Room {
	return room.Room{
		ID:    room.NewID(),
		Name:  "Ärger im Büro",
		Admin: admin,
		TTL:   ttl,
		Key:   []byte("0123456789abcdef0123456789abcdef"),
		Epoch: room.NewNonce(),
	}
}

// create makes a room on the first node; it is deleted when the test is over.
func create(t *testing.T, b Backend, ttl, lobby time.Duration) room.Room {
	t.Helper()
	r := newRoom(ttl)
	createAs(t, b, r, lobby)
	return r
}

func createAs(t *testing.T, b Backend, r room.Room, lobby time.Duration) {
	t.Helper()
	if err := b.node(0).Create(t.Context(), r, room.CreateLimits{Lobby: lobby}); err != nil {
		t.Fatalf("Create: %v", err)
	}
	ctx := context.WithoutCancel(t.Context())
	t.Cleanup(func() {
		if err := b.node(0).Delete(ctx, r.ID); err != nil && !errors.Is(err, room.ErrRoomNotFound) {
			t.Errorf("Delete after the test: %v", err)
		}
	})
}

// join makes members with exactly these names.
func join(t *testing.T, b Backend, roomID string, names ...string) {
	t.Helper()
	for i, name := range names {
		joined, err := b.node(i).Join(t.Context(), roomID, joinAs(name))
		if err != nil {
			t.Fatalf("Join as %q: %v", name, err)
		}
		if joined.UserID != name {
			t.Fatalf("Join as %q gave %q", name, joined.UserID)
		}
	}
}

func joinAs(candidates ...string) room.Join {
	return room.Join{Candidates: candidates, MaxOnline: manyUsers, MaxMembers: manyUsers}
}

// newPost composes a post without an id.
func newPost(s room.Store, userID, text string) room.Post {
	return numbered(s, userID, "", 0, text)
}

// numbered composes a post with an id.
func numbered(s room.Store, userID, session string, id uint64, text string) room.Post {
	return room.Post{
		UserID:  userID,
		Session: session,
		ID:      id,
		Body:    message.EncodeBody(text, s.Now(), userID, id, session),
		History: history,
	}
}

// post stores messages of the admin's, in this order, on one node.
func post(t *testing.T, s room.Store, roomID string, texts ...string) {
	t.Helper()
	for _, text := range texts {
		if _, err := s.Post(t.Context(), roomID, newPost(s, admin, text)); err != nil {
			t.Fatalf("Post %q: %v", text, err)
		}
	}
}

func load(t *testing.T, s room.Store, roomID string) room.Room {
	t.Helper()
	r, err := s.Load(t.Context(), roomID)
	if err != nil {
		t.Fatalf("Load: %v", err)
	}
	return r
}

// at waits for a moment of the wall clock.
func at(t *testing.T, moment time.Time) {
	t.Helper()
	select {
	case <-time.After(time.Until(moment)):
	case <-t.Context().Done():
		t.Fatal(t.Context().Err())
	}
}

// eventually calls check until it returns "". It fails with the last result when
// that takes longer than within.
func eventually(t *testing.T, within time.Duration, check func() string) {
	t.Helper()
	deadline := time.Now().Add(within)
	for {
		fault := check()
		if fault == "" {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("still after %v: %s", within, fault)
		}
		at(t, time.Now().Add(10*time.Millisecond))
	}
}

// together runs n functions at once and waits for all of them.
func together(n int, run func(i int)) {
	var gate, done sync.WaitGroup
	gate.Add(1)
	for i := range n {
		// Ends with run; done waits for it.
		done.Go(func() {
			gate.Wait()
			run(i)
		})
	}
	gate.Done()
	done.Wait()
}

// methods calls every method of a store that takes a room, with arguments that a
// room with the member admin accepts.
func methods(ctx context.Context, s room.Store, roomID string) map[string]error {
	results := make(map[string]error)
	_, results["Load"] = s.Load(ctx, roomID)
	_, _, results["Member"] = s.Member(ctx, roomID, admin)
	_, results["Join"] = s.Join(ctx, roomID, joinAs("somebody"))
	_, results["Start"] = s.Start(ctx, roomID)
	results["SetLocked"] = s.SetLocked(ctx, roomID, true)
	_, results["Post"] = s.Post(ctx, roomID, newPost(s, admin, "hello"))
	_, results["Post with an id"] = s.Post(ctx, roomID, numbered(s, admin, "tag", 1, "hello"))
	// If the room exists, Post may have stored its message 1.
	results["Retract"] = s.Retract(ctx, roomID, room.Retraction{Seq: 1, UserID: admin})
	_, results["Before"] = s.Before(ctx, roomID, 0, 10, maxBytes)
	_, results["After"] = s.After(ctx, roomID, 0, maxBytes)
	results["Remove"] = s.Remove(ctx, roomID, admin)
	_, feed, err := s.Watch(ctx, roomID, func(room.Event) {})
	results["Watch"] = err
	if err == nil {
		feed.Close()
	}
	results["Delete"] = s.Delete(ctx, roomID)
	return results
}

// expectGone fails unless the room is unknown to every method on every node
// and the backend holds nothing of it.
func expectGone(t *testing.T, b Backend, roomID string) {
	t.Helper()
	for i, s := range b.Nodes {
		for name, err := range methods(t.Context(), s, roomID) {
			if !errors.Is(err, room.ErrRoomNotFound) {
				t.Errorf("node %d: %s in a room that is gone: %v, want ErrRoomNotFound", i, name, err)
			}
		}
	}
	if b.Remains == nil {
		return
	}
	eventually(t, time.Second, func() string {
		remains := b.Remains(t, roomID)
		if len(remains) == 0 {
			return ""
		}
		slices.Sort(remains)
		return fmt.Sprintf("the backend holds of a room that is gone: %q", remains)
	})
}
