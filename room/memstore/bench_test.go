package memstore_test

import (
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ephemeralchat/caddy-ephemeral-chat/room"
	"github.com/ephemeralchat/caddy-ephemeral-chat/room/memstore"
	"github.com/ephemeralchat/caddy-ephemeral-chat/room/message"
)

// benchmarkPost is a post of a chat line, with a number of its sender's.
func benchmarkPost(id uint64, session string) room.Post {
	text := "See you at eight, then, at the usual place. Bring the map."
	return room.Post{
		UserID: "anna", Session: session, ID: id, History: 1_000,
		Body: message.EncodeBody(text, time.Unix(1_700_000_000, 0), "anna", id, session),
	}
}

func benchmarkRooms(b *testing.B, store *memstore.Store, n int) []string {
	b.Helper()
	ids := make([]string, n)
	for i := range ids {
		r := newRoom()
		create(b, store, r, time.Hour)
		ids[i] = r.ID
	}
	return ids
}

func BenchmarkPost(b *testing.B) {
	for _, rooms := range []int{1, 100_000} {
		b.Run(fmt.Sprintf("rooms=%d", rooms), func(b *testing.B) {
			store := newStore(b)
			ids := benchmarkRooms(b, store, rooms)
			post := benchmarkPost(1, "tag")
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				post.ID++
				if _, err := store.Post(b.Context(), ids[i%len(ids)], post); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkPostParallel posts from all cores, all into one room or each into
// a room of its own.
func BenchmarkPostParallel(b *testing.B) {
	for _, own := range []bool{false, true} {
		b.Run(fmt.Sprintf("ownroom=%v", own), func(b *testing.B) {
			store := newStore(b)
			ids := benchmarkRooms(b, store, 64)
			var posters atomic.Uint64
			b.ReportAllocs()
			b.RunParallel(func(pb *testing.PB) {
				n := posters.Add(1)
				roomID := ids[0]
				if own {
					roomID = ids[n%uint64(len(ids))]
				}
				post := benchmarkPost(1, fmt.Sprintf("tag-%d", n))
				for pb.Next() {
					post.ID++
					if _, err := store.Post(b.Context(), roomID, post); err != nil {
						b.Error(err)
						return
					}
				}
			})
		})
	}
}

func BenchmarkPostWatched(b *testing.B) {
	store := newStore(b)
	roomID := benchmarkRooms(b, store, 1)[0]
	told := 0
	_, feed, err := store.Watch(b.Context(), roomID, func(e room.Event) {
		if e.Kind == room.EventMessage {
			told++
		}
	})
	if err != nil {
		b.Fatal(err)
	}
	defer feed.Close()
	post := benchmarkPost(1, "tag")
	b.ReportAllocs()
	for b.Loop() {
		post.ID++
		if _, err := store.Post(b.Context(), roomID, post); err != nil {
			b.Fatal(err)
		}
	}
	if told == 0 {
		b.Error("the watcher was told nothing")
	}
}

// BenchmarkBefore reads the page that a client gets when it joins.
func BenchmarkBefore(b *testing.B) {
	for _, kept := range []int{50, 1_000} {
		b.Run(fmt.Sprintf("kept=%d", kept), func(b *testing.B) {
			store := newStore(b)
			roomID := benchmarkRooms(b, store, 1)[0]
			for i := range kept {
				if _, err := store.Post(b.Context(), roomID, benchmarkPost(uint64(i+1), "tag")); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportAllocs()
			for b.Loop() {
				page, err := store.Before(b.Context(), roomID, 0, 50, 256<<10)
				if err != nil || len(page.Entries) != 50 {
					b.Fatalf("%d entries, %v", len(page.Entries), err)
				}
			}
		})
	}
}
