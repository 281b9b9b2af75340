package ws_test

import (
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ephemeralchat/caddy-ephemeral-chat/room"
	"github.com/ephemeralchat/caddy-ephemeral-chat/room/message"
	"github.com/ephemeralchat/caddy-ephemeral-chat/ws"
)

// long is the text of a message; 300 of them are more than a megabyte.
var long = strings.Repeat("0123456789abcdef", 256)

// expectRun checks that a resumed client receives every message from after+1 to last
// once and in order: those of the welcome, then those of replays, then live ones.
func expectRun(t *testing.T, c *client, welcome frame, after, last uint64) {
	t.Helper()
	seq, replays := after, 0
	check := func(entries []entry, size int) {
		t.Helper()
		if size > 257<<10 {
			t.Errorf("%s received a page of %d bytes", c.name, size)
		}
		for _, e := range entries {
			if e.Seq != seq+1 {
				t.Fatalf("%s received message %d after %d", c.name, e.Seq, seq)
			}
			seq = e.Seq
		}
	}
	check(welcome.Messages, len(welcome.raw))
	if welcome.Gap {
		t.Errorf("%s received a gap", c.name)
	}
	live := false
	for seq < last {
		switch f := c.nextAny(); f.Type {
		case "replay":
			if live {
				t.Fatalf("%s received a replay after a live message", c.name)
			}
			replays++
			check(f.Messages, len(f.raw))
		case "message":
			live = true
			check([]entry{f.entry}, 0)
		case "joined", "left":
		default:
			t.Fatalf("%s received %.200s", c.name, f.raw)
		}
	}
	if replays == 0 {
		t.Errorf("%s received no replay", c.name)
	}
}

// TestReplay resumes over more than a megabyte, many clients at once, some of them slow
// to read, while others post messages.
func TestReplay(t *testing.T) {
	t.Parallel()
	s := newSite(t, small(false)...)
	admin := s.create(t)
	const before, meanwhile = 300, 900
	for range before {
		s.post(t, admin, long)
	}
	var posted atomic.Int64
	var posters, readers sync.WaitGroup
	for range 3 {
		poster, _ := s.join(t, s.addMember(t, admin, ""))
		// It ends when its messages are posted.
		posters.Go(func() {
			for id := range uint64(meanwhile / 3) {
				poster.post(id+1, "and on")
				poster.nextOf("the echo", func(f frame) bool { return f.UserID == poster.name && f.ID == id+1 })
				posted.Add(1)
			}
		})
	}
	type resumed struct {
		c       *client
		welcome frame
		after   uint64
	}
	var all []resumed
	for i := range 4 {
		after := uint64(i)
		c, welcome := s.join(t, s.rejoin(t, admin), fields{"after": after, "epoch": admin.Room.Epoch})
		all = append(all, resumed{c, welcome, after})
	}
	for range 2 { // these do not read while 30 messages are posted
		c, welcome := s.stalled(t, s.rejoin(t, admin), "after", "5")
		s.post(t, admin, "and on")
		enough := min(posted.Load()+30, meanwhile)
		eventually(t, func() bool { return posted.Load() >= enough })
		all = append(all, resumed{c.start(), welcome, 5})
	}
	posters.Wait()
	for _, r := range all {
		// It ends when the client has received all messages.
		readers.Go(func() { expectRun(t, r.c, r.welcome, r.after, before+meanwhile+2) })
	}
	readers.Wait()
	s.post(t, admin, "the last")
	for _, r := range all {
		r.c.nextMessage("the last")
	}
}

// TestGapDuringReplay checks that a client in a replay goes on from the same message as
// the others after the store has lost some.
func TestGapDuringReplay(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		s := newSite(t, piped)
		admin := s.create(t)
		other, _ := s.join(t, admin)
		for range 300 {
			s.post(t, admin, long)
		}
		synctest.Wait() // the room has started
		next := s.openUnread(t, s.rejoin(t, admin), "after", "0").readOne
		welcome := next()
		synctest.Wait() // the first replay is on its way
		s.store.emit(admin.Room.ID, room.Event{Kind: room.EventGap, Epoch: "new", Seq: 7})
		body := message.EncodeBody("eight", s.store.Now(), "admin", 0, "")
		s.store.emit(admin.Room.ID, room.Event{Kind: room.EventMessage, Seq: 8, Frame: message.Frame(8, body)})
		synctest.Wait()
		seq := welcome.Messages[len(welcome.Messages)-1].Seq
		f := next()
		for ; f.Type == "replay"; f = next() {
			if f.Messages[0].Seq != seq+1 {
				t.Errorf("replay from %d after %d", f.Messages[0].Seq, seq)
			}
			seq = f.Messages[len(f.Messages)-1].Seq
		}
		if seq >= 300 {
			t.Error("all was replayed: the test proves nothing")
		}
		if f.Type != "gap" || f.Epoch != "new" || f.Seq != 7 {
			t.Errorf("received %.100s, want the gap", f.raw)
		}
		if f = next(); f.Type != "message" || f.Seq != 8 {
			t.Errorf("received %.100s, want message 8", f.raw)
		}
		elapse(5 * time.Second)
		other.await("gap")
		if f := other.next("message"); f.Seq != 8 {
			t.Errorf("others were received %.100s", f.raw)
		}
	})
}

