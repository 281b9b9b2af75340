package storetest

import (
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/ephemeralchat/caddy-ephemeral-chat/room"
	"github.com/ephemeralchat/caddy-ephemeral-chat/room/message"
)

var historyTests = map[string]func(*testing.T, Backend){
	"Empty":        testEmptyHistory,
	"Trim":         testTrim,
	"EntryFields":  testEntryFields,
	"WhilePosting": testPagesWhilePosting,
	"Changes":      testHistoryChanges,
}

// expectPage fails unless a page holds the messages first to last (none if
// first is zero), in a history that reaches from oldest to newest.
func expectPage(t *testing.T, what string, page room.Page, epoch string, first, last, oldest, newest uint64) {
	t.Helper()
	if page.First != first || page.Oldest != oldest || page.Newest != newest || page.Epoch != epoch {
		t.Errorf("%s: first %d, oldest %d, newest %d, epoch %q; want %d, %d, %d, %q",
			what, page.First, page.Oldest, page.Newest, page.Epoch, first, oldest, newest, epoch)
	}
	want := 0
	if first > 0 {
		want = int(last - first + 1)
	}
	if len(page.Entries) != want {
		t.Errorf("%s: %d entries, want %d", what, len(page.Entries), want)
	}
	expectRun(t, what, page)
}

// expectRun fails unless the entries of a page have the numbers from First on.
func expectRun(t *testing.T, what string, page room.Page) {
	t.Helper()
	for i, entry := range page.Entries {
		if seq, ok := message.SeqOfEntry(entry); !ok || seq != page.First+uint64(i) {
			t.Errorf("%s: entry %d is %.40q, want number %d", what, i, entry, page.First+uint64(i))
			return
		}
		if !json.Valid(entry) {
			t.Errorf("%s: entry %d is not JSON: %.200q", what, i, entry)
			return
		}
	}
	if len(page.Entries) == 0 && page.First != 0 {
		t.Errorf("%s: first is %d on an empty page", what, page.First)
	}
}

func before(t *testing.T, s room.Store, roomID string, seq uint64, limit, bytes int) room.Page {
	t.Helper()
	page, err := s.Before(t.Context(), roomID, seq, limit, bytes)
	if err != nil {
		t.Fatalf("Before %d: %v", seq, err)
	}
	return page
}

func after(t *testing.T, s room.Store, roomID string, seq uint64, bytes int) room.Page {
	t.Helper()
	page, err := s.After(t.Context(), roomID, seq, bytes)
	if err != nil {
		t.Fatalf("After %d: %v", seq, err)
	}
	return page
}

// postMany stores n short messages under a history of keep.
func postMany(t *testing.T, s room.Store, roomID string, n, keep int) {
	t.Helper()
	for i := range n {
		p := newPost(s, admin, fmt.Sprintf("message %d", i))
		p.History = keep
		if _, err := s.Post(t.Context(), roomID, p); err != nil {
			t.Fatalf("Post: %v", err)
		}
	}
}

func testEmptyHistory(t *testing.T, b Backend) {
	r := create(t, b, longTTL, longLobby)
	for _, s := range b.Nodes {
		expectPage(t, "Before in a new room", before(t, s, r.ID, 0, 10, maxBytes), r.Epoch, 0, 0, 0, 0)
		expectPage(t, "Before 5 in a new room", before(t, s, r.ID, 5, 10, maxBytes), r.Epoch, 0, 0, 0, 0)
		expectPage(t, "After in a new room", after(t, s, r.ID, 0, maxBytes), r.Epoch, 0, 0, 0, 0)
		expectPage(t, "After 5 in a new room", after(t, s, r.ID, 5, maxBytes), r.Epoch, 0, 0, 0, 0)
	}
	if _, err := b.node(0).Start(t.Context(), r.ID); err != nil {
		t.Fatal(err)
	}
	expectPage(t, "Before in a started room", before(t, b.node(1), r.ID, 0, 10, maxBytes), r.Epoch, 0, 0, 0, 0)
}

