package storetest

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/ephemeralchat/caddy-ephemeral-chat/room"
	"github.com/ephemeralchat/caddy-ephemeral-chat/room/message"
)

var postTests = map[string]func(*testing.T, Backend){
	"Order":           testOrder,
	"Synchronous":     testSynchronous,
	"Frame":           testFrame,
	"Duplicates":      testDuplicates,
	"Known":           testKnown,
	"ResendsAtOnce":   testResendsAtOnce,
	"RemovedSender":   testRemovedSender,
	"RemovalIsAtOnce": testRemovalIsAtOnce,
}

// testSynchronous checks the promise of stores whose Post is synchronous.
func testSynchronous(t *testing.T, b Backend) {
	s := b.node(0)
	if !s.Synchronous() {
		return // the store makes no such promise
	}
	r := create(t, b, longTTL, longLobby)
	w := watchOn(t, b, 0, r.ID)
	together(4, func(int) {
		for n := range 50 {
			receipt, err := s.Post(t.Context(), r.ID, newPost(s, admin, fmt.Sprint(n)))
			if err != nil {
				t.Errorf("Post: %v", err)
				return
			}
			told := slices.ContainsFunc(w.events(), func(a arrival) bool { return a.Seq == receipt.Seq && a.Kind == room.EventMessage })
			if !told {
				t.Errorf("Post has returned, and nobody was told of message %d", receipt.Seq)
			}
		}
	})
}

// testOrder posts from many senders on all nodes at once. Every watcher receives the
// same sequence, in which each sender's messages keep their order.
func testOrder(t *testing.T, b Backend) {
	const senders, each = 8, 250
	r := create(t, b, longTTL, longLobby)
	all := watchAll(t, b, r.ID)
	var mu sync.Mutex
	want := make(map[uint64][]byte) // frames by the number that the receipts give
	together(senders, func(i int) {
		s := b.node(i)
		user := fmt.Sprintf("user-%d", i)
		last := uint64(0)
		for n := range each {
			p := numbered(s, user, "tag-"+user, uint64(n+1), fmt.Sprintf("%s says %d", user, n))
			receipt, err := s.Post(t.Context(), r.ID, p)
			if err != nil || receipt.Duplicate {
				t.Errorf("Post: %+v, %v", receipt, err)
				return
			}
			if receipt.Seq <= last {
				t.Errorf("%s got number %d after %d", user, receipt.Seq, last)
			}
			last = receipt.Seq
			mu.Lock()
			if other, taken := want[receipt.Seq]; taken {
				t.Errorf("number %d was given to two messages: %q and %q", receipt.Seq, other, p.Body)
			}
			want[receipt.Seq] = message.Frame(receipt.Seq, p.Body)
			mu.Unlock()
		}
	})
	if t.Failed() {
		return
	}
	for _, w := range all {
		messages := w.awaitSeq(t, senders*each)
		if len(messages) != senders*each {
			t.Fatalf("node %d: %d messages came, want %d", w.node, len(messages), senders*each)
		}
		for i, m := range messages {
			if m.Seq != uint64(i+1) || !bytes.Equal(m.Frame, want[m.Seq]) {
				t.Fatalf("node %d: event %d is number %d %q, want %q", w.node, i, m.Seq, m.Frame, want[uint64(i+1)])
			}
		}
	}
	for i, s := range b.Nodes {
		if got := load(t, s, r.ID).Seq; got != senders*each {
			t.Errorf("node %d: Load says seq %d, want %d", i, got, senders*each)
		}
	}
}

// testFrame checks that entry and frame are the same bytes except for the type.
func testFrame(t *testing.T, b Backend) {
	r := create(t, b, longTTL, longLobby)
	all := watchAll(t, b, r.ID)
	texts := []string{
		"hi", "\"quotes\" \\ and \n newlines \x00 \x7f", "<script>&amp;</script>", "\u2028 🦊 \u00e4",
		"%s %d {{.}} ARGV[1] $5\r\n", string(bytes.Repeat([]byte("long "), 2_000)),
	}
	for i, text := range texts {
		s := b.node(i)
		p := numbered(s, admin, "tag", uint64(i+1), text)
		receipt, err := s.Post(t.Context(), r.ID, p)
		if err != nil || receipt.Seq != uint64(i+1) || receipt.Duplicate {
			t.Fatalf("Post %d: %+v, %v", i+1, receipt, err)
		}
		for _, w := range all {
			messages := w.awaitSeq(t, receipt.Seq)
			frame := messages[len(messages)-1].Frame
			if want := message.Frame(receipt.Seq, p.Body); !bytes.Equal(frame, want) {
				t.Errorf("node %d: the frame is %q, want %q", w.node, frame, want)
			}
			page, err := b.node(w.node).After(t.Context(), r.ID, receipt.Seq-1, maxBytes)
			if err != nil || len(page.Entries) != 1 {
				t.Fatalf("node %d: After %d gives %d entries, %v", w.node, receipt.Seq-1, len(page.Entries), err)
			}
			if want := message.Entry(receipt.Seq, p.Body); !bytes.Equal(page.Entries[0], want) {
				t.Errorf("node %d: the entry is %q, want %q", w.node, page.Entries[0], want)
			}
		}
	}
}

