package storetest

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/ephemeralchat/caddy-ephemeral-chat/room"
	"github.com/ephemeralchat/caddy-ephemeral-chat/room/message"
)

var retractTests = map[string]func(*testing.T, Backend){
	"WhoMay":       testWhoMayRetract,
	"WhatIsLeft":   testWhatIsLeft,
	"NotKept":      testRetractNotKept,
	"Once":         testRetractOnce,
	"Trim":         testRetractionsAreTrimmed,
	"Snapshot":     testRetractedSnapshot,
	"WhilePosting": testRetractWhilePosting,
	"Removed":      testRetractRemoved,
	"Names":        testRetractNames,
}

// tryRetract retracts a message as its sender.
func tryRetract(t *testing.T, s room.Store, roomID, userID string, seq uint64) error {
	t.Helper()
	return s.Retract(t.Context(), roomID, room.Retraction{Seq: seq, UserID: userID})
}

// retract retracts messages as the admin.
func retract(t *testing.T, s room.Store, roomID string, seqs ...uint64) {
	t.Helper()
	for _, seq := range seqs {
		if err := s.Retract(t.Context(), roomID, room.Retraction{Seq: seq, UserID: admin, Any: true}); err != nil {
			t.Fatalf("Retract %d: %v", seq, err)
		}
	}
}

func expectError(t *testing.T, what string, got, want error) {
	t.Helper()
	if !errors.Is(got, want) {
		t.Errorf("%s: %v, want %v", what, got, want)
	}
}

// postAs stores one message of each user.
func postAs(t *testing.T, s room.Store, roomID string, users ...string) {
	t.Helper()
	for _, userID := range users {
		if _, err := s.Post(t.Context(), roomID, newPost(s, userID, "secret of "+userID)); err != nil {
			t.Fatal(err)
		}
	}
}

func testWhoMayRetract(t *testing.T, b Backend) {
	r := create(t, b, longTTL, longLobby)
	join(t, b, r.ID, "anna", "bert")
	postAs(t, b.node(0), r.ID, admin, "anna", "bert")
	all := watchAll(t, b, r.ID)
	s := b.node(1)
	expectError(t, "of somebody else", tryRetract(t, s, r.ID, "anna", 1), room.ErrNotAdmin)
	expectError(t, "of somebody else", tryRetract(t, s, r.ID, "anna", 3), room.ErrNotAdmin)
	expectError(t, "of somebody else, without the right", tryRetract(t, s, r.ID, admin, 2), room.ErrNotAdmin)
	if err := tryRetract(t, s, r.ID, "anna", 2); err != nil {
		t.Errorf("of one's own: %v", err)
	}
	retract(t, b.node(0), r.ID, 3)
	// A user without the right gets the same error for a retracted message.
	expectError(t, "of somebody else, once more", tryRetract(t, b.node(0), r.ID, "anna", 3), room.ErrNotAdmin)
	if err := tryRetract(t, s, r.ID, admin, 1); err != nil {
		t.Errorf("of the admin's own: %v", err)
	}
	for _, w := range all {
		got := names(ofKind(w.fence(t, r.ID), room.EventRetracted))
		if want := []string{"retracted 2", "retracted 3", "retracted 1"}; !slices.Equal(got, want) {
			t.Errorf("node %d was told %q, want %q", w.node, got, want)
		}
	}
}

func testWhatIsLeft(t *testing.T, b Backend) {
	r := create(t, b, longTTL, longLobby)
	s := b.node(0)
	text := `secret","timestamp":"x","userId":"bert","retracted":true,"message":"\` + "\n\u2028 <🦊>"
	posts := []room.Post{
		newPost(s, "anna", text), numbered(s, `a"na","userId":"bert`, "tag", 7, text), newPost(s, "bert", "stays"),
	}
	for _, p := range posts {
		if _, err := s.Post(t.Context(), r.ID, p); err != nil {
			t.Fatal(err)
		}
	}
	entries := after(t, s, r.ID, 0, maxBytes).Entries
	expectError(t, "of a name that looks like another", tryRetract(t, s, r.ID, "bert", 2), room.ErrNotAdmin)
	expectError(t, "of a text that looks like a name", tryRetract(t, s, r.ID, "bert", 1), room.ErrNotAdmin)
	for i, p := range posts[:2] {
		if err := tryRetract(t, b.node(i+1), r.ID, p.UserID, uint64(i+1)); err != nil {
			t.Fatalf("Retract %d: %v", i+1, err)
		}
	}
	for n, s := range b.Nodes {
		for what, page := range map[string]room.Page{
			"After":  after(t, s, r.ID, 0, maxBytes),
			"Before": before(t, s, r.ID, 0, 10, maxBytes),
		} {
			expectPage(t, fmt.Sprintf("node %d: %s", n, what), page, r.Epoch, 1, 3, 1, 3)
			for i, entry := range page.Entries {
				want := entries[i]
				if i < 2 {
					want = message.WithoutText(want)
				}
				if string(entry) != string(want) {
					t.Errorf("node %d: %s: entry %d is %q, want %q", n, what, i, entry, want)
				}
			}
			expectRetracted(t, page.Entries[1], map[string]any{
				"seq": 2.0, "message": "", "retracted": true, "userId": posts[1].UserID, "id": 7.0, "session": "tag",
			})
		}
	}
	// An id stays spent.
	receipt, err := s.Post(t.Context(), r.ID, posts[1])
	if err != nil || !receipt.Duplicate {
		t.Errorf("a retracted message, posted again: %+v (%v), want a duplicate", receipt, err)
	}
}

