package redisstore_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/ephemeralchat/caddy-ephemeral-chat/redisstore/redistest"
	"github.com/ephemeralchat/caddy-ephemeral-chat/room"
	"github.com/ephemeralchat/caddy-ephemeral-chat/room/message"
)

func (s *setup) retract(tb testing.TB, node int, seqs ...uint64) {
	tb.Helper()
	for _, seq := range seqs {
		if err := s.nodes[node].Retract(tb.Context(), s.room.ID, room.Retraction{Seq: seq, UserID: admin}); err != nil {
			tb.Fatalf("Retract %d: %v", seq, err)
		}
	}
}

// retractSilently retracts a message in Redis without an event.
func (s *setup) retractSilently(tb testing.TB, seq uint64) {
	tb.Helper()
	s.do(tb, "lset", "room:messages:"+s.room.ID, seq-1, message.WithoutText([]byte(s.entry(tb, seq))))
	s.do(tb, "zadd", "room:retracted:"+s.room.ID, seq, seq)
}

// undoRetraction undoes a retraction in Redis, like a failover to a replica that has
// missed it.
func (s *setup) undoRetraction(tb testing.TB, seq uint64, entry string) {
	tb.Helper()
	s.do(tb, "lset", "room:messages:"+s.room.ID, seq-1, entry)
	s.do(tb, "zrem", "room:retracted:"+s.room.ID, seq)
}

// entry returns the entry of a message in a room that keeps all.
func (s *setup) entry(tb testing.TB, seq uint64) string {
	tb.Helper()
	entry, err := s.server.Client().LIndex(tb.Context(), "room:messages:"+s.room.ID, int64(seq)-1).Result()
	if err != nil {
		tb.Fatal(err)
	}
	return entry
}

// awaitRetracted waits for the retractions of messages, each once, and expects no
// others.
func (w *watch) awaitRetracted(tb testing.TB, seqs ...uint64) {
	tb.Helper()
	for _, seq := range seqs {
		w.await(tb, fmt.Sprint("retraction of ", seq), func(e room.Event) bool { return e.Kind == room.EventRetracted && e.Seq == seq })
	}
	if received := w.all(room.EventRetracted); len(received) != len(seqs) {
		tb.Errorf("received %s, want %v", describe(received), seqs)
	}
}

// expectSnapshot fails unless a new watch of the room starts with these retractions.
func (s *setup) expectSnapshot(tb testing.TB, want ...uint64) {
	tb.Helper()
	for i, node := range s.nodes {
		if got := watchRoom(tb, node, s.room.ID).snapshot.Retracted; !slices.Equal(got, want) {
			tb.Errorf("node %d opens the room and learns that %v were retracted, want %v", i, got, want)
		}
	}
}

// everything returns all keys whose names contain a text, with their values.
func everything(tb testing.TB, client *redis.Client, text string) string {
	tb.Helper()
	var b strings.Builder
	read := map[string][]any{
		"string": {"get"}, "hash": {"hgetall"}, "list": {"lrange", 0, -1}, "set": {"smembers"}, "zset": {"zrange", 0, -1},
	}
	for _, key := range keysOf(tb, client, text) {
		kind, err := client.Type(tb.Context(), key).Result()
		if err != nil || read[kind] == nil {
			tb.Fatalf("%s is a %q (%v)", key, kind, err)
		}
		value, err := client.Do(tb.Context(), slices.Insert(slices.Clone(read[kind]), 1, any(key))...).Result()
		if err != nil {
			tb.Fatalf("%s: %v", key, err)
		}
		fmt.Fprintln(&b, key, value)
	}
	return b.String()
}

func TestNothingOfTheTextIsLeft(t *testing.T) {
	t.Parallel()
	s := newSetup(t, redistest.Options{}, time.Hour)
	secrets := []string{"attack at dawn", "plan B"}
	for i, text := range secrets {
		if _, err := s.nodes[i].Post(t.Context(), s.room.ID, newPost(s.nodes[i], "tag", uint64(i+1), text)); err != nil {
			t.Fatal(err)
		}
	}
	for _, text := range secrets {
		if !strings.Contains(everything(t, s.server.Client(), ""), text) {
			t.Fatalf("%q is nowhere before its retraction", text)
		}
	}
	s.retract(t, 1, 1)
	s.retract(t, 0, 2)
	for _, text := range secrets {
		if all := everything(t, s.server.Client(), ""); strings.Contains(all, text) {
			t.Errorf("%q is left: %s", text, all)
		}
	}
	for _, w := range s.watches {
		w.awaitRetracted(t, 1, 2)
	}
	if n := s.do(t, "llen", "room:messages:"+s.room.ID); n != int64(2) {
		t.Errorf("%v messages are kept, want both", n)
	}
}

