package memstore_test

import (
	"bytes"
	"runtime"
	"testing"
	"time"

	"github.com/ephemeralchat/caddy-ephemeral-chat/room"
	"github.com/ephemeralchat/caddy-ephemeral-chat/room/memstore"
	"github.com/ephemeralchat/caddy-ephemeral-chat/room/message"
)

// The measured room has this many messages of this many bytes.
const messages, size = 1_000, 8 << 10

// heldAndLeft fills a room while a feed of it is open. It returns the bytes of heap
// that this takes, and those still in use after free was called.
func heldAndLeft(t *testing.T, store *memstore.Store, roomID string, free func()) (held, left int64) {
	t.Helper()
	_, feed, err := store.Watch(t.Context(), roomID, func(room.Event) {})
	if err != nil {
		t.Fatal(err)
	}
	defer feed.Close()
	measure := func() int64 {
		var stats runtime.MemStats
		runtime.GC()
		runtime.GC()
		runtime.ReadMemStats(&stats)
		return int64(stats.HeapAlloc)
	}
	before := measure()
	text := string(bytes.Repeat([]byte("x"), size))
	for range messages {
		body := message.EncodeBody(text, store.Now(), "anna", 0, "")
		if _, err := store.Post(t.Context(), roomID, room.Post{UserID: "anna", Body: body, History: messages}); err != nil {
			t.Fatal(err)
		}
	}
	held = measure() - before
	free()
	return held, measure() - before
}

// TestEndedRoomIsCollected checks that a room that has ended, and its messages,
// are garbage, even while a feed of it is still open.
func TestEndedRoomIsCollected(t *testing.T) {
	store := newStore(t)
	r := newRoom()
	create(t, store, r, time.Hour)
	held, left := heldAndLeft(t, store, r.ID, func() {
		if err := store.Delete(t.Context(), r.ID); err != nil {
			t.Fatal(err)
		}
	})
	if held < messages*size {
		t.Fatalf("the room held %d bytes, which cannot be its %d messages", held, messages)
	}
	if left > messages*size/10 {
		t.Errorf("of %d bytes that the room held, %d are left after its end", held, left)
	}
}

// TestHistoryIsBounded checks that a busy room holds no more than its history.
func TestHistoryIsBounded(t *testing.T) {
	store := newStore(t)
	r := newRoom()
	create(t, store, r, time.Hour)
	const keep, size = 100, 8 << 10
	text := string(bytes.Repeat([]byte("x"), size))
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	for range 50 * keep {
		body := message.EncodeBody(text, store.Now(), "anna", 0, "")
		if _, err := store.Post(t.Context(), r.ID, room.Post{UserID: "anna", Body: body, History: keep}); err != nil {
			t.Fatal(err)
		}
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	if grown := int64(after.HeapAlloc) - int64(before.HeapAlloc); grown > 2*keep*size {
		t.Errorf("a history of %d messages of %d bytes takes %d bytes", keep, size, grown)
	}
}

// TestRetractedTextIsCollected checks that the text of a retracted message is
// garbage while the message is kept and a feed is open.
func TestRetractedTextIsCollected(t *testing.T) {
	store := newStore(t)
	r := newRoom()
	create(t, store, r, time.Hour)
	held, left := heldAndLeft(t, store, r.ID, func() {
		for seq := range uint64(messages) {
			if err := store.Retract(t.Context(), r.ID, room.Retraction{Seq: seq + 1, UserID: "anna"}); err != nil {
				t.Fatal(err)
			}
		}
	})
	if held < messages*size || left > messages*size/10 {
		t.Errorf("of %d bytes that %d messages held, %d are left after their retraction", held, messages, left)
	}
	page, err := store.After(t.Context(), r.ID, 0, 64<<20)
	if err != nil || len(page.Entries) != messages {
		t.Errorf("%d messages are kept (%v), want all", len(page.Entries), err)
	}
}
