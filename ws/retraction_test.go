package ws_test

import (
	"context"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ephemeralchat/caddy-ephemeral-chat/room"
	"github.com/ephemeralchat/caddy-ephemeral-chat/room/message"
	"github.com/ephemeralchat/caddy-ephemeral-chat/ws"
)

// retract sends a retraction.
func (c *client) retract(seq uint64) {
	c.tb.Helper()
	c.send(fields{"type": "retract", "seq": seq})
}

// nextRetracted reads the next frame, which must be the retraction of a message.
func (c *client) nextRetracted(seq uint64) {
	c.tb.Helper()
	if f := c.next("retracted"); f.Seq != seq {
		c.tb.Fatalf("%s received %s, want the retraction of %d", c.name, f.raw, seq)
	}
}

// nextRefusal reads the next frame, which must be the refusal of a retraction.
func (c *client) nextRefusal(code string, seq uint64) {
	c.tb.Helper()
	f := c.next("error")
	if f.Code != code || f.Seq != seq || f.ID != 0 || f.Message == "" {
		c.tb.Fatalf("%s received %s, want error %s of message %d with a text", c.name, f.raw, code, seq)
	}
}

// retract retracts a message without a connection.
func (s *site) retract(tb testing.TB, in room.Admission, seqs ...uint64) {
	tb.Helper()
	for _, seq := range seqs {
		if err := s.rooms.Retract(context.WithoutCancel(tb.Context()), in.Room.ID, in.UserID, in.Role, seq, ""); err != nil {
			tb.Errorf("retracting %d: %v", seq, err)
		}
	}
}

// expectRetracted fails unless exactly the wanted messages are retracted, and the others
// have a text.
func expectRetracted(tb testing.TB, what string, entries []entry, want ...uint64) {
	tb.Helper()
	for _, e := range entries {
		retracted := slices.Contains(want, e.Seq)
		if e.Retracted != retracted || (e.Message == "") != retracted || e.UserID == "" || e.Timestamp == "" {
			tb.Errorf("%s: %+v, want retracted %v", what, e, retracted)
		}
	}
}

func TestRetract(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	admin := s.create(t)
	annas := s.addMember(t, admin, "anna")
	owner, _ := s.join(t, admin)
	anna, welcome := s.join(t, annas)
	if raw := string(welcome.raw); !strings.Contains(raw, `"retracted":[]`) {
		t.Errorf("welcome %s, want an empty list", raw)
	}
	owner.next("joined")
	all := []*client{owner, anna}
	owner.post(0, "one")
	anna.await("message")
	anna.post(5, "two")
	anna.nextMessage("two")
	owner.await("message")
	owner.nextMessage("two")

	anna.retract(1)
	anna.nextRefusal("not_admin", 1)
	anna.retract(3)
	anna.nextRefusal("message_not_found", 3)
	anna.send(fields{"type": "retract", "seq": 2, "epoch": "another"})
	anna.nextRefusal("message_not_found", 2)
	anna.send(fields{"type": "retract", "seq": 2, "epoch": welcome.Epoch})
	for _, c := range all {
		c.nextRetracted(2)
	}
	owner.retract(2) // no client receives it again
	owner.post(0, "three")
	for _, c := range all {
		c.nextMessage("three")
	}
	anna.post(6, "four")
	for _, c := range all {
		c.nextMessage("four")
	}
	owner.retract(4)
	for _, c := range all {
		c.nextRetracted(4)
		c.send(fields{"type": "history"})
		messages := c.next("history").Messages
		expectRetracted(t, "history", messages, 2, 4)
		if got := messages[1]; got.ID != 5 || got.Session != welcome.Session || got.UserID != "anna" {
			t.Errorf("a retracted message is %+v, want anna's with id and session", got)
		}
	}
	// A retracted message is acknowledged, so that it is not resent.
	anna.post(5, "two")
	anna.next("ack")
	if _, welcome := s.join(t, s.rejoin(t, admin)); !slices.Equal(welcome.Retracted, []uint64{2, 4}) {
		t.Errorf("the welcome of a new client has %v retracted, want 2 and 4", welcome.Retracted)
	} else {
		expectRetracted(t, "welcome", welcome.Messages, 2, 4)
	}
	_, welcome = s.join(t, s.rejoin(t, admin), fields{"after": 3, "epoch": welcome.Epoch})
	if !slices.Equal(welcome.Retracted, []uint64{2, 4}) || len(welcome.Messages) != 1 {
		t.Errorf("the welcome of a resumed client is %s, want 2 and 4 retracted", welcome.raw)
	}
	expectRetracted(t, "resume", welcome.Messages, 4)
}

