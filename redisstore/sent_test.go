package redisstore_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/ephemeralchat/caddy-ephemeral-chat/redisstore/redistest"
)

// TestManySenders expects that Redis keeps the ids of many sessions in a table,
// those of few in a list, and that either knows what is sent again.
func TestManySenders(t *testing.T) {
	t.Parallel()
	s := newSetup(t, redistest.Options{}, time.Hour)
	clock, err := s.nodes[0].Start(t.Context(), s.room.ID)
	if err != nil {
		t.Fatal(err)
	}
	key := "room:sent:" + s.room.ID
	post := func(sender int, id uint64, duplicate bool) {
		t.Helper()
		receipt, err := s.nodes[sender%2].Post(t.Context(), s.room.ID, newPost(s.nodes[0], fmt.Sprintf("tag-%08d", sender), id, "hi"))
		if err != nil {
			t.Fatal(err)
		}
		if receipt.Duplicate != duplicate {
			t.Fatalf("message %d of session %d: duplicate is %v, want %v", id, sender, receipt.Duplicate, duplicate)
		}
	}
	for sender := range 200 {
		post(sender, 7, false)
		want := "hashtable"
		if sender < 63 {
			want = "listpack"
		}
		if got := s.raw(t, "object", "encoding", key); got != want {
			t.Fatalf("with %d sessions the encoding is %v, want %s", sender+1, got, want)
		}
	}
	for sender := range 200 {
		post(sender, 7, true)
		post(sender, 8, false)
	}
	if got := s.raw(t, "hlen", key); got != int64(201) {
		t.Errorf("%s has %v fields, want the sessions' and one more", key, got)
	}
	s.expectExpiry(t, clock.Deadline)
}
