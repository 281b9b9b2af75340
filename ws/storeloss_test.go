package ws_test

import (
	"slices"
	"testing"

	"github.com/gorilla/websocket"

	"github.com/ephemeralchat/caddy-ephemeral-chat/room"
)

// TestAcceptedAndLost has the store lose messages that it had accepted and nobody
// was told of.
func TestAcceptedAndLost(t *testing.T) {
	t.Parallel()
	for name, next := range map[string]func(t *testing.T, s *site, c *client, as room.Admission) *client{
		// The client must not go past them. When it comes back, it learns what the
		// store has.
		"the next is said": func(t *testing.T, s *site, c *client, as room.Admission) *client {
			t.Helper()
			c.say(4, "four")
			c.closed(websocket.CloseTryAgainLater)
			c, welcome := s.join(t, as)
			if welcome.LastID != 1 {
				t.Errorf("lastId %d, want 1", welcome.LastID)
			}
			return c
		},
		// They are not taken for stored.
		"they are said again": func(_ *testing.T, _ *site, c *client, _ room.Admission) *client { return c },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSite(t)
			admin := s.create(t)
			c, _ := s.join(t, admin)
			c.say(1, "one")
			c.next("started")
			c.nextMessage("one")
			s.store.forget(true)
			c.say(2, "two")
			c.say(3, "three")
			c.send(fields{"type": "ping"})
			c.next("pong") // both have been accepted
			s.store.forget(false)
			c = next(t, s, c, admin)
			for i, text := range []string{"two", "three", "four"} {
				c.say(uint64(i+2), text)
				c.nextMessage(text)
			}
			if kept := s.kept(t, admin); !slices.Equal(kept, []string{"one", "two", "three", "four"}) {
				t.Errorf("kept %q", kept)
			}
		})
	}
}

// TestToldAndLost has the store lose messages that everybody was told of, so that
// there is nothing to be said again: the client does not notice.
func TestToldAndLost(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	admin := s.create(t)
	c, _ := s.join(t, admin)
	c.say(1, "one")
	c.next("started")
	c.nextMessage("one")
	s.store.deny()
	c.say(2, "two")
	c.nextMessage("two")
	c.say(1, "one")
	c.next("ack")
}
