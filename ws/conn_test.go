package ws_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/gorilla/websocket"

	"github.com/ephemeralchat/caddy-ephemeral-chat/ws"
)

func everyTenSeconds(s *ws.Settings) { s.PingInterval = 10 * time.Second }

func (c *client) pinged() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.pings
}

// TestPings checks that a client that answers pings stays and one that does not is
// dropped, in a quiet room and in a busy one: frames to a client do not show that it
// lives.
func TestPings(t *testing.T) {
	for name, busy := range map[string]bool{"quiet": false, "busy": true} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				s := newSite(t, piped, settings(everyTenSeconds))
				admin := s.create(t)
				anna := s.addMember(t, admin, "anna")
				answering, _ := s.join(t, admin) // and sends nothing else
				silent, _ := s.join(t, anna)
				silent.mu.Lock()
				silent.ignoresPings = true
				silent.mu.Unlock()
				answering.next("joined")
				for second := 1; second <= 120; second++ {
					elapse(time.Second - time.Millisecond)
					if second == 20 {
						silent.expectOpen()
					}
					elapse(time.Millisecond)
					if second == 20 {
						silent.awaitClosed(websocket.CloseAbnormalClosure)
					}
					if want := second / 10; answering.pinged() != want {
						t.Fatalf("pinged %d times in %d s, want %d", answering.pinged(), second, want)
					}
					if busy {
						s.post(t, admin, "a text")
					}
					if second == 23 {
						if f := answering.await("left"); f.UserID != "anna" {
							t.Errorf("received %s", f.raw)
						}
					}
				}
				answering.expectOpen()
			})
		})
	}
}

// TestFramesKeepAlive checks that any frame shows that the client lives.
func TestFramesKeepAlive(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		s := newSite(t, piped, settings(everyTenSeconds))
		admin := s.create(t)
		poster, _ := s.join(t, admin)
		pinging, _ := s.join(t, s.rejoin(t, admin))
		for _, c := range []*client{poster, pinging} {
			c.mu.Lock()
			c.ignoresPings = true
			c.mu.Unlock()
		}
		for range 10 {
			elapse(15 * time.Second)
			poster.post(0, "here")
			if err := pinging.socket.WriteControl(websocket.PingMessage, nil, time.Now().Add(time.Second)); err != nil {
				t.Fatal(err)
			}
		}
		poster.expectOpen()
		pinging.expectOpen()
		elapse(20 * time.Second)
		poster.awaitClosed(websocket.CloseAbnormalClosure)
		pinging.awaitClosed(websocket.CloseAbnormalClosure)
	})
}

// TestUnreachable checks that a client that reads nothing any more is dropped, even if
// its connection never fails.
func TestUnreachable(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		s := newSite(t, piped, settings(everyTenSeconds))
		admin := s.create(t)
		watcher, _ := s.join(t, admin)
		socket := s.open(t, joinQuery(s.addMember(t, admin, "anna"))) // it does not read
		defer socket.Close()
		watcher.expectPresence("joined anna")
		elapse(20*time.Second + 2999*time.Millisecond)
		synctest.Wait()
		watcher.expectPresence()
		elapse(time.Millisecond)
		watcher.expectPresence("left anna")
	})
}
