package ws_test

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ephemeralchat/caddy-ephemeral-chat/room"
)

// presence returns the received joined, left, typing and online frames, and fails if
// others were received.
func (c *client) presence() []string {
	c.tb.Helper()
	synctest.Wait()
	var got []string
	for _, f := range c.received() {
		switch f.Type {
		case "joined", "left", "typing":
			got = append(got, f.Type+" "+f.UserID)
		case "online":
			got = append(got, fmt.Sprintf("online %d", f.OnlineCount))
		default:
			c.tb.Errorf("%s received %.200s", c.name, f.raw)
		}
	}
	return got
}

func (c *client) expectPresence(want ...string) {
	c.tb.Helper()
	if got := c.presence(); !slices.Equal(got, want) {
		c.tb.Errorf("%s received %q, want %q", c.name, got, want)
	}
}

func TestPresence(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		s := newSite(t, piped)
		admin := s.create(t)
		anna := s.addMember(t, admin, "anna")
		watcher, _ := s.join(t, admin)
		first, _ := s.join(t, anna)
		watcher.expectPresence("joined anna")
		first.expectPresence() // not its own arrival

		second, welcome := s.join(t, s.rejoin(t, anna))
		if !slices.Equal(welcome.Online, []string{"admin", "anna"}) || welcome.OnlineCount != 2 {
			t.Errorf("online %v (%d)", welcome.Online, welcome.OnlineCount)
		}
		first.leave()
		elapse(time.Minute)
		watcher.expectPresence() // another connection is left
		second.expectPresence()

		// Away for less than 3 s, with a close frame or without.
		second.leave()
		elapse(2999 * time.Millisecond)
		second, _ = s.join(t, anna)
		elapse(time.Minute)
		_ = second.socket.Close()
		elapse(2999 * time.Millisecond)
		second, _ = s.join(t, anna)
		elapse(time.Minute)
		watcher.expectPresence()

		// Away for good.
		second.leave()
		elapse(2999 * time.Millisecond)
		watcher.expectPresence()
		elapse(time.Millisecond)
		watcher.expectPresence("left anna")
		if _, welcome := s.join(t, s.rejoin(t, admin)); !slices.Equal(welcome.Online, []string{"admin"}) {
			t.Errorf("online %v, want the admin alone", welcome.Online)
		}
		s.join(t, anna)
		watcher.expectPresence("joined anna")
	})
}

// TestPresenceOnTwoNodes checks that a user has not left by reconnecting to another node.
func TestPresenceOnTwoNodes(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		one := newSite(t, piped)
		two := one.secondNode(t, piped)
		admin := one.create(t)
		anna := one.addMember(t, admin, "anna")
		watchers := make([]*client, 2)
		watchers[0], _ = one.join(t, admin)
		watchers[1], _ = two.join(t, one.rejoin(t, admin))
		here, _ := one.join(t, anna)
		for _, w := range watchers {
			w.expectPresence("joined anna")
		}
		here.leave()
		elapse(time.Second)
		there, _ := two.join(t, anna)
		elapse(time.Minute)
		for _, w := range watchers {
			w.expectPresence()
		}
		there.leave()
		elapse(3 * time.Second)
		for _, w := range watchers {
			w.expectPresence("left anna")
		}
	})
}

// TestLateJoinCounts checks that a socket counts when it joins, even if another socket of
// the same user was opened later and has left.
func TestLateJoinCounts(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		s := newSite(t, piped)
		admin := s.create(t)
		anna := s.addMember(t, admin, "anna")
		watcher, _ := s.join(t, admin)
		idle := s.connect(t)
		synctest.Wait()
		other, _ := s.join(t, anna)
		other.leave()
		elapse(4 * time.Second)
		watcher.expectPresence("joined anna", "left anna")
		idle.send(joinFields(anna))
		idle.next("welcome")
		watcher.expectPresence("joined anna")
	})
}

// TestEmptyRoom checks that a node stops watching a room without connections.
func TestEmptyRoom(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		s := newSite(t, piped)
		admin := s.create(t)
		c, _ := s.join(t, admin)
		c.leave()
		elapse(10 * time.Second)
		watched := 0
		s.store.intercept(func(method string) {
			if method == "Watch" {
				watched++
			}
		})
		c, welcome := s.join(t, admin)
		if watched != 1 || welcome.OnlineCount != 1 {
			t.Errorf("watched %d times, %d online; want 1 and 1", watched, welcome.OnlineCount)
		}
		// Within the grace the room stays open.
		c.leave()
		elapse(time.Second)
		s.join(t, admin)
		if watched != 1 {
			t.Errorf("watched %d times, want once", watched)
		}
	})
}