// testKnown posts for a client with acknowledgements that the store no longer has.
func testKnown(t *testing.T, b Backend) {
	r := create(t, b, longTTL, longLobby)
	all := watchAll(t, b, r.ID)
	for i, c := range []struct {
		id, known uint64
		want      room.Receipt
	}{
		{1, 9, room.Receipt{Lost: true}}, // the store has nothing, not even a start
		{1, 0, room.Receipt{Seq: 1, Began: true}},
		{5, 1, room.Receipt{Seq: 2}},
		{6, 4, room.Receipt{Seq: 3}}, // it may have more
		{7, 7, room.Receipt{Lost: true}},
		{6, 7, room.Receipt{Lost: true}}, // which comes before all else
		{6, 6, room.Receipt{Duplicate: true}},
		{0, 7, room.Receipt{Seq: 4}}, // without an id nothing is lost
		{10, 6, room.Receipt{Seq: 5}},
		{11, 9, room.Receipt{Seq: 6}}, // numbers, not text
		{12, 11, room.Receipt{Seq: 7}},
		{13, 100, room.Receipt{Lost: true}},
		{1 << 52, 1<<53 - 1, room.Receipt{Lost: true}},
		{1<<53 - 1, 12, room.Receipt{Seq: 8}},
		{1<<53 - 1, 1<<53 - 1, room.Receipt{Duplicate: true}},
	} {
		s := b.node(i)
		post := numbered(s, admin, "tag", c.id, fmt.Sprint(i))
		post.Known = c.known
		if receipt, err := s.Post(t.Context(), r.ID, post); err != nil || receipt != c.want {
			t.Errorf("post %d with id %d, of which %d is known: %+v (%v), want %+v", i, c.id, c.known, receipt, err, c.want)
		}
	}
	if got := len(all[0].fence(t, r.ID)) - 1; got != 8 { // without the start
		t.Errorf("%d messages were told, want 8", got)
	}
}

func testDuplicates(t *testing.T, b Backend) {
	r := create(t, b, longTTL, longLobby)
	all := watchAll(t, b, r.ID)
	for i, c := range []struct {
		session   string
		id        uint64
		duplicate bool
	}{
		{"one", 1, false},
		{"one", 1, true},
		{"one", 2, false},
		{"one", 1, true}, // lower than the highest
		{"one", 9, false},
		{"one", 3, true}, // lower, though never stored
		{"two", 1, false},
		{"two", 9, false}, // sessions are independent
		{"two", 9, true},
		{"one", 0, false}, // without an id nothing is a duplicate
		{"one", 0, false},
		{"one", 9, true}, // and nothing is forgotten
		{"one", 10, false},
		{"one", 1<<53 - 1, false}, // the largest that JavaScript counts to
		{"one", 1<<53 - 2, true},
		{"one", 1<<53 - 1, true},
	} {
		s := b.node(i)
		before := load(t, s, r.ID).Seq
		receipt, err := s.Post(t.Context(), r.ID, numbered(s, admin, c.session, c.id, fmt.Sprint(i)))
		if err != nil {
			t.Fatalf("post %d: %v", i, err)
		}
		want, seq := room.Receipt{Seq: before + 1, Began: before == 0}, before+1
		if c.duplicate {
			want, seq = room.Receipt{Duplicate: true}, before
		}
		if receipt != want {
			t.Errorf("post %d with id %d of session %q: %+v, want %+v", i, c.id, c.session, receipt, want)
		}
		if after := load(t, b.node(i+1), r.ID).Seq; after != seq {
			t.Errorf("post %d: the room's seq went from %d to %d, want %d", i, before, after, seq)
		}
	}
	if got := len(all[0].fence(t, r.ID)) - 1; got != 9 { // without the start
		t.Errorf("%d messages were told, want 9", got)
	}
	if last := all[len(all)-1].enter(t, room.Presence{UserID: admin, SocketID: "s", Order: 1, Session: "one"}); last != 1<<53-1 {
		t.Errorf("Enter says that the last id is %d, want %d", last, uint64(1<<53-1))
	}
}