// TestRetractedAreDropped checks that a welcome lists only retracted messages that the
// room keeps.
func TestRetractedAreDropped(t *testing.T) {
	t.Parallel()
	s := newSite(t, limits(func(l *room.Limits) { l.History = 10 }))
	admin := s.create(t)
	c, _ := s.join(t, admin)
	s.post(t, admin, numbered("m", 10)...)
	s.retract(t, admin, 1, 2, 9, 10)
	s.post(t, admin, numbered("n", 8)...)
	c.until("the last message", func() bool { return len(c.frames) > 0 && c.frames[len(c.frames)-1].Seq == 18 })
	_, welcome := s.join(t, s.rejoin(t, admin))
	if !slices.Equal(welcome.Retracted, []uint64{9, 10}) {
		t.Errorf("%v are retracted, want 9 and 10 of the newest ten", welcome.Retracted)
	}
	s.post(t, admin, numbered("o", 10)...)
	_, welcome = s.join(t, s.rejoin(t, admin))
	if len(welcome.Retracted) > 0 {
		t.Errorf("%v are retracted, and none of these is kept", welcome.Retracted)
	}
}

// TestRetractAfterRead retracts a message, in front of all clients, when a page with its
// text has been read from the store and not been sent.
func TestRetractAfterRead(t *testing.T) {
	for name, test := range map[string]struct {
		method string
		read   func(t *testing.T, s *site, c *client, as room.Admission) []entry
	}{
		"history": {"after Before", func(t *testing.T, _ *site, c *client, _ room.Admission) []entry {
			t.Helper()
			c.send(fields{"type": "history"})
			c.nextRetracted(2)
			return c.next("history").Messages
		}},
		"welcome": {"after Before", func(t *testing.T, s *site, c *client, as room.Admission) []entry {
			t.Helper()
			_, welcome := s.join(t, s.rejoin(t, as))
			c.nextRetracted(2)
			if !slices.Equal(welcome.Retracted, []uint64{2}) {
				t.Errorf("%v are retracted, want 2", welcome.Retracted)
			}
			return welcome.Messages
		}},
		"resume": {"after After", func(t *testing.T, s *site, c *client, as room.Admission) []entry {
			t.Helper()
			_, welcome := s.join(t, s.rejoin(t, as), fields{"after": 1})
			c.nextRetracted(2)
			return welcome.Messages
		}},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				s := newSite(t, piped)
				admin := s.create(t)
				c, _ := s.join(t, admin)
				s.post(t, admin, "one", "two", "three")
				c.next("started")
				for _, text := range []string{"one", "two", "three"} {
					c.nextMessage(text)
				}
				s.store.intercept(func(method string) {
					if method == test.method {
						s.retract(t, admin, 2)
						elapse(time.Second) // until every client has received it
					}
				})
				expectRetracted(t, name, test.read(t, s, c, admin), 2)
			})
		})
	}
}

// TestRetractDuringReplay retracts messages that a replay has given to a client, and
// others that follow.
func TestRetractDuringReplay(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		s := newSite(t, piped)
		admin := s.create(t)
		for range 300 {
			s.post(t, admin, long)
		}
		other, _ := s.join(t, admin)
		next := s.openUnread(t, s.rejoin(t, admin), "after", "0").readOne
		welcome := next()
		synctest.Wait() // the first replay is on its way
		last := welcome.Messages[len(welcome.Messages)-1].Seq
		s.retract(t, admin, 1, 300)
		for _, seq := range []uint64{1, 300} {
			other.nextRetracted(seq)
		}
		// One of a page that has been read and not been sent.
		late := uint64(0)
		s.store.intercept(func(method string) {
			if method == "after After" && late == 0 {
				late = last + 80
				s.retract(t, admin, late)
				elapse(time.Second)
			}
		})
		seq, retracted := last, []uint64{}
		for seq < 300 {
			f := next()
			switch f.Type {
			case "retracted":
				if f.Seq > seq {
					t.Errorf("message %d was retracted before it came", f.Seq)
				}
				retracted = append(retracted, f.Seq)
			case "replay":
				expectRetracted(t, "replay", f.Messages, late, 300)
				for _, e := range f.Messages {
					if e.Seq != seq+1 {
						t.Fatalf("message %d came after %d", e.Seq, seq)
					}
					seq = e.Seq
				}
			default:
				t.Fatalf("received %.100s", f.raw)
			}
		}
		if late == 0 {
			t.Fatal("nothing was read any more: the test proves nothing")
		}
		if !slices.Equal(retracted, []uint64{1}) {
			t.Errorf("%v were retracted, want 1, as the others had no text", retracted)
		}
		s.retract(t, admin, 200)
		s.post(t, admin, "live")
		if f := next(); f.Type != "retracted" || f.Seq != 200 {
			t.Errorf("received %.100s, want the retraction of 200", f.raw)
		}
		if f := next(); f.Message != "live" {
			t.Errorf("received %.100s, want a live message", f.raw)
		}
	})
}

