package ws_test

import (
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ephemeralchat/caddy-ephemeral-chat/room"
	"github.com/ephemeralchat/caddy-ephemeral-chat/room/message"
	"github.com/ephemeralchat/caddy-ephemeral-chat/ws"
)

// long is the text of a message; 300 of them are more than a megabyte.
var long = strings.Repeat("0123456789abcdef", 256)

// expectRun checks that a resumed client was given every message after the
// given number once, in order, up to last: those of the welcome, then those of
// replays, then live ones.
func expectRun(t *testing.T, c *client, welcome frame, after, last uint64) {
	t.Helper()
	seq, replays := after, 0
	take := func(entries []entry, size int) {
		t.Helper()
		if size > 257<<10 {
			t.Errorf("%s was given a piece of %d bytes", c.name, size)
		}
		for _, e := range entries {
			if e.Seq != seq+1 {
				t.Fatalf("%s was given message %d after %d", c.name, e.Seq, seq)
			}
			seq = e.Seq
		}
	}
	take(welcome.Messages, len(welcome.raw))
	if welcome.Gap {
		t.Errorf("%s was told of a gap", c.name)
	}
	live := false
	for seq < last {
		var f frame
		c.until("the next message", func() bool {
			if len(c.frames) == 0 {
				if c.err != nil {
					t.Fatalf("%s at %d: %v", c.name, seq, c.err)
				}
				return false
			}
			f, c.frames = c.frames[0], c.frames[1:]
			return true
		})
		switch f.Type {
		case "replay":
			if live {
				t.Fatalf("%s was given a replay after a live message", c.name)
			}
			replays++
			take(f.Messages, len(f.raw))
		case "message":
			live = true
			take([]entry{f.entry}, 0)
		case "joined", "left":
		default:
			t.Fatalf("%s was told %.200s", c.name, f.raw)
		}
	}
	if replays == 0 {
		t.Errorf("%s was given no replay", c.name)
	}
}

// TestReplay resumes over more than a megabyte, many clients at once, some of
// them slow to read, while others go on talking.
func TestReplay(t *testing.T) {
	t.Parallel()
	s := newSite(t, small(false)...)
	admin := s.create(t)
	const before, meanwhile = 300, 900
	for range before {
		s.post(t, admin, long)
	}
	var posting, reading sync.WaitGroup
	for range 3 {
		member := s.admit(t, admin, "")
		// It ends when all of it is said.
		posting.Go(func() {
			for range meanwhile / 3 {
				if _, err := s.rooms.Post(t.Context(), admin.Room.ID, member.UserID, "", 0, 0, "and on"); err != nil {
					t.Errorf("posting: %v", err)
					return
				}
				<-time.After(time.Millisecond)
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
		c, welcome := s.join(t, s.again(t, admin), fields{"after": after, "epoch": admin.Room.Epoch})
		all = append(all, resumed{c, welcome, after})
	}
	for range 2 { // these take their time, while pieces wait for them
		socket, welcome := s.stalled(t, s.again(t, admin), "after", "5")
		s.post(t, admin, "and on")
		<-time.After(100 * time.Millisecond)
		c := newClient(t, "a slow reader", socket)
		all = append(all, resumed{c, welcome, 5})
	}
	posting.Wait()
	for _, r := range all {
		// It ends when the client has everything.
		reading.Go(func() { expectRun(t, r.c, r.welcome, r.after, before+meanwhile+2) })
	}
	reading.Wait()
	s.post(t, admin, "the last")
	for _, r := range all {
		r.c.nextMessage("the last")
	}
}

// slowReader is a client of whose frames one is read when the test says so.
func slowReader(t *testing.T, s *site, as room.Admission, more ...string) (next func() frame) {
	t.Helper()
	socket := s.open(t, joinQuery(as, more...))
	t.Cleanup(func() { _ = socket.Close() })
	return func() frame {
		t.Helper()
		if err := socket.SetReadDeadline(time.Now().Add(patience)); err != nil {
			t.Fatal(err)
		}
		_, data, err := socket.ReadMessage()
		if err != nil {
			t.Fatalf("reading: %v", err)
		}
		return decodeFrame(t, data)
	}
}

// TestGapDuringReplay checks that a client that is being given old messages when
// the store loses some goes on from where the others do.
func TestGapDuringReplay(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		s := newSite(t, piped)
		admin := s.create(t)
		other, _ := s.join(t, admin)
		for range 300 {
			s.post(t, admin, long)
		}
		synctest.Wait() // that it has started has been told
		next := slowReader(t, s, s.again(t, admin), "after", "0")
		welcome := next()
		synctest.Wait() // the first replay is on its way
		s.store.tell(admin.Room.ID, room.Event{Kind: room.EventGap, Epoch: "new", Seq: 7})
		body := message.EncodeBody("eight", s.store.Now(), "admin", 0, "")
		s.store.tell(admin.Room.ID, room.Event{Kind: room.EventMessage, Seq: 8, Frame: message.Frame(8, body)})
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
			t.Errorf("told %.100s, want the gap", f.raw)
		}
		if f = next(); f.Type != "message" || f.Seq != 8 {
			t.Errorf("told %.100s, want message 8", f.raw)
		}
		elapse(5 * time.Second)
		other.await("gap")
		if f := other.next("message"); f.Seq != 8 {
			t.Errorf("others were told %.100s", f.raw)
		}
	})
}

