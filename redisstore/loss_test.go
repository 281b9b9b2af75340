package redisstore_test

import (
	"bytes"
	"fmt"
	"strconv"
	"testing"
	"time"

	"github.com/ephemeralchat/caddy-ephemeral-chat/redisstore/redistest"
	"github.com/ephemeralchat/caddy-ephemeral-chat/room"
	"github.com/ephemeralchat/caddy-ephemeral-chat/room/message"
)

// lose deletes the newest messages, like a failover to a replica that has missed them.
func (s *setup) lose(t *testing.T, kept uint64, lost int) {
	t.Helper()
	for range lost {
		s.do(t, "rpop", "room:messages:"+s.room.ID)
	}
	s.do(t, "hset", "room:"+s.room.ID, "seq", strconv.FormatUint(kept, 10))
}

// replace stores messages without events, like other nodes do between such a failover
// and the return of this node.
func (s *setup) replace(t *testing.T, first uint64, texts ...string) {
	t.Helper()
	for i, text := range texts {
		seq := first + uint64(i)
		s.do(t, "rpush", "room:messages:"+s.room.ID, message.Entry(seq, message.EncodeBody(text, time.Now(), admin, 0, "")))
		s.do(t, "hset", "room:"+s.room.ID, "seq", strconv.FormatUint(seq, 10))
	}
}

func texts(n int) []string {
	all := make([]string, n)
	for i := range all {
		all[i] = fmt.Sprintf("message %d", i+1)
	}
	return all
}

// expectGap fails unless every watch has received one gap, in one new epoch and after the
// message seq, and then the messages of Redis.
func (s *setup) expectGap(t *testing.T, seq uint64, received int) {
	t.Helper()
	newest := s.post(t, 1, "after the loss")
	loaded, err := s.nodes[0].Load(t.Context(), s.room.ID)
	if err != nil {
		t.Fatal(err)
	}
	if loaded.Epoch == s.room.Epoch || loaded.Epoch == "" {
		t.Errorf("the epoch is %q, want a new one", loaded.Epoch)
	}
	for i, w := range s.watches {
		w.await(t, "message after the loss", func(e room.Event) bool {
			return e.Kind == room.EventMessage && e.Seq == newest && bytes.Contains(e.Frame, []byte("after the loss"))
		})
		events := w.all(room.EventMessage, room.EventGap)
		gaps := w.all(room.EventGap)
		if len(gaps) != 1 || gaps[0].Seq != seq || gaps[0].Epoch != loaded.Epoch {
			t.Errorf("node %d received the gaps %s epochs %q, want one after %d in the epoch %q", i, describe(gaps), epochs(gaps), seq, loaded.Epoch)
			continue
		}
		if events[received].Kind != room.EventGap {
			t.Fatalf("node %d received %s, want the gap after %d messages", i, describe(events), received)
		}
		page, err := s.nodes[i].After(t.Context(), s.room.ID, seq, 1<<20)
		if err != nil {
			t.Fatal(err)
		}
		after := events[received+1:]
		if len(after) != len(page.Entries) {
			t.Fatalf("node %d received %s after the gap, want %d messages", i, describe(after), len(page.Entries))
		}
		for j, e := range after {
			if !bytes.Equal(e.Frame, message.FrameOfEntry(page.Entries[j])) {
				t.Errorf("node %d received %q after the gap, want %q", i, e.Frame, page.Entries[j])
			}
		}
	}
}

func epochs(events []room.Event) []string {
	var all []string
	for _, e := range events {
		all = append(all, e.Epoch)
	}
	return all
}

func TestLostMessages(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		received, kept int
		replaced       []string
		gap            uint64
	}{
		"shorter":                    {20, 15, nil, 15},
		"replaced by fewer":          {20, 15, []string{"new 16", "new 17"}, 15},
		"replaced by as many":        {20, 15, []string{"a", "b", "c", "d", "e"}, 15},
		"replaced by the same":       {20, 19, []string{"new 20"}, 19},
		"replaced by more":           {20, 15, []string{"a", "b", "c", "d", "e", "f", "g"}, 15},
		"all lost":                   {20, 0, nil, 0},
		"more than is remembered":    {700, 50, nil, 0},
		"long, but a short tail":     {700, 690, []string{"new 691"}, 690},
		"exactly what is remembered": {300, 100, nil, 100},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSetup(t, redistest.Options{}, time.Hour)
			newest := s.post(t, 0, texts(test.received)...)
			for _, w := range s.watches {
				w.awaitSeq(t, newest)
			}
			s.lose(t, uint64(test.kept), test.received-test.kept)
			s.replace(t, uint64(test.kept)+1, test.replaced...)
			s.cutPubSub(t)
			for _, w := range s.watches {
				w.awaitKind(t, room.EventGap)
			}
			s.expectGap(t, test.gap, test.received)
		})
	}
}