// TestRetractionsAreTrimmed checks that Redis keeps no retractions of messages that it
// does not keep.
func TestRetractionsAreTrimmed(t *testing.T) {
	t.Parallel()
	s := newSetup(t, redistest.Options{}, time.Hour)
	const keep = 8
	for range 100 {
		post := newPost(s.nodes[0], "", 0, "x")
		post.History = keep
		receipt, err := s.nodes[0].Post(t.Context(), s.room.ID, post)
		if err != nil {
			t.Fatal(err)
		}
		s.retract(t, 1, receipt.Seq)
	}
	kept := s.do(t, "llen", "room:messages:"+s.room.ID)
	if n := s.do(t, "zcard", "room:retracted:"+s.room.ID); n != kept {
		t.Errorf("%v numbers are kept of %v messages", n, kept)
	}
	s.expectExpiry(t, s.watches[0].awaitKind(t, room.EventStarted).Deadline)
}

// TestRetractionMissed retracts messages without events: also the newest one, whose
// fingerprint shows that Redis has lost nothing.
func TestRetractionMissed(t *testing.T) {
	t.Parallel()
	s := newSetup(t, redistest.Options{}, time.Hour)
	newest := s.post(t, 0, texts(20)...)
	for _, w := range s.watches {
		w.awaitSeq(t, newest)
	}
	s.retract(t, 0, 5)
	for _, seq := range []uint64{1, newest} {
		s.retractSilently(t, seq)
	}
	s.replace(t, newest+1, "new 21", "new 22", "new 23")
	s.retractSilently(t, newest+2)
	s.cutPubSub(t)
	for i, w := range s.watches {
		w.awaitSeq(t, newest+3)
		w.awaitRetracted(t, 5, 1, newest)
		for _, e := range w.all(room.EventMessage) {
			if retracted := e.Seq == newest+2; e.Retracted != retracted || message.IsRetracted(e.Frame) != retracted {
				t.Errorf("node %d: message %d was received as retracted %v: %s", i, e.Seq, e.Retracted, e.Frame)
			}
		}
		if received := w.all(room.EventGap); len(received) > 0 {
			t.Errorf("node %d received %s, though nothing was lost", i, describe(received))
		}
	}
	s.expectSnapshot(t, 1, 5, newest, newest+2)
	// And once more, without anything new.
	s.cutPubSub(t)
	s.post(t, 1, "later")
	for _, w := range s.watches {
		w.awaitSeq(t, newest+4)
		w.awaitRetracted(t, 5, 1, newest)
	}
}

// TestRetractionLost makes Redis lose retractions that the nodes have received: they
// retract the messages again.
func TestRetractionLost(t *testing.T) {
	t.Parallel()
	s := newSetup(t, redistest.Options{}, time.Hour)
	newest := s.post(t, 0, texts(20)...)
	lost := []uint64{3, newest}
	entries := make(map[uint64]string)
	for _, seq := range lost {
		entries[seq] = s.entry(t, seq)
	}
	s.retract(t, 1, lost...)
	for _, w := range s.watches {
		w.awaitSeq(t, newest)
		w.awaitRetracted(t, lost...)
	}
	for _, seq := range lost {
		s.undoRetraction(t, seq, entries[seq])
	}
	s.cutPubSub(t)
	for _, seq := range lost {
		eventually(t, awaitTimeout, func() string {
			if entry := s.entry(t, seq); !message.IsRetracted([]byte(entry)) {
				return "left: " + entry
			}
			return ""
		})
	}
	s.post(t, 0, "later")
	for i, w := range s.watches {
		w.awaitSeq(t, newest+1)
		w.awaitRetracted(t, lost...)
		if received := w.all(room.EventGap); len(received) > 0 {
			t.Errorf("node %d received %s", i, describe(received))
		}
	}
	s.expectSnapshot(t, lost...)
	s.expectExpiry(t, s.watches[0].awaitKind(t, room.EventStarted).Deadline)
}

// TestRetractionLostWithItsMessage makes Redis lose retractions and their messages. Other
// messages with the same numbers are not retracted.
func TestRetractionLostWithItsMessage(t *testing.T) {
	t.Parallel()
	s := newSetup(t, redistest.Options{}, time.Hour)
	newest := s.post(t, 0, texts(20)...)
	tenth := s.entry(t, 10)
	s.retract(t, 1, 10, 18)
	for _, w := range s.watches {
		w.awaitSeq(t, newest)
		w.awaitRetracted(t, 10, 18)
	}
	s.undoRetraction(t, 10, tenth)
	s.do(t, "zrem", "room:retracted:"+s.room.ID, 18)
	s.lose(t, 15, 5)
	s.replace(t, 16, "new 16", "new 17", "new 18")
	s.cutPubSub(t)
	for _, w := range s.watches {
		w.awaitKind(t, room.EventGap)
	}
	s.expectGap(t, 15, 20)
	eventually(t, awaitTimeout, func() string {
		if entry := s.entry(t, 10); !message.IsRetracted([]byte(entry)) {
			return "left: " + entry
		}
		return ""
	})
	if entry := s.entry(t, 18); message.IsRetracted([]byte(entry)) || !strings.Contains(entry, "new 18") {
		t.Errorf("another message was retracted: %s", entry)
	}
	s.expectSnapshot(t, 10)
	// The new one can be retracted.
	s.retract(t, 0, 18)
	for _, w := range s.watches {
		w.await(t, "second retraction of 18", func(room.Event) bool { return len(w.all(room.EventRetracted)) == 3 })
	}
	s.expectSnapshot(t, 10, 18)
}