// TestHistoryMovesOnDuringReplay checks that a client that reads slower than the
// room forgets is told what it has missed.
func TestHistoryMovesOnDuringReplay(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		s := newSite(t, piped, limits(func(l *room.Limits) { l.History = 300 }))
		admin := s.create(t)
		for range 300 {
			s.post(t, admin, long)
		}
		synctest.Wait()
		next := slowReader(t, s, s.again(t, admin), "after", "0")
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
				t.Fatalf("told %.100s", f.raw)
			}
			for _, e := range entries {
				if e.Seq != seq+1 {
					t.Fatalf("message %d after %d", e.Seq, seq)
				}
				seq = e.Seq
			}
		}
		if gaps != 1 {
			t.Errorf("told of %d gaps, want one", gaps)
		}
		s.post(t, admin, "live again")
		if f := next(); f.Type != "message" || f.Message != "live again" {
			t.Errorf("told %.100s", f.raw)
		}
	})
}

// TestStoreFailsDuringReplay checks that a replay goes on when the store is back.
func TestStoreFailsDuringReplay(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		// No ping shall be what the replay waits for.
		s := newSite(t, piped, settings(func(s *ws.Settings) { s.PingInterval = time.Hour }))
		admin := s.create(t)
		for range 300 {
			s.post(t, admin, long)
		}
		next := slowReader(t, s, s.again(t, admin), "after", "0")
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
			t.Errorf("told %.100s", f.raw)
		}
	})
}

// TestStoreBehindItsEvents checks that a message that is told of before it can
// be read is given once to a client that is behind.
func TestStoreBehindItsEvents(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		s := newSite(t, piped)
		admin := s.create(t)
		for range 100 {
			s.post(t, admin, long)
		}
		next := slowReader(t, s, s.again(t, admin), "after", "0")
		synctest.Wait()
		body := message.EncodeBody("early", s.store.Now(), "admin", 0, "")
		s.store.tell(admin.Room.ID, room.Event{Kind: room.EventMessage, Seq: 101, Frame: message.Frame(101, body)})
		synctest.Wait() // everybody who is live has been told
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
			t.Errorf("told %.100s, want message 101", f.raw)
		} else if len(f.Messages) == 2 {
			return // both were read at once
		}
		if f := next(); f.Type != "message" || f.Seq != 102 {
			t.Errorf("told %.100s, want message 102", f.raw)
		}
	})
}