// TestLossIsNoticedByTraffic makes Redis lose messages while all connections work.
func TestLossIsNoticedByTraffic(t *testing.T) {
	t.Parallel()
	s := newSetup(t, redistest.Options{}, time.Hour)
	newest := s.post(t, 0, texts(20)...)
	for _, w := range s.watches {
		w.awaitSeq(t, newest)
	}
	s.lose(t, 15, 5)
	s.post(t, 0, "instead of 16")
	for _, w := range s.watches {
		w.awaitKind(t, room.EventGap)
	}
	s.expectGap(t, 15, 20)
}

// TestTwoLosses restores an old epoch: the next gap has a new one.
func TestTwoLosses(t *testing.T) {
	t.Parallel()
	s := newSetup(t, redistest.Options{}, time.Hour)
	s.post(t, 0, texts(10)...)
	for _, w := range s.watches {
		w.awaitSeq(t, 10)
	}
	seen := map[string]bool{s.room.Epoch: true}
	for round := range 3 {
		s.lose(t, 5, 5)
		s.do(t, "hset", "room:"+s.room.ID, "epoch", s.room.Epoch)
		s.cutPubSub(t)
		var epoch string
		for i, w := range s.watches {
			w.await(t, "gap", func(room.Event) bool { return len(w.all(room.EventGap)) == round+1 })
			gap := w.all(room.EventGap)[round]
			if gap.Seq != 5 || (i == 0 && seen[gap.Epoch]) || (i > 0 && gap.Epoch != epoch) {
				t.Errorf("round %d: node %d received a gap after %d in epoch %q, want 5 and one new epoch for both", round, i, gap.Seq, gap.Epoch)
			}
			epoch = gap.Epoch
			seen[epoch] = true
		}
		s.post(t, 1, texts(5)...)
		for _, w := range s.watches {
			w.await(t, "last message", func(room.Event) bool { return len(w.all(room.EventMessage)) == 10+5*(round+1) })
		}
	}
}

// TestTrimmedWhileCut trims messages that no node has received.
func TestTrimmedWhileCut(t *testing.T) {
	t.Parallel()
	s := newSetup(t, redistest.Options{}, time.Hour)
	s.post(t, 0, texts(10)...)
	for _, w := range s.watches {
		w.awaitSeq(t, 10)
	}
	s.replace(t, 11, texts(30)...)
	s.do(t, "ltrim", "room:messages:"+s.room.ID, "-10", "-1")
	s.cutPubSub(t)
	for i, w := range s.watches {
		w.awaitSeq(t, 40)
		events := w.all(room.EventMessage, room.EventGap)
		if len(events) != 21 || events[10].Kind != room.EventGap || events[10].Seq != 30 ||
			events[10].Epoch != s.room.Epoch || events[11].Seq != 31 {
			t.Errorf("node %d received %s, want 1 to 10, a gap after 30, 31 to 40", i, describe(events))
		}
	}
}

func TestMissedWhileCut(t *testing.T) {
	t.Parallel()
	s := newSetup(t, redistest.Options{}, time.Hour)
	joinRoom(t, s.nodes[0], s.room.ID, "anna", "bert")
	anna := presenceOf("anna")
	s.watches[0].enter(t, anna)
	s.watches[1].awaitUser(t, room.EventJoined, "anna")
	key := "room:" + s.room.ID
	s.do(t, "hset", key, "x:anna", 1, "locked", 1)
	s.do(t, "srem", "room:roomUser:"+s.room.ID, "anna")
	s.do(t, "hset", "room:online:"+s.room.ID, s.nodes[1].Node()+":bert", "left over")
	deadline := time.Now().Add(time.Hour).UnixMilli()
	s.do(t, "hset", key, "startedAt", deadline-3_600_000, "deadline", deadline)
	s.replace(t, 1, texts(600)...)
	s.cutPubSub(t)
	for i, w := range s.watches {
		w.awaitSeq(t, 600)
		if e := w.awaitKind(t, room.EventStarted); e.Deadline.UnixMilli() != deadline {
			t.Errorf("node %d received the deadline %v", i, e.Deadline)
		}
		w.awaitKind(t, room.EventLocked)
		w.awaitUser(t, room.EventLeft, "anna")
		messages := w.all(room.EventMessage)
		for j, m := range messages {
			if m.Seq != uint64(j+1) {
				t.Fatalf("node %d: message %d has number %d", i, j+1, m.Seq)
			}
		}
		events, _ := w.soFar()
		for _, e := range events {
			if e.Kind == room.EventMessage {
				break
			}
			if e.Kind == room.EventStarted {
				events = nil
				break
			}
		}
		if events != nil {
			t.Errorf("node %d received a message before the start", i)
		}
		// The entry of bert is stale. Node 1 deletes it; node 0 may believe it until then.
		eventually(t, awaitTimeout, func() string {
			joined, left := w.all(room.EventJoined), w.all(room.EventLeft)
			if len(joined) != len(left) || len(joined) > 2-i {
				return fmt.Sprintf("node %d received %s, then %s", i, describe(joined), describe(left))
			}
			return ""
		})
	}
	s.watches[0].awaitUser(t, room.EventRemoved, "anna")
}