func TestTyping(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		s := newSite(t, piped)
		admin := s.create(t)
		anna := s.addMember(t, admin, "anna")
		watcher, _ := s.join(t, admin)
		one, _ := s.join(t, anna)
		two, _ := s.join(t, s.rejoin(t, anna))
		watcher.expectPresence("joined anna")
		for range 5 {
			one.send(fields{"type": "typing"})
		}
		watcher.expectPresence("typing anna")
		elapse(2999 * time.Millisecond)
		one.send(fields{"type": "typing"})
		watcher.expectPresence()
		elapse(time.Millisecond)
		one.send(fields{"type": "typing"})
		watcher.expectPresence("typing anna")
		two.send(fields{"type": "typing"})
		watcher.expectPresence("typing anna")
		one.expectPresence() // no connection of the same user receives it
		two.expectPresence()
		if kept := s.kept(t, admin); len(kept) > 0 {
			t.Errorf("kept %q", kept)
		}
	})
}

func TestLargeRoom(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		s := newSite(t, piped)
		admin := s.create(t)
		watcher, _ := s.join(t, admin)
		// The store reports the users of other nodes.
		emitRange := func(kind room.EventKind, from, to int) {
			for i := from; i <= to; i++ {
				s.store.emit(admin.Room.ID, room.Event{Kind: kind, UserID: fmt.Sprintf("user%03d", i)})
			}
		}
		emitRange(room.EventJoined, 1, 99)
		if got := watcher.presence(); len(got) != 99 || got[98] != "joined user099" {
			t.Fatalf("with 100 online received %d frames, last %q", len(got), got[len(got)-1])
		}
		emitRange(room.EventJoined, 100, 300)
		watcher.expectPresence()
		elapse(time.Second)
		watcher.expectPresence("online 301")
		elapse(time.Minute)
		watcher.expectPresence() // nothing changes

		start := time.Now()
		counts := 0
		for i := range 40 { // a change every quarter of a second
			emitRange(room.EventLeft, i+1, i+1)
			s.store.emit(admin.Room.ID, room.Event{Kind: room.EventTyping, UserID: "user300"})
			elapse(250 * time.Millisecond)
			for _, what := range watcher.presence() {
				counts++
				if want := fmt.Sprintf("online %d", 301-i-1); what != want {
					t.Errorf("after %v: received %q, want %q", time.Since(start), what, want)
				}
			}
		}
		if counts < 8 || counts > 10 {
			t.Errorf("%d counts in 10 s, want one a second at most", counts)
		}

		anna := s.addMember(t, admin, "anna")
		c, welcome := s.join(t, anna)
		if len(welcome.Online) != 100 || !slices.Contains(welcome.Online, "anna") || !slices.IsSorted(welcome.Online) {
			t.Errorf("%d names, sorted %v, want 100 sorted ones with its own: %v",
				len(welcome.Online), slices.IsSorted(welcome.Online), welcome.Online)
		}
		if welcome.OnlineCount != 262 {
			t.Errorf("onlineCount %d, want 262", welcome.OnlineCount)
		}
		elapse(5 * time.Second)
		watcher.presence()
		c.send(fields{"type": "typing"})
		watcher.expectPresence()

		emitRange(room.EventLeft, 41, 201) // 101 are left
		watcher.expectPresence()
		elapse(time.Second)
		watcher.expectPresence("online 101")
		emitRange(room.EventLeft, 202, 202)
		watcher.expectPresence("left user202")
	})
}

func TestRemoved(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		s := newSite(t, piped)
		admin := s.create(t)
		anna := s.addMember(t, admin, "anna")
		watcher, _ := s.join(t, admin)
		one, _ := s.join(t, anna)
		two, _ := s.join(t, s.rejoin(t, anna))
		watcher.expectPresence("joined anna")
		if err := s.rooms.Remove(t.Context(), credentials(admin), "anna"); err != nil {
			t.Fatal(err)
		}
		watcher.expectPresence("left anna")
		for _, c := range []*client{one, two} {
			c.next("removed")
			if reason := c.expectClosed(4403); reason != "removed" {
				t.Errorf("reason %q", reason)
			}
		}
		if got := s.refused(t, joinQuery(anna)); got != 401 {
			t.Errorf("status %d for a removed member, want 401", got)
		}
		elapse(time.Minute)
		watcher.expectPresence()
	})
}

// TestRemovedOnAnotherNode checks that a removed member's message is refused and the
// connection closed before the event of the removal arrives.
func TestRemovedOnAnotherNode(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	admin := s.create(t)
	anna := s.addMember(t, admin, "anna")
	c, _ := s.join(t, anna)
	s.store.intercept(func(method string) {
		if method != "Post" {
			return
		}
		s.store.intercept(nil)
		if err := s.store.Remove(context.WithoutCancel(t.Context()), admin.Room.ID, "anna"); err != nil {
			t.Errorf("Remove: %v", err)
		}
	})
	c.post(1, "too late")
	c.next("removed")
	c.expectClosed(4403)
	if kept := s.kept(t, admin); len(kept) > 0 {
		t.Errorf("kept %q", kept)
	}
}
