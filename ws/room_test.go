package ws_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/ephemeralchat/caddy-ephemeral-chat/room"
	"github.com/ephemeralchat/caddy-ephemeral-chat/room/message"
)

func TestStarted(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		s := newSite(t, piped)
		admin := s.create(t)
		clients := make([]*client, 12)
		for i := range clients {
			clients[i], _ = s.join(t, s.rejoin(t, admin))
		}
		for _, c := range clients { // concurrently
			c.post(1, "first")
		}
		now := time.Now()
		want := frame{StartedAt: message.FormatTime(now), ExpiresAt: message.FormatTime(now.Add(time.Hour))}
		for _, c := range clients {
			if f := c.next("started"); f.StartedAt != want.StartedAt || f.ExpiresAt != want.ExpiresAt {
				t.Errorf("started %s, want %s to %s", f.raw, want.StartedAt, want.ExpiresAt)
			}
			for range clients {
				c.nextMessage("first")
			}
		}
		elapse(time.Minute)
		if _, err := s.rooms.Start(t.Context(), credentials(admin)); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		for _, c := range clients {
			if types := c.types(); len(types) > 0 {
				t.Errorf("received a second start: %v", types)
			}
		}
	})
}

func TestLocked(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	admin := s.create(t)
	c, _ := s.join(t, admin)
	for _, locked := range []bool{true, false} {
		if err := s.rooms.SetLocked(t.Context(), credentials(admin), locked); err != nil {
			t.Fatal(err)
		}
		if f := c.next("locked"); f.Locked != locked {
			t.Errorf("locked %v, want %v", f.Locked, locked)
		}
	}
}

func TestExpired(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		s := newSite(t, piped)
		admin := s.create(t, 5*time.Second)
		anna := s.addMember(t, admin, "anna")
		one, _ := s.join(t, admin)
		two, _ := s.join(t, anna)
		gone, _ := s.join(t, s.addMember(t, admin, "bert"))
		one.post(1, "hello")
		elapse(4 * time.Second)
		gone.leave() // so that its leaveGrace ends after the room
		elapse(999 * time.Millisecond)
		one.await("message")
		two.await("message")
		one.expectOpen()
		two.expectOpen()
		elapse(time.Millisecond)
		for _, c := range []*client{one, two} {
			if f := c.next("ended"); f.Reason != "expired" {
				t.Errorf("reason %q", f.Reason)
			}
			if reason := c.expectClosed(4410); reason != "expired" {
				t.Errorf("close reason %q", reason)
			}
		}
		if got := s.refused(t, joinQuery(admin)); got != 404 {
			t.Errorf("status %d after the end, want 404", got)
		}
		c := s.connect(t)
		c.send(joinFields(admin))
		c.expectClosed(4404)
	})
}

func TestDeleted(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		s := newSite(t, piped)
		admin := s.create(t)
		one, _ := s.join(t, admin)
		two, _ := s.join(t, s.rejoin(t, admin))
		if err := s.rooms.Delete(t.Context(), credentials(admin)); err != nil {
			t.Fatal(err)
		}
		for _, c := range []*client{one, two} {
			if f := c.next("ended"); f.Reason != "deleted" {
				t.Errorf("reason %q", f.Reason)
			}
			c.expectClosed(4410)
		}
	})
}

// TestEndWhileJoining checks that a client that joins while the room ends is closed with
// one of the two codes for that.
func TestEndWhileJoining(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	for _, method := range []string{"Member", "Watch", "Enter", "Before"} {
		admin := s.create(t)
		s.store.intercept(func(called string) {
			if called != method {
				return
			}
			s.store.intercept(nil)
			if err := s.store.Delete(t.Context(), admin.Room.ID); err != nil {
				t.Errorf("Delete: %v", err)
			}
		})
		c := s.connect(t)
		c.send(joinFields(admin))
		<-c.finished
		for _, f := range c.received() {
			if f.Type != "ended" {
				t.Errorf("%s: received %s", method, f.raw)
			}
		}
		if c.closedCode() != 4404 && c.closedCode() != 4410 {
			t.Errorf("%s: closed with %v", method, c.err)
		}
	}
}

// TestPostToEndedRoom checks that a post to an ended room ends the connection, with or
// without an event of the room's end.
func TestPostToEndedRoom(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		for _, silent := range []bool{false, true} {
			for _, ask := range []string{"Post", "Before"} {
				s := newSite(t, piped)
				admin := s.create(t)
				c, _ := s.join(t, admin)
				s.store.intercept(func(method string) {
					if method != ask {
						return
					}
					if silent {
						s.store.loseRooms()
						return
					}
					s.store.intercept(nil)
					if err := s.store.Delete(t.Context(), admin.Room.ID); err != nil {
						t.Errorf("Delete: %v", err)
					}
				})
				if ask == "Post" {
					c.post(1, "too late")
				} else {
					c.send(fields{"type": "history"})
				}
				if f := c.next("ended"); f.Reason != "deleted" {
					t.Errorf("reason %q", f.Reason)
				}
				c.expectClosed(4410)
			}
		}
	})
}

// TestGap checks the frames that clients receive after the store has lost messages.
func TestGap(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	admin := s.create(t)
	c, _ := s.join(t, admin)
	s.post(t, admin, "one", "two")
	c.next("started")
	c.nextMessage("one")
	c.nextMessage("two")
	s.store.emit(admin.Room.ID, room.Event{Kind: room.EventGap, Epoch: "after the failover", Seq: 1})
	if f := c.next("gap"); f.Epoch != "after the failover" || f.Seq != 1 {
		t.Errorf("gap %s", f.raw)
	}
	body := message.EncodeBody("another two", s.store.Now(), "admin", 0, "")
	s.store.emit(admin.Room.ID, room.Event{Kind: room.EventMessage, Seq: 2, Frame: message.Frame(2, body)})
	if f := c.nextMessage("another two"); f.Seq != 2 {
		t.Errorf("seq %d, want 2", f.Seq)
	}
	// A join fails as long as the store and its events are in different epochs.
	late := s.connect(t)
	late.send(joinFields(s.rejoin(t, admin)))
	if reason := late.expectClosed(1013); reason != "unavailable" {
		t.Errorf("reason %q", reason)
	}
	page, err := s.store.Before(t.Context(), admin.Room.ID, 0, 1, 1000)
	if err != nil {
		t.Fatal(err)
	}
	s.store.emit(admin.Room.ID, room.Event{Kind: room.EventGap, Epoch: page.Epoch, Seq: page.Newest})
	if _, welcome := s.join(t, s.rejoin(t, admin)); welcome.Epoch != page.Epoch || len(welcome.Messages) != 2 {
		t.Errorf("welcome in one epoch: %s", welcome.raw)
	}
}

func (c *client) closedCode() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return closeCode(c.err)
}