// TestHistoryMovesOnDuringReplay checks that a client that reads more slowly than the
// room drops messages receives a gap for those that it has missed.
func TestHistoryMovesOnDuringReplay(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		s := newSite(t, piped, limits(func(l *room.Limits) { l.History = 300 }))
		admin := s.create(t)
		for range 300 {
			s.post(t, admin, long)
		}
		synctest.Wait()
		next := s.openUnread(t, s.rejoin(t, admin), "after", "0").readOne
		welcome := next()
		synctest.Wait()
		for range 1000 {
			s.post(t, admin, long)
		}
		seq, gaps := welcome.Messages[len(welcome.Messages)-1].Seq, 0
		for seq < 1300 {
			f := next()
			entries := f.Messages
			switch f.Type {
			case "gap":
				if f.Seq <= seq || f.Epoch != admin.Room.Epoch && f.Epoch != welcome.Epoch {
					t.Errorf("gap %s after message %d", f.raw, seq)
				}
				seq = f.Seq
				gaps++
			case "message":
				entries = []entry{f.entry}
			case "replay":
			default:
				t.Fatalf("received %.100s", f.raw)
			}
			for _, e := range entries {
				if e.Seq != seq+1 {
					t.Fatalf("message %d after %d", e.Seq, seq)
				}
				seq = e.Seq
			}
		}
		if gaps != 1 {
			t.Errorf("received %d gaps, want one", gaps)
		}
		s.post(t, admin, "live again")
		if f := next(); f.Type != "message" || f.Message != "live again" {
			t.Errorf("received %.100s", f.raw)
		}
	})
}

// TestStoreFailsDuringReplay checks that a replay goes on after an outage of the store.
func TestStoreFailsDuringReplay(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		// No ping may wake the replay.
		s := newSite(t, piped, settings(func(s *ws.Settings) { s.PingInterval = time.Hour }))
		admin := s.create(t)
		for range 300 {
			s.post(t, admin, long)
		}
		next := s.openUnread(t, s.rejoin(t, admin), "after", "0").readOne
		synctest.Wait() // the welcome is on its way
		seq := uint64(0)
		for seq < 300 {
			s.store.fail("After")
			f := next()
			for _, e := range f.Messages {
				if e.Seq != seq+1 {
					t.Fatalf("message %d after %d", e.Seq, seq)
				}
				seq = e.Seq
			}
			elapse(10 * time.Second)
			s.store.fail()
			elapse(time.Second)
		}
		s.post(t, admin, "live again")
		if f := next(); f.Message != "live again" {
			t.Errorf("received %.100s", f.raw)
		}
	})
}

// TestStoreBehindItsEvents checks that a client that is behind receives a message once
// whose event arrives before the message can be read.
func TestStoreBehindItsEvents(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		s := newSite(t, piped)
		admin := s.create(t)
		for range 100 {
			s.post(t, admin, long)
		}
		next := s.openUnread(t, s.rejoin(t, admin), "after", "0").readOne
		synctest.Wait()
		body := message.EncodeBody("early", s.store.Now(), "admin", 0, "")
		s.store.emit(admin.Room.ID, room.Event{Kind: room.EventMessage, Seq: 101, Frame: message.Frame(101, body)})
		synctest.Wait() // live connections have it
		seq := uint64(0)
		for seq < 100 {
			for _, e := range next().Messages {
				if e.Seq != seq+1 {
					t.Fatalf("message %d after %d", e.Seq, seq)
				}
				seq = e.Seq
			}
		}
		elapse(time.Second)
		s.post(t, admin, "early", "later")
		if f := next(); f.Type != "replay" || f.Messages[0].Seq != 101 || f.Messages[0].Message != "early" {
			t.Errorf("received %.100s, want message 101", f.raw)
		} else if len(f.Messages) == 2 {
			return // both were read at once
		}
		if f := next(); f.Type != "message" || f.Seq != 102 {
			t.Errorf("received %.100s, want message 102", f.raw)
		}
	})
}