// TestRetractionsAfterOutage is of a store after a lost connection: it emits messages
// that were retracted meanwhile, and retractions that it has missed.
func TestRetractionsAfterOutage(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		s := newSite(t, piped)
		admin := s.create(t)
		c, _ := s.join(t, admin)
		s.post(t, admin, "one", "two", "three")
		synctest.Wait()
		c.received()
		s.retract(t, admin, 1)
		body := message.EncodeBody("lost", s.store.Now(), "admin", 0, "")
		frame := message.WithoutText(message.Frame(4, body))
		s.store.emit(admin.Room.ID, room.Event{Kind: room.EventMessage, Seq: 4, Frame: frame, Retracted: true})
		s.store.emit(admin.Room.ID, room.Event{Kind: room.EventRetracted, Seq: 3, Oldest: 1})
		c.nextRetracted(1)
		if f := c.nextMessage(""); f.Seq != 4 || !strings.Contains(string(f.raw), `"retracted":true`) {
			t.Errorf("received %s, want message 4 without its text", f.raw)
		}
		c.nextRetracted(3)
		_, welcome := s.join(t, s.rejoin(t, admin))
		if !slices.Equal(welcome.Retracted, []uint64{1, 3, 4}) {
			t.Errorf("%v are retracted, want 1, 3 and 4", welcome.Retracted)
		}
		expectRetracted(t, "welcome", welcome.Messages, 1, 3)
		// After a loss of messages, their numbers are reused.
		s.store.emit(admin.Room.ID, room.Event{Kind: room.EventGap, Epoch: admin.Room.Epoch, Seq: 2})
		c.next("gap")
		_, welcome = s.join(t, s.rejoin(t, admin))
		if !slices.Equal(welcome.Retracted, []uint64{1}) {
			t.Errorf("%v are retracted, want 1 only", welcome.Retracted)
		}
	})
}

// TestRetractionRate checks that retractions are limited as messages are, and do
// not count among them.
func TestRetractionRate(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		s := newSite(t, piped, settings(func(s *ws.Settings) { s.MessageRate, s.MessageBurst = 1, 3 }))
		admin := s.create(t)
		s.post(t, admin, numbered("m", 10)...)
		c, _ := s.join(t, admin)
		for seq := range uint64(5) {
			c.retract(seq + 1)
		}
		var retracted []uint64 // retractions and errors may overtake each other
		refused := 0
		for range 5 {
			switch f := c.nextAny(); {
			case f.Type == "retracted":
				retracted = append(retracted, f.Seq)
			case f.Code == "rate_limited" && f.Seq > 3:
				refused++
			default:
				t.Errorf("received %s", f.raw)
			}
		}
		if !slices.Equal(retracted, []uint64{1, 2, 3}) || refused != 2 {
			t.Errorf("%v were retracted and %d refused, want 1 to 3 and 2", retracted, refused)
		}
		c.post(0, "not limited")
		c.nextMessage("not limited")
		elapse(time.Second)
		c.retract(4)
		c.nextRetracted(4)
		elapse(time.Minute)
		for range 51 {
			c.retract(11_000)
			c.nextAny()
			elapse(time.Second / 8)
		}
		c.awaitClosed(4429)
	})
}

func TestRetractFails(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	admin := s.create(t)
	annas := s.addMember(t, admin, "anna")
	s.post(t, annas, "one", "two")
	c, _ := s.join(t, annas)
	s.store.fail("Retract")
	c.retract(1)
	c.nextRefusal("unavailable", 1)
	s.store.fail()
	c.retract(1)
	c.nextRetracted(1)
	second, _ := s.join(t, s.rejoin(t, annas))
	if logged := s.logged.String(); strings.Contains(logged, "two") {
		t.Errorf("logged: %s", logged)
	}
	s.store.loseRooms()
	for _, c := range []*client{c, second} {
		c.retract(2)
		c.await("ended")
		c.awaitClosed(4410)
	}
}

func TestRetractByRemoved(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	admin := s.create(t)
	annas := s.addMember(t, admin, "anna")
	s.post(t, annas, "one")
	c, _ := s.join(t, annas)
	var once bool
	s.store.intercept(func(method string) {
		if method != "Retract" || once {
			return
		}
		once = true
		if err := s.rooms.Remove(context.WithoutCancel(t.Context()), credentials(admin), "anna"); err != nil {
			t.Errorf("removing: %v", err)
		}
	})
	c.retract(1)
	c.next("removed")
	c.expectClosed(4403)
	if kept := s.kept(t, admin); !slices.Equal(kept, []string{"one"}) {
		t.Errorf("kept %q", kept)
	}
}

