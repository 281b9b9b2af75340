package ws_test

import (
	"sync"
	"testing"

	"github.com/ephemeralchat/caddy-ephemeral-chat/room"
)

// secondNode returns a site that shares the store of another one.
func (s *site) secondNode(tb testing.TB, changes ...func(*siteConfig)) *site {
	tb.Helper()
	return newSite(tb, append(changes, func(p *siteConfig) { p.store = s.store })...)
}

func TestNewerSocketOfASession(t *testing.T) {
	t.Parallel()
	one := newSite(t)
	two := one.secondNode(t)
	for name, nodes := range map[string][2]*site{"one node": {one, one}, "two nodes": {one, two}} {
		t.Run(name, func(t *testing.T) {
			admin := one.create(t)
			watcher, _ := one.join(t, one.addMember(t, admin, "watcher"))
			first, _ := nodes[0].join(t, admin)
			watcher.next("joined")
			second, welcome := nodes[1].joinByQuery(t, admin)
			if reason := first.expectClosed(4409); reason != "replaced" {
				t.Errorf("reason %q", reason)
			}
			if welcome.OnlineCount != 2 {
				t.Errorf("online %v, want admin and watcher", welcome.Online)
			}
			second.post(1, "here")
			second.next("started")
			second.nextMessage("here")
			watcher.next("started")
			watcher.nextMessage("here") // and no joined or left
		})
	}
}

// TestSocketsOfASessionAtOnce checks that exactly one stays of several sockets that are
// opened concurrently.
func TestSocketsOfASessionAtOnce(t *testing.T) {
	t.Parallel()
	one := newSite(t)
	nodes := []*site{one, one.secondNode(t)}
	for range 10 {
		admin := one.create(t)
		clients := make([]*client, 6)
		var joining sync.WaitGroup
		for i := range clients {
			clients[i] = nodes[i%2].connect(t)
			// It ends when the frame is sent.
			joining.Go(func() { clients[i].send(joinFields(admin)) })
		}
		joining.Wait()
		open := make(map[*client]bool)
		closed := make(chan *client)
		for _, c := range clients {
			open[c] = true
			// It ends with the connection, which the clean-up closes.
			go func() {
				<-c.finished
				select {
				case closed <- c:
				case <-t.Context().Done():
				}
			}()
		}
		for range len(clients) - 1 {
			c := <-closed
			c.awaitClosed(4409)
			delete(open, c)
		}
		for c := range open {
			c.next("welcome")
			c.post(1, "the one")
			c.next("started")
			c.nextMessage("the one")
		}
	}
}

// TestEventsOfSocketsInAnyOrder checks that the event of an older socket does not close
// a newer one.
func TestEventsOfSocketsInAnyOrder(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	admin := s.create(t)
	entering, proceed := make(chan struct{}), make(chan struct{})
	s.store.intercept(func(method string) {
		if method == "Enter" {
			entering <- struct{}{}
			<-proceed
		}
	})
	c := s.connect(t)
	c.send(joinFields(admin))
	<-entering
	// The connection is registered. The event of an earlier socket of the session, on
	// another node, arrives now.
	tag, err := room.VerifySession(admin.Room.Key, admin.Room.ID, admin.UserID, admin.SessionID)
	if err != nil {
		t.Fatal(err)
	}
	s.store.emit(admin.Room.ID, room.Event{Kind: room.EventOpened, UserID: "admin", SocketID: "other", Session: tag.Tag})
	s.store.intercept(nil)
	proceed <- struct{}{}
	c.next("welcome")
	c.post(1, "still here")
	c.next("started")
	c.nextMessage("still here")
	// A later one replaces it.
	s.store.emit(admin.Room.ID, room.Event{Kind: room.EventOpened, UserID: "admin", SocketID: "later", Session: tag.Tag})
	c.expectClosed(4409)
}

func TestSessionsOfAUser(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	admin := s.create(t)
	tabs := make([]*client, 3)
	for i := range tabs {
		tabs[i], _ = s.join(t, s.rejoin(t, admin))
	}
	tabs[0].post(1, "hello")
	for _, tab := range tabs {
		tab.next("started")
		tab.nextMessage("hello")
	}
}