// expectRetracted checks the fields of an entry but for its timestamp, which must
// be there.
func expectRetracted(t *testing.T, entry []byte, want map[string]any) {
	t.Helper()
	var got map[string]any
	if err := json.Unmarshal(entry, &got); err != nil {
		t.Fatal(err)
	}
	if got["timestamp"] == nil {
		t.Errorf("%q has no timestamp", entry)
	}
	delete(got, "timestamp")
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("a retracted entry is %v, want %v", got, want)
	}
}

func testRetractNotKept(t *testing.T, b Backend) {
	r := create(t, b, longTTL, longLobby)
	w := watchOn(t, b, 0, r.ID)
	s := b.node(1)
	expectError(t, "in a room without messages", tryRetract(t, s, r.ID, admin, 1), room.ErrMessageNotFound)
	postMany(t, s, r.ID, 40, 8)
	oldest := after(t, s, r.ID, 0, maxBytes).Oldest
	for _, seq := range []uint64{0, 1, oldest - 1, 41, 1 << 53} {
		expectError(t, fmt.Sprint("message ", seq), tryRetract(t, s, r.ID, admin, seq), room.ErrMessageNotFound)
	}
	another := room.Retraction{Seq: 40, UserID: admin, Epoch: "another"}
	expectError(t, "of another epoch", s.Retract(t.Context(), r.ID, another), room.ErrMessageNotFound)
	if got := ofKind(w.fence(t, r.ID), room.EventRetracted); len(got) > 0 {
		t.Errorf("told %s", describe(got))
	}
	for _, seq := range []uint64{oldest, 40} {
		if err := s.Retract(t.Context(), r.ID, room.Retraction{Seq: seq, UserID: admin, Epoch: r.Epoch}); err != nil {
			t.Errorf("Retract %d of %d to 40: %v", seq, oldest, err)
		}
	}
	for _, e := range ofKind(w.fence(t, r.ID), room.EventRetracted) {
		if e.Oldest != oldest {
			t.Errorf("told that %d is the oldest, want %d", e.Oldest, oldest)
		}
	}
}

// testRetractOnce retracts the same messages concurrently: all calls succeed, and
// each message has one event.
func testRetractOnce(t *testing.T, b Backend) {
	r := create(t, b, longTTL, longLobby)
	all := watchAll(t, b, r.ID)
	const messages = 20
	postMany(t, b.node(0), r.ID, messages, history)
	together(6, func(i int) {
		for n := range uint64(messages) {
			seq := 1 + (n+uint64(7*i))%messages
			if err := b.node(i).Retract(t.Context(), r.ID, room.Retraction{Seq: seq, UserID: admin}); err != nil {
				t.Errorf("Retract %d: %v", seq, err)
			}
		}
	})
	var first []string
	for _, w := range all {
		got := names(ofKind(w.fence(t, r.ID), room.EventRetracted))
		if first == nil {
			first = got
		}
		if len(got) != messages || !slices.Equal(got, first) {
			t.Errorf("node %d was told %q, want %d in the order of node 0: %q", w.node, got, messages, first)
		}
	}
}

