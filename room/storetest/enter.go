package storetest

import (
	"errors"
	"fmt"
	"testing"

	"github.com/ephemeralchat/caddy-ephemeral-chat/room"
)

var enterTests = map[string]func(*testing.T, Backend){
	"Opened":           testOpened,
	"LastID":           testLastID,
	"EnterRefused":     testEnterRefused,
	"EnterFull":        testEnterFull,
	"EnterAtOnce":      testEnterAtOnce,
	"UserNamesAreData": testUserNames,
}

func testOpened(t *testing.T, b Backend) {
	r := create(t, b, longTTL, longLobby)
	all := watchAll(t, b, r.ID)
	want := make([]room.Presence, 0, 4)
	for i := range 4 {
		p := presence(admin)
		p.Session = fmt.Sprintf("tag-%d", i/2)
		all[i%len(all)].enter(t, p)
		want = append(want, p)
	}
	for _, w := range all {
		opened := ofKind(w.fence(t, r.ID), room.EventOpened)
		if len(opened) != len(want) {
			t.Fatalf("node %d was told of %d connections, want %d", w.node, len(opened), len(want))
		}
		for i, e := range opened {
			if p := want[i]; e.UserID != p.UserID || e.SocketID != p.SocketID || e.Session != p.Session {
				t.Errorf("node %d was told of %q, socket %q, session %q; want %+v", w.node, e.UserID, e.SocketID, e.Session, p)
			}
		}
	}
}

func testLastID(t *testing.T, b Backend) {
	r := create(t, b, longTTL, longLobby)
	all := watchAll(t, b, r.ID)
	p := presence(admin)
	if last := all[0].enter(t, p); last != 0 {
		t.Errorf("Enter of a new session says last id %d, want 0", last)
	}
	for i, id := range []uint64{1, 2, 17, 5} {
		s := b.node(i)
		if _, err := s.Post(t.Context(), r.ID, numbered(s, admin, p.Session, id, "hi")); err != nil {
			t.Fatal(err)
		}
	}
	for _, w := range all {
		again := presence(admin)
		if last := w.enter(t, again); last != 17 {
			t.Errorf("node %d: Enter says last id %d, want 17", w.node, last)
		}
		other := presence(admin)
		other.Session = "another"
		if last := w.enter(t, other); last != 0 {
			t.Errorf("node %d: Enter of another session says last id %d, want 0", w.node, last)
		}
	}
}

func testEnterRefused(t *testing.T, b Backend) {
	r := create(t, b, longTTL, longLobby)
	join(t, b, r.ID, "anna")
	all := watchAll(t, b, r.ID)
	if err := b.node(0).Remove(t.Context(), r.ID, "anna"); err != nil {
		t.Fatal(err)
	}
	for _, w := range all {
		if _, err := w.tryEnter(t.Context(), presence("anna"), manyUsers); !errors.Is(err, room.ErrRemoved) {
			t.Errorf("node %d: Enter of a removed member: %v, want ErrRemoved", w.node, err)
		}
		if _, err := w.tryEnter(t.Context(), presence("nobody"), manyUsers); !errors.Is(err, room.ErrInvalidSession) {
			t.Errorf("node %d: Enter of a stranger: %v, want ErrInvalidSession", w.node, err)
		}
	}
	for _, w := range all {
		if opened := ofKind(w.fence(t, r.ID), room.EventOpened); len(opened) != 0 {
			t.Errorf("node %d was told %s of users who were refused", w.node, describe(opened))
		}
	}
}

func testEnterFull(t *testing.T, b Backend) {
	r := create(t, b, longTTL, longLobby)
	join(t, b, r.ID, "anna", "bert")
	all := watchAll(t, b, r.ID)
	first, last := all[0], all[len(all)-1]
	adminHere := presence(admin)
	for _, p := range []room.Presence{adminHere, presence("anna")} {
		if _, err := first.tryEnter(t.Context(), p, 2); err != nil {
			t.Fatalf("Enter of %q below the limit: %v", p.UserID, err)
		}
	}
	for _, w := range all {
		if _, err := w.tryEnter(t.Context(), presence("bert"), 2); !errors.Is(err, room.ErrRoomFull) {
			t.Errorf("node %d: Enter with 2 of 2 online: %v, want ErrRoomFull", w.node, err)
		}
		// A user that is online on any node takes no further place.
		if _, err := w.tryEnter(t.Context(), presence("anna"), 2); err != nil {
			t.Errorf("node %d: Enter of a user who is online, with 2 of 2 online: %v", w.node, err)
		}
	}
	first.exit(t.Context(), adminHere)
	last.awaitUser(t, room.EventLeft, admin)
	if _, err := last.tryEnter(t.Context(), presence("bert"), 2); err != nil {
		t.Errorf("Enter after one has left: %v", err)
	}
}

func testEnterAtOnce(t *testing.T, b Backend) {
	r := create(t, b, longTTL, longLobby)
	const users, places = 16, 5
	for i := range users {
		join(t, b, r.ID, fmt.Sprintf("user-%d", i))
	}
	all := watchAll(t, b, r.ID)
	errs := make([]error, users)
	together(users, func(i int) {
		_, errs[i] = all[i%len(all)].tryEnter(t.Context(), presence(fmt.Sprintf("user-%d", i)), places)
	})
	entered := 0
	for _, err := range errs {
		switch {
		case err == nil:
			entered++
		case !errors.Is(err, room.ErrRoomFull):
			t.Errorf("Enter at once with others: %v", err)
		}
	}
	if entered != places {
		t.Errorf("%d of %d entered a room of %d", entered, users, places)
	}
	for _, w := range all {
		if joined := ofKind(w.fence(t, r.ID), room.EventJoined); len(joined) != entered {
			t.Errorf("node %d was told of %d users, want %d", w.node, len(joined), entered)
		}
	}
}

// testUserNames uses names that a store might confuse with its own keys.
func testUserNames(t *testing.T, b Backend) {
	r := create(t, b, longTTL, longLobby)
	users := []string{"a:b", "x:anna", "Ünal 🦊", "\"; --", "{x}", "*", "key", "0", "a\u2028b", "-"}
	join(t, b, r.ID, users...)
	all := watchAll(t, b, r.ID)
	for i, user := range users {
		w := all[i%len(all)]
		p := presence(user)
		w.enter(t, p)
		s := b.node(i)
		if _, err := s.Post(t.Context(), r.ID, numbered(s, user, p.Session, 1, "hi")); err != nil {
			t.Errorf("Post of %q: %v", user, err)
		}
		if err := w.feed.Typing(t.Context(), user); err != nil {
			t.Errorf("Typing of %q: %v", user, err)
		}
		for _, w := range all {
			w.awaitUser(t, room.EventJoined, user)
			w.awaitUser(t, room.EventTyping, user)
		}
		if i%2 == 0 {
			w.exit(t.Context(), p)
		} else if err := s.Remove(t.Context(), r.ID, user); err != nil {
			t.Errorf("Remove of %q: %v", user, err)
		}
		for _, w := range all {
			w.awaitUser(t, room.EventLeft, user)
		}
	}
}
