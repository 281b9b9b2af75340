package ws_test

import (
	"slices"
	"testing"

	"github.com/gorilla/websocket"

	"github.com/ephemeralchat/caddy-ephemeral-chat/room"
)

// TestLossBeforeEcho has the store lose messages that it had accepted, before any client
// received them.
func TestLossBeforeEcho(t *testing.T) {
	t.Parallel()
	for name, next := range map[string]func(t *testing.T, s *site, c *client, as room.Admission) *client{
		// The connection is closed. When the client reconnects, it learns the last id that
		// the store has.
		"the next is posted": func(t *testing.T, s *site, c *client, as room.Admission) *client {
			t.Helper()
			c.post(4, "four")
			c.expectClosed(websocket.CloseTryAgainLater)
			c, welcome := s.join(t, as)
			if welcome.LastID != 1 {
				t.Errorf("lastId %d, want 1", welcome.LastID)
			}
			return c
		},
		// They are stored.
		"they are resent": func(_ *testing.T, _ *site, c *client, _ room.Admission) *client { return c },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSite(t)
			admin := s.create(t)
			c, _ := s.join(t, admin)
			c.post(1, "one")
			c.next("started")
			c.nextMessage("one")
			s.store.dropPosts(true)
			c.post(2, "two")
			c.post(3, "three")
			c.send(fields{"type": "ping"})
			c.next("pong") // both have been accepted
			s.store.dropPosts(false)
			c = next(t, s, c, admin)
			for i, text := range []string{"two", "three", "four"} {
				c.post(uint64(i+2), text)
				c.nextMessage(text)
			}
			if kept := s.kept(t, admin); !slices.Equal(kept, []string{"one", "two", "three", "four"}) {
				t.Errorf("kept %q", kept)
			}
		})
	}
}

// TestLossAfterEcho has the store lose messages that every client has received: the
// sender does not resend them.
func TestLossAfterEcho(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	admin := s.create(t)
	c, _ := s.join(t, admin)
	c.post(1, "one")
	c.next("started")
	c.nextMessage("one")
	s.store.reportLossOnce()
	c.post(2, "two")
	c.nextMessage("two")
	c.post(1, "one")
	c.next("ack")
}
