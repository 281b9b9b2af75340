package memstore_test

import (
	"bytes"
	"runtime"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ephemeralchat/caddy-ephemeral-chat/room"
	"github.com/ephemeralchat/caddy-ephemeral-chat/room/memstore"
	"github.com/ephemeralchat/caddy-ephemeral-chat/room/message"
)

// TestSecretsAreWiped checks that the key and the password hashes of a room are
// overwritten when it ends, whatever ends it, and that copies which callers
// hold stay good.
func TestSecretsAreWiped(t *testing.T) {
	ends := map[string]func(*testing.T, *memstore.Store, string){
		"deleted": func(t *testing.T, store *memstore.Store, roomID string) {
			t.Helper()
			if err := store.Delete(t.Context(), roomID); err != nil {
				t.Fatal(err)
			}
		},
		"expired": func(t *testing.T, store *memstore.Store, roomID string) {
			t.Helper()
			if _, err := store.Start(t.Context(), roomID); err != nil {
				t.Fatal(err)
			}
			elapse(day)
		},
		"reaped": func(*testing.T, *memstore.Store, string) {
			elapse(time.Hour)
		},
		"closed": func(t *testing.T, store *memstore.Store, _ string) {
			t.Helper()
			if err := store.Close(); err != nil {
				t.Fatal(err)
			}
		},
	}
	for name, end := range ends {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				store := memstore.New()
				r := newRoom()
				r.AdminPassword = []byte("salt and hash of an admin")
				create(t, store, r, time.Hour)
				secrets := memstore.Secrets(store, r.ID)
				if !slices.EqualFunc(secrets, [][]byte{r.Key, r.Password, r.AdminPassword}, bytes.Equal) {
					t.Fatal("these are not the secrets of the room")
				}
				given, err := store.Load(t.Context(), r.ID)
				if err != nil {
					t.Fatal(err)
				}
				end(t, store, r.ID)
				for i, secret := range secrets {
					if !bytes.Equal(secret, make([]byte, len(secret))) {
						t.Errorf("after the end the store's memory holds secret %d, %x", i, secret)
					}
				}
				if !bytes.Equal(given.Key, r.Key) || !bytes.Equal(given.Password, r.Password) || !bytes.Equal(given.AdminPassword, r.AdminPassword) {
					t.Error("the copy of a caller was overwritten")
				}
				if err := store.Close(); err != nil {
					t.Fatal(err)
				}
			})
		})
	}
}

// The room whose memory is measured has so many messages, of so many bytes.
const messages, size = 1_000, 8 << 10

// heldAndLeft fills a room while a feed of it is open, and returns how many bytes
// of the heap that takes, and how many are left once free has been called.
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

// TestHistoryIsBounded checks that a room that talks for long holds no more
// than its history.
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

// TestRetractedTextIsCollected checks that the text of a message that was
// retracted is garbage, while the message is kept and a feed is open.
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