func testRetractionsAreTrimmed(t *testing.T, b Backend) {
	r := create(t, b, longTTL, longLobby)
	const keep = 8
	for round := range uint64(5) {
		postMany(t, b.node(0), r.ID, keep, keep)
		newest := (round + 1) * keep
		retract(t, b.node(1), r.ID, newest-keep/2, newest)
		page := after(t, b.node(0), r.ID, 0, maxBytes)
		var want []uint64
		for i, entry := range page.Entries {
			if message.IsRetracted(entry) {
				want = append(want, page.First+uint64(i))
			}
		}
		if len(want) < 2 {
			t.Errorf("the entries say that %v were retracted, want %d and %d among them", want, newest-keep/2, newest)
		}
		for _, w := range watchAll(t, b, r.ID) {
			if got := w.snapshot.Retracted; !slices.Equal(got, want) {
				t.Errorf("node %d: the snapshot says that %v were retracted, want %v", w.node, got, want)
			}
		}
	}
	// Also when nothing is retracted any more.
	postMany(t, b.node(0), r.ID, 3*keep, keep)
	for _, w := range watchAll(t, b, r.ID) {
		if got := w.snapshot.Retracted; len(got) > 0 {
			t.Errorf("node %d: the snapshot says that %v were retracted, of which none is kept", w.node, got)
		}
	}
}

func testRetractedSnapshot(t *testing.T, b Backend) {
	r := create(t, b, longTTL, longLobby)
	postMany(t, b.node(0), r.ID, 20, history)
	want := []uint64{}
	for i, seq := range []uint64{20, 3, 11, 10, 1, 9} {
		retract(t, b.node(i), r.ID, seq)
		want = append(want, seq)
		slices.Sort(want)
		for _, w := range watchAll(t, b, r.ID) {
			if got := w.snapshot.Retracted; !slices.Equal(got, want) {
				t.Errorf("node %d: the snapshot says that %v were retracted, want %v", w.node, got, want)
			}
		}
	}
}

// testRetractWhilePosting retracts messages as they come, and opens watches
// meanwhile. The rest arrives as events: verify checks the order.
func testRetractWhilePosting(t *testing.T, b Backend) {
	r := create(t, b, longTTL, longLobby)
	const posts = 200
	all := watchAll(t, b, r.ID)
	together(4, func(i int) {
		s := b.node(i)
		for n := range posts / 4 {
			receipt, err := s.Post(t.Context(), r.ID, newPost(s, admin, "secret"))
			if err != nil {
				t.Errorf("Post: %v", err)
				return
			}
			if n%2 == 0 {
				if err := b.node(i+1).Retract(t.Context(), r.ID, room.Retraction{Seq: receipt.Seq, UserID: admin}); err != nil {
					t.Errorf("Retract: %v", err)
				}
			}
		}
	})
	var want room.Retractions
	for i, entry := range after(t, b.node(0), r.ID, 0, maxBytes).Entries {
		if message.IsRetracted(entry) {
			want.Add(uint64(i + 1))
		}
	}
	if len(want) != posts/2 {
		t.Fatalf("%d messages are retracted, want %d", len(want), posts/2)
	}
	for _, w := range all {
		w.awaitSeq(t, posts)
		var got room.Retractions
		for _, e := range ofKind(w.fence(t, r.ID), room.EventRetracted) {
			got.Add(e.Seq)
		}
		if !slices.Equal(got, want) {
			t.Errorf("node %d was told that %v were retracted, want %v", w.node, got, want)
		}
	}
}

func testRetractRemoved(t *testing.T, b Backend) {
	r := create(t, b, longTTL, longLobby)
	join(t, b, r.ID, "anna")
	postAs(t, b.node(0), r.ID, "anna", admin)
	if err := b.node(0).Remove(t.Context(), r.ID, "anna"); err != nil {
		t.Fatal(err)
	}
	for _, s := range b.Nodes {
		expectError(t, "by a removed member", tryRetract(t, s, r.ID, "anna", 1), room.ErrRemoved)
		expectError(t, "by a removed member, of nothing", tryRetract(t, s, r.ID, "anna", 9), room.ErrRemoved)
	}
	retract(t, b.node(1), r.ID, 1) // their messages can be retracted all the same
	if entry := after(t, b.node(0), r.ID, 0, maxBytes).Entries[0]; strings.Contains(string(entry), "secret") {
		t.Errorf("left: %q", entry)
	}
}

// testRetractNames uses names that share a prefix or a suffix, or are confusable.
func testRetractNames(t *testing.T, b Backend) {
	r := create(t, b, longTTL, longLobby)
	users := []string{"anna", "ann", "anna ", "Anna", "anna\\", "an%a", "(anna)", "^a.*$", "änna", "anna\u2028", `"anna"`, "x:anna"}
	postAs(t, b.node(0), r.ID, users...)
	for i, owner := range users {
		for j, userID := range users {
			if i != j {
				expectError(t, fmt.Sprintf("%q of %q", userID, owner), tryRetract(t, b.node(j), r.ID, userID, uint64(i+1)), room.ErrNotAdmin)
			}
		}
		if err := tryRetract(t, b.node(1), r.ID, owner, uint64(i+1)); err != nil {
			t.Errorf("%q of one's own: %v", owner, err)
		}
	}
}