// TestKnownIsRepaired deletes data from Redis that the nodes know; they write it again.
func TestKnownIsRepaired(t *testing.T) {
	t.Parallel()
	s := newSetup(t, redistest.Options{}, time.Hour)
	joinRoom(t, s.nodes[0], s.room.ID, "anna", "bert")
	clock, err := s.nodes[0].Start(t.Context(), s.room.ID)
	if err != nil {
		t.Fatal(err)
	}
	s.post(t, 0, "one")
	bert := presenceOf("bert")
	s.watches[1].enter(t, bert)
	if err := s.nodes[0].Remove(t.Context(), s.room.ID, "anna"); err != nil {
		t.Fatal(err)
	}
	for _, w := range s.watches {
		w.awaitUser(t, room.EventRemoved, "anna")
		w.awaitUser(t, room.EventJoined, "bert")
	}
	key := "room:" + s.room.ID
	s.do(t, "hdel", key, "startedAt", "deadline", "x:anna")
	s.do(t, "sadd", "room:roomUser:"+s.room.ID, "anna")
	s.do(t, "srem", "room:roomUser:"+s.room.ID, "bert")
	s.do(t, "del", "room:online:"+s.room.ID)
	for _, k := range keysOf(t, s.server.Client(), s.room.ID) {
		s.do(t, "persist", k)
	}
	s.cutPubSub(t)
	want := map[string]string{
		"room:online:" + s.room.ID: s.nodes[1].Node() + ":bert",
		key:                        "x:anna",
	}
	for hash, field := range want {
		eventually(t, awaitTimeout, func() string {
			if s.do(t, "hexists", hash, field) != int64(1) {
				return "no field " + field
			}
			return ""
		})
	}
	eventually(t, awaitTimeout, func() string { return expiryFault(t, s, clock.Deadline) })
	for userID, want := range map[string]room.Membership{"anna": room.WasRemoved, "bert": room.IsMember} {
		if _, m, err := s.nodes[0].Member(t.Context(), s.room.ID, userID); err != nil || m != want {
			t.Errorf("%s is %d (%v), want %d", userID, m, err, want)
		}
	}
	seq := s.post(t, 0, "two")
	for i, w := range s.watches {
		w.awaitSeq(t, seq)
		if n := len(w.all(room.EventStarted)); n != 1 {
			t.Errorf("node %d received %d starts", i, n)
		}
		if received := w.all(room.EventGap, room.EventEnded); len(received) > 0 {
			t.Errorf("node %d received %s", i, describe(received))
		}
		// Node 0 may have resynced before node 1 had repaired the entry of bert.
		eventually(t, awaitTimeout, func() string {
			joined, left := w.all(room.EventJoined), w.all(room.EventLeft)
			if len(joined) != len(left)+1 || len(left) > 1-i {
				return fmt.Sprintf("node %d received %s, then %s", i, describe(joined), describe(left))
			}
			return ""
		})
	}
}

// TestStartedAgain starts a room again whose start Redis has lost: the deadline that
// the nodes know is valid.
func TestStartedAgain(t *testing.T) {
	t.Parallel()
	s := newSetup(t, redistest.Options{}, time.Hour)
	clock, err := s.nodes[0].Start(t.Context(), s.room.ID)
	if err != nil {
		t.Fatal(err)
	}
	for _, w := range s.watches {
		w.awaitKind(t, room.EventStarted)
	}
	s.do(t, "hdel", "room:"+s.room.ID, "startedAt", "deadline")
	s.do(t, "persist", "room:"+s.room.ID)
	eventually(t, awaitTimeout, func() string { // another start has another time
		if now := s.server.Client().Time(t.Context()).Val(); now.Sub(clock.StartedAt) < 2*time.Millisecond {
			return "the time of the first start"
		}
		return ""
	})
	s.post(t, 1, "one")
	eventually(t, awaitTimeout, func() string { return expiryFault(t, s, clock.Deadline) })
	for i, w := range s.watches {
		w.awaitSeq(t, 1)
		if n := len(w.all(room.EventStarted)); n != 1 {
			t.Errorf("node %d received %d starts", i, n)
		}
	}
}

// TestDeletedIsNotRestored restores a deleted room in Redis: the nodes delete it again.
func TestDeletedIsNotRestored(t *testing.T) {
	t.Parallel()
	s := newSetup(t, redistest.Options{}, time.Hour)
	other := createRoom(t, s.nodes[0], time.Hour, time.Hour)
	dump := s.do(t, "dump", "room:"+other.ID)
	if err := s.nodes[1].Delete(t.Context(), other.ID); err != nil {
		t.Fatal(err)
	}
	s.do(t, "restore", "room:"+other.ID, 0, dump)
	if _, err := s.nodes[0].Load(t.Context(), other.ID); err != nil {
		t.Fatalf("the room is not back: %v", err)
	}
	s.cutPubSub(t)
	eventually(t, awaitTimeout, func() string {
		if keys := keysOf(t, s.server.Client(), other.ID); len(keys) > 0 {
			return fmt.Sprintf("left: %q", keys)
		}
		return ""
	})
}
