package storetest

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/ephemeralchat/caddy-ephemeral-chat/room"
)

var pageTests = map[string]func(*testing.T, Backend){
	"Before":      testBefore,
	"BeforeBytes": testBeforeBytes,
	"After":       testAfter,
	"AfterBytes":  testAfterBytes,
	"Megabyte":    testMegabyte,
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

// testMegabyte reads the messages that a client missed in a long absence.
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
