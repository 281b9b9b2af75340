package storetest

import (
	"errors"
	"testing"

	"github.com/ephemeralchat/caddy-ephemeral-chat/room"
)

var endTests = map[string]func(*testing.T, Backend){
	"Delete":           testDelete,
	"DeleteOnAllNodes": testDeleteOnAllNodes,
}

func testDelete(t *testing.T, b Backend) {
	for _, started := range []bool{false, true} {
		r := create(t, b, longTTL, longLobby)
		join(t, b, r.ID, "anna")
		all := watchAll(t, b, r.ID)
		all[0].enter(t, presence("anna"))
		if started {
			post(t, b.node(0), r.ID, "one", "two")
			if _, err := b.node(1).Post(t.Context(), r.ID, numbered(b.node(1), "anna", "tag", 1, "three")); err != nil {
				t.Fatal(err)
			}
		}
		if err := b.node(1).Delete(t.Context(), r.ID); err != nil {
			t.Fatalf("Delete: %v", err)
		}
		for _, w := range all {
			if e := w.awaitKind(t, room.EventEnded); e.Reason != room.EndDeleted {
				t.Errorf("node %d: ended with %q, want %q", w.node, e.Reason, room.EndDeleted)
			}
			expectFeedGone(t, w)
		}
		expectGone(t, b, r.ID)
	}
}

// expectFeedGone fails unless the feed of an ended room returns ErrRoomNotFound.
func expectFeedGone(t *testing.T, w *watch) {
	t.Helper()
	if _, err := w.tryEnter(t.Context(), presence(admin), manyUsers); !errors.Is(err, room.ErrRoomNotFound) {
		t.Errorf("node %d: Enter after the end: %v, want ErrRoomNotFound", w.node, err)
	}
	if err := w.feed.Typing(t.Context(), admin); !errors.Is(err, room.ErrRoomNotFound) {
		t.Errorf("node %d: Typing after the end: %v, want ErrRoomNotFound", w.node, err)
	}
	w.feed.Exit(t.Context(), admin, 1)
}

func testDeleteOnAllNodes(t *testing.T, b Backend) {
	r := create(t, b, longTTL, longLobby)
	all := watchAll(t, b, r.ID)
	errs := make([]error, 8)
	together(len(errs), func(i int) { errs[i] = b.node(i).Delete(t.Context(), r.ID) })
	deleted := 0
	for _, err := range errs {
		switch {
		case err == nil:
			deleted++
		case !errors.Is(err, room.ErrRoomNotFound):
			t.Errorf("Delete at once with others: %v", err)
		}
	}
	if deleted != 1 {
		t.Errorf("%d of %d that deleted the room at once succeeded, want 1", deleted, len(errs))
	}
	for _, w := range all {
		w.awaitKind(t, room.EventEnded)
	}
	expectGone(t, b, r.ID)
}