// view is a room as a client shows it.
type view struct {
	texts  map[uint64]string
	gone   map[uint64]bool // retracted, by a frame
	newest uint64          // the last message of a welcome, a replay, or by itself
}

// apply applies a frame, and returns a violation of the protocol in it.
func (v *view) apply(f frame) (violation string) {
	switch f.Type {
	case "welcome":
		for _, seq := range f.Retracted {
			v.gone[seq] = true
			v.texts[seq] = ""
		}
		for _, e := range f.Messages {
			v.newest = max(v.newest, e.Seq)
		}
		if len(f.Messages) == 0 {
			v.newest = max(v.newest, f.Seq)
		}
	case "replay":
		v.newest = f.Messages[len(f.Messages)-1].Seq
	case "message":
		f.Messages = []entry{f.entry}
		v.newest = f.Seq
	case "retracted":
		if f.Seq > v.newest {
			return "a retraction before the message"
		}
		v.gone[f.Seq] = true
		if _, shown := v.texts[f.Seq]; shown {
			v.texts[f.Seq] = ""
		}
	}
	for _, e := range f.Messages {
		if v.gone[e.Seq] && e.Message != "" {
			violation = "the text of a message after its retraction"
		}
		v.texts[e.Seq] = e.Message
	}
	return violation
}

// TestRetractAtAnyTime has users post and retract messages while others connect, leave
// and ask for the history. In every order, no client receives a retraction before the
// message or a text after it, and in the end each shows what the room keeps.
func TestRetractAtAnyTime(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	admin := s.create(t)
	for range 200 {
		s.post(t, admin, long)
	}
	witness, _ := s.join(t, s.rejoin(t, admin))
	var posters, viewers sync.WaitGroup
	quiet := make(chan struct{})
	visited := make(chan struct{}, 3) // paces the posters, so that many visits overlap with them
	for i := range uint64(3) {
		// It ends when it has posted all its messages.
		posters.Go(func() {
			for n := range uint64(150) {
				s.post(t, admin, "a text")
				s.retract(t, admin, 1+(n*7+i*67)%200, 201+n)
				<-visited
			}
		})
	}
	for i := range 6 {
		as := s.rejoin(t, admin)
		// It ends after its first visit that begins when the room is quiet.
		viewers.Go(func() {
			v := view{texts: make(map[uint64]string), gone: make(map[uint64]bool)}
			for last := false; !last; {
				select {
				case <-quiet:
					last = true
				default:
				}
				s.visit(t, as, &v, i%2 == 0, func() {
					select {
					case visited <- struct{}{}:
					default:
					}
				})
			}
			page, err := s.store.Store.After(t.Context(), admin.Room.ID, 0, 64<<20)
			if err != nil {
				t.Error(err)
				return
			}
			for i, entry := range page.Entries {
				seq := page.First + uint64(i)
				if text, shown := v.texts[seq]; shown && (text == "") != message.IsRetracted(entry) {
					t.Errorf("message %d is shown as %.20q, and kept as %.60s", seq, text, entry)
				}
			}
		})
	}
	posters.Wait()
	// The store has taken every retraction, but the fan-out may lag behind. It is done
	// when a connection has received a message that was posted afterwards.
	s.post(t, admin, "the last")
	witness.nextOf("the last message", func(f frame) bool { return f.Message == "the last" })
	close(quiet)
	viewers.Wait()
}

// visit is one connection of a client with a view: it resumes, asks for the history a
// few times, and leaves after it has received every message of its welcome's time.
func (s *site) visit(t *testing.T, as room.Admission, v *view, resumes bool, progress func()) {
	t.Helper()
	c := s.connect(t)
	defer func() { _ = c.socket.Close() }() // without a close frame
	join := joinFields(as)
	if resumes {
		join["after"] = v.newest
	}
	c.send(join)
	newest := uint64(1)
	for histories := 0; histories < 3 || v.newest < newest; {
		f := c.nextAny()
		if f.Type == "welcome" && !resumes {
			v.newest = 0 // it has missed the messages between
		}
		if violation := v.apply(f); violation != "" {
			t.Errorf("received %s: %.200s", violation, f.raw)
			return
		}
		switch f.Type {
		case "welcome":
			newest = f.Seq
		case "history":
			histories++
			progress()
		default:
			continue
		}
		c.send(fields{"type": "history", "limit": 1 + int(v.newest%200)})
	}
}