// testResendsAtOnce has clients that send the same messages on all nodes at
// once, as a client does that thinks its first connection dead.
func testResendsAtOnce(t *testing.T, b Backend) {
	const ids, senders = 100, 4
	r := create(t, b, longTTL, longLobby)
	all := watchAll(t, b, r.ID)
	var stored [senders]map[uint64]uint64 // seq by id
	together(senders, func(i int) {
		s := b.node(i)
		stored[i] = make(map[uint64]uint64)
		for id := uint64(1); id <= ids; id++ {
			receipt, err := s.Post(t.Context(), r.ID, numbered(s, admin, "tag", id, fmt.Sprint(id)))
			if err != nil {
				t.Errorf("Post of id %d: %v", id, err)
				return
			}
			if !receipt.Duplicate {
				stored[i][id] = receipt.Seq
			}
		}
	})
	for id := uint64(1); id <= ids; id++ {
		times := 0
		for _, by := range stored {
			if seq, ok := by[id]; ok {
				times++
				if seq != id {
					t.Errorf("id %d got number %d: the order sent is not the order stored", id, seq)
				}
			}
		}
		if times != 1 {
			t.Errorf("id %d was stored %d times, want once", id, times)
		}
	}
	for _, w := range all {
		w.awaitSeq(t, ids)
		if got := len(ofKind(w.fence(t, r.ID), room.EventMessage)); got < ids {
			t.Errorf("node %d was told %d messages, want %d", w.node, got, ids)
		}
	}
}

func testRemovedSender(t *testing.T, b Backend) {
	r := create(t, b, longTTL, longLobby)
	join(t, b, r.ID, "anna")
	s := b.node(0)
	if _, err := s.Post(t.Context(), r.ID, numbered(s, "anna", "tag", 1, "hello")); err != nil {
		t.Fatal(err)
	}
	if err := b.node(1).Remove(t.Context(), r.ID, "anna"); err != nil {
		t.Fatal(err)
	}
	for i, s := range b.Nodes {
		for _, id := range []uint64{0, 1, 2} { // also where it would be a duplicate
			if _, err := s.Post(t.Context(), r.ID, numbered(s, "anna", "tag", id, "still here")); !errors.Is(err, room.ErrRemoved) {
				t.Errorf("node %d: Post with id %d after the removal: %v, want ErrRemoved", i, id, err)
			}
		}
		if seq := load(t, s, r.ID).Seq; seq != 1 {
			t.Errorf("node %d: seq is %d after refused posts, want 1", i, seq)
		}
	}
	// A removed sender does not start a room.
	quiet := create(t, b, longTTL, longLobby)
	join(t, b, quiet.ID, "anna")
	if err := s.Remove(t.Context(), quiet.ID, "anna"); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Post(t.Context(), quiet.ID, newPost(s, "anna", "hello")); !errors.Is(err, room.ErrRemoved) {
		t.Errorf("Post after the removal: %v, want ErrRemoved", err)
	}
	if got := load(t, s, quiet.ID); got.Started() {
		t.Error("a refused post started the room")
	}
}

// testRemovalIsAtOnce checks that no message of a removed member follows its
// removal, on any node.
func testRemovalIsAtOnce(t *testing.T, b Backend) {
	r := create(t, b, longTTL, longLobby)
	join(t, b, r.ID, "anna")
	all := watchAll(t, b, r.ID)
	const senders, before = 4, 20
	var over atomic.Bool // Remove has returned
	together(senders, func(i int) {
		s := b.node(i)
		for n := 0; ; n++ {
			if i == 0 && n == before {
				if err := s.Remove(t.Context(), r.ID, "anna"); err != nil {
					t.Errorf("Remove: %v", err)
				}
				over.Store(true)
			}
			late := over.Load()
			switch _, err := s.Post(t.Context(), r.ID, newPost(s, "anna", "hello")); {
			case errors.Is(err, room.ErrRemoved):
				return
			case err != nil:
				t.Errorf("Post: %v", err)
				return
			case late:
				t.Errorf("node %d: Post after Remove had returned succeeded", i%len(b.Nodes))
				return
			}
		}
	})
	for _, w := range all {
		removed := false
		for _, e := range w.fence(t, r.ID) {
			if removed && e.Kind == room.EventMessage && bytes.Contains(e.Frame, []byte(`"userId":"anna"`)) {
				t.Errorf("node %d: message %d of a member came after her removal", w.node, e.Seq)
				break
			}
			removed = removed || e.Kind == room.EventRemoved
		}
		if !removed {
			t.Errorf("node %d: the removal was not told", w.node)
		}
	}
}
