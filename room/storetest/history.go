//nolint:thelper // the functions that take a Backend are the tests, not helpers of one
package storetest

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/ephemeralchat/caddy-ephemeral-chat/room"
)

var historyTests = map[string]func(*testing.T, Backend){
	"Empty":         testEmptyHistory,
	"Trim":          testTrim,
	"Before":        testBefore,
	"BeforeBytes":   testBeforeBytes,
	"After":         testAfter,
	"AfterBytes":    testAfterBytes,
	"Megabyte":      testMegabyte,
	"EntryFields":   testEntryFields,
	"WhilePosting":  testPagesWhilePosting,
	"HistoryShrink": testHistoryChanges,
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

// expectRun fails unless the entries of a page are numbered as it says.
func expectRun(t *testing.T, what string, page room.Page) {
	t.Helper()
	for i, entry := range page.Entries {
		if seq, ok := room.SeqOfEntry(entry); !ok || seq != page.First+uint64(i) {
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
		p := message(s, admin, fmt.Sprintf("message %d", i))
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

func testBefore(t *testing.T, b Backend) {
	r := create(t, b, longTTL, longLobby)
	postMany(t, b.node(0), r.ID, 40, history)
	for _, c := range []struct {
		before      uint64
		limit       int
		first, last uint64
	}{
		{0, 10, 31, 40},
		{0, 40, 1, 40},
		{0, 1, 40, 40},
		{0, 200, 1, 40},
		{41, 10, 31, 40},
		{1_000_000, 10, 31, 40}, // above everything
		{40, 10, 30, 39},
		{31, 10, 21, 30},
		{5, 10, 1, 4},
		{2, 10, 1, 1},
		{1, 10, 0, 0},
	} {
		for i, s := range b.Nodes {
			expectPage(t, fmt.Sprintf("node %d: Before %d, limit %d", i, c.before, c.limit),
				before(t, s, r.ID, c.before, c.limit, maxBytes), r.Epoch, c.first, c.last, 1, 40)
		}
	}
	// Back to the beginning, page by page.
	next, pages := uint64(0), 0
	for {
		page := before(t, b.node(pages), r.ID, next, 7, maxBytes)
		if len(page.Entries) == 0 {
			break
		}
		if next != 0 && page.Last() != next-1 {
			t.Fatalf("the page before %d ends with %d", next, page.Last())
		}
		next = page.First
		pages++
	}
	if next != 1 || pages != 6 {
		t.Errorf("paging back in sevens took %d pages to %d, want 6 to 1", pages, next)
	}
}

// sized returns a text whose entry in the room has about so many bytes.
func sized(bytes int) string { return strings.Repeat("x", max(1, bytes-110)) }

func size(entries [][]byte) int {
	n := 0
	for _, entry := range entries {
		n += len(entry)
	}
	return n
}

func testBeforeBytes(t *testing.T, b Backend) {
	r := create(t, b, longTTL, longLobby)
	sizes := []int{200, 5_000, 200, 200, 9_000, 300, 300}
	for _, n := range sizes {
		post(t, b.node(0), r.ID, sized(n))
	}
	all := before(t, b.node(0), r.ID, 0, 100, maxBytes).Entries
	for _, budget := range []int{1, 250, 700, 9_000, 10_000, 12_000, size(all) - 1, size(all)} {
		for below := uint64(1); below <= 8; below++ {
			// The longest run that ends below and fits; one at least.
			first, sum := below, 0
			for first > 1 && (sum == 0 || sum+len(all[first-2]) <= budget) {
				first--
				sum += len(all[first-1])
			}
			if first == below {
				first = 0
			}
			page := before(t, b.node(1), r.ID, below, 100, budget)
			expectPage(t, fmt.Sprintf("Before %d, at most %d bytes", below, budget), page, r.Epoch, first, below-1, 1, 7)
		}
	}
}

func testAfter(t *testing.T, b Backend) {
	r := create(t, b, longTTL, longLobby)
	postMany(t, b.node(0), r.ID, 100, 16)
	for i, s := range b.Nodes {
		oldest := after(t, s, r.ID, 0, maxBytes).Oldest
		for _, c := range []struct{ after, first, last uint64 }{
			{0, oldest, 100},
			{1, oldest, 100}, // long gone
			{oldest - 2, oldest, 100},
			{oldest - 1, oldest, 100},
			{oldest, oldest + 1, 100},
			{98, 99, 100},
			{99, 100, 100},
			{100, 0, 0},
			{101, 0, 0},
			{1_000_000, 0, 0},
		} {
			expectPage(t, fmt.Sprintf("node %d: After %d", i, c.after),
				after(t, s, r.ID, c.after, maxBytes), r.Epoch, c.first, c.last, oldest, 100)
		}
	}
}

// collect reads everything above a number, page by page. No page may be larger
// than allowed unless it holds one entry only.
func collect(t *testing.T, s room.Store, roomID string, seq uint64, bytes int) [][]byte {
	t.Helper()
	var all [][]byte
	for {
		page := after(t, s, roomID, seq, bytes)
		if len(page.Entries) == 0 {
			return all
		}
		if len(page.Entries) > 1 && size(page.Entries) > bytes {
			t.Fatalf("After %d gave %d entries of %d bytes, want at most %d", seq, len(page.Entries), size(page.Entries), bytes)
		}
		if page.First != seq+1 {
			t.Fatalf("After %d begins with %d", seq, page.First)
		}
		expectRun(t, "After", page)
		all = append(all, page.Entries...)
		seq = page.Last()
	}
}

func testAfterBytes(t *testing.T, b Backend) {
	r := create(t, b, longTTL, longLobby)
	for _, n := range []int{200, 5_000, 200, 200, 9_000, 300, 300} {
		post(t, b.node(0), r.ID, sized(n))
	}
	for _, budget := range []int{1, 250, 700, 9_000, 10_000, 1 << 20} {
		if got := len(collect(t, b.node(1), r.ID, 0, budget)); got != 7 {
			t.Errorf("in pages of %d bytes: %d messages, want 7", budget, got)
		}
	}
}

// testMegabyte reads what a client has missed that was away for long.
func testMegabyte(t *testing.T, b Backend) {
	r := create(t, b, longTTL, longLobby)
	const n = 320
	for i := range n {
		post(t, b.node(i), r.ID, fmt.Sprintf("%d %s", i, sized(4_096)))
	}
	for i, s := range b.Nodes {
		entries := collect(t, s, r.ID, 20, 256<<10)
		if len(entries) != n-20 || size(entries) < 1<<20 {
			t.Fatalf("node %d: %d messages of %d bytes, want %d and a megabyte", i, len(entries), size(entries), n-20)
		}
		for j, entry := range entries {
			var fields struct{ Message string }
			if err := json.Unmarshal(entry, &fields); err != nil {
				t.Fatal(err)
			}
			if want := fmt.Sprintf("%d ", 20+j); !strings.HasPrefix(fields.Message, want) {
				t.Fatalf("node %d: message %d begins with %.10q, want %q", i, 21+j, fields.Message, want)
			}
		}
	}
}

func testEntryFields(t *testing.T, b Backend) {
	r := create(t, b, longTTL, longLobby)
	s := b.node(0)
	posted := s.Now()
	for _, p := range []room.Post{message(s, "anna", "hi <b>"), numbered(s, "anna", "tag", 7, "there")} {
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

// testPagesWhilePosting reads while others write: every page is a run, and what
// it says of the history fits what it holds.
func testPagesWhilePosting(t *testing.T, b Backend) {
	r := create(t, b, longTTL, longLobby)
	const posts, keep = 400, 20
	together(2*len(b.Nodes), func(i int) {
		s := b.node(i / 2)
		if i%2 == 0 {
			for n := range posts {
				p := message(s, admin, fmt.Sprint(n))
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