func testTrim(t *testing.T, b Backend) {
	for _, keep := range []int{1, 3, 8, 10} {
		r := create(t, b, longTTL, longLobby)
		for n := 1; n <= 5*keep+3; n++ {
			postMany(t, b.node(n), r.ID, 1, keep)
			page := after(t, b.node(n+1), r.ID, 0, maxBytes)
			kept := len(page.Entries)
			if kept < min(n, keep) || kept > keep+keep/4 {
				t.Fatalf("history %d: %d messages are kept after %d, want at least %d and at most %d",
					keep, kept, n, min(n, keep), keep+keep/4)
			}
			newest := uint64(n)
			oldest := newest - uint64(kept) + 1
			expectPage(t, fmt.Sprintf("history %d: After 0", keep), page, r.Epoch, oldest, newest, oldest, newest)
			expectPage(t, fmt.Sprintf("history %d: Before 0", keep), before(t, b.node(n), r.ID, 0, keep, maxBytes),
				r.Epoch, newest-uint64(min(n, keep))+1, newest, oldest, newest)
		}
	}
}

func testHistoryChanges(t *testing.T, b Backend) {
	r := create(t, b, longTTL, longLobby)
	postMany(t, b.node(0), r.ID, 100, 100)
	if got := len(after(t, b.node(1), r.ID, 0, maxBytes).Entries); got != 100 {
		t.Fatalf("%d messages are kept, want 100", got)
	}
	postMany(t, b.node(1), r.ID, 20, 8) // a site whose history was made shorter
	page := after(t, b.node(0), r.ID, 0, maxBytes)
	if got := len(page.Entries); got < 8 || got > 10 {
		t.Errorf("%d messages are kept after the history was made shorter, want 8 to 10", got)
	}
	oldest := page.Oldest
	postMany(t, b.node(0), r.ID, 200, 1_000) // and longer
	expectPage(t, "After a longer history", after(t, b.node(1), r.ID, 0, maxBytes), r.Epoch, oldest, 320, oldest, 320)
}

func testEntryFields(t *testing.T, b Backend) {
	r := create(t, b, longTTL, longLobby)
	s := b.node(0)
	posted := s.Now()
	for _, p := range []room.Post{newPost(s, "anna", "hi <b>"), numbered(s, "anna", "tag", 7, "there")} {
		if _, err := s.Post(t.Context(), r.ID, p); err != nil {
			t.Fatal(err)
		}
	}
	page := after(t, b.node(1), r.ID, 0, maxBytes)
	want := []map[string]any{
		{"seq": 1.0, "message": "hi <b>", "userId": "anna"},
		{"seq": 2.0, "message": "there", "userId": "anna", "id": 7.0, "session": "tag"},
	}
	if len(page.Entries) != len(want) {
		t.Fatalf("%d entries, want %d", len(page.Entries), len(want))
	}
	for i, entry := range page.Entries {
		var got map[string]any
		if err := json.Unmarshal(entry, &got); err != nil {
			t.Fatalf("entry %d: %v", i, err)
		}
		stamp, err := time.Parse(time.RFC3339, fmt.Sprint(got["timestamp"]))
		if err != nil || stamp.Before(posted.Truncate(time.Millisecond)) || stamp.After(time.Now()) {
			t.Errorf("entry %d: timestamp %v (%v), want now", i, got["timestamp"], err)
		}
		delete(got, "timestamp")
		if fmt.Sprint(got) != fmt.Sprint(want[i]) {
			t.Errorf("entry %d: %v, want %v", i, got, want[i])
		}
	}
}

// testPagesWhilePosting reads while others write: every page is a run, and
// its bounds fit its entries.
func testPagesWhilePosting(t *testing.T, b Backend) {
	r := create(t, b, longTTL, longLobby)
	const posts, keep = 400, 20
	together(2*len(b.Nodes), func(i int) {
		s := b.node(i / 2)
		if i%2 == 0 {
			for n := range posts {
				p := newPost(s, admin, fmt.Sprint(n))
				p.History = keep
				if _, err := s.Post(t.Context(), r.ID, p); err != nil {
					t.Errorf("Post: %v", err)
					return
				}
			}
			return
		}
		newest := uint64(0)
		for range posts / 4 {
			for _, read := range []func() (room.Page, error){
				func() (room.Page, error) { return s.Before(t.Context(), r.ID, 0, 10, maxBytes) },
				func() (room.Page, error) { return s.After(t.Context(), r.ID, newest, maxBytes) },
			} {
				page, err := read()
				if err != nil {
					t.Errorf("page while others post: %v", err)
					return
				}
				expectRun(t, "page while others post", page)
				if len(page.Entries) > 0 && (page.First < page.Oldest || page.Last() != page.Newest) || page.Newest < newest {
					t.Errorf("a page from %d to %d says that the history is %d to %d; before, %d was the newest",
						page.First, page.Last(), page.Oldest, page.Newest, newest)
				}
				newest = page.Newest
			}
		}
	})
}
