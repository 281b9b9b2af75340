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

// TestPings checks who stays and who is dropped, in a quiet room and in a busy
// one: what a client is sent says nothing about whether it lives.
func TestPings(t *testing.T) {
	for name, busy := range map[string]bool{"quiet": false, "busy": true} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				s := newSite(t, piped, settings(everyTenSeconds))
				admin := s.create(t)
				anna := s.addMember(t, admin, "anna")
				answering, _ := s.join(t, admin) // and does nothing else
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
						s.post(t, admin, "talk")
					}
					if second == 23 {
						if f := answering.await("left"); f.UserID != "anna" {
							t.Errorf("told %s", f.raw)
						}
					}
				}
				answering.expectOpen()
			})
		})
	}
}

// TestFramesKeepAlive checks that any frame counts as a sign of life.
func TestFramesKeepAlive(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		s := newSite(t, piped, settings(everyTenSeconds))
		admin := s.create(t)
		talking, _ := s.join(t, admin)
		pinging, _ := s.join(t, s.rejoin(t, admin))
		for _, c := range []*client{talking, pinging} {
			c.mu.Lock()
			c.ignoresPings = true
			c.mu.Unlock()
		}
		for range 10 {
			elapse(15 * time.Second)
			talking.post(0, "here")
			if err := pinging.socket.WriteControl(websocket.PingMessage, nil, time.Now().Add(time.Second)); err != nil {
				t.Fatal(err)
			}
		}
		talking.expectOpen()
		pinging.expectOpen()
		elapse(20 * time.Second)
		talking.awaitClosed(websocket.CloseAbnormalClosure)
		pinging.awaitClosed(websocket.CloseAbnormalClosure)
	})
}

// TestUnreachable checks that a client that takes nothing any more is dropped,
// though its connection never fails.
func TestUnreachable(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		s := newSite(t, piped, settings(everyTenSeconds))
		admin := s.create(t)
		watcher, _ := s.join(t, admin)
		socket := s.open(t, joinQuery(s.addMember(t, admin, "anna"))) // nobody reads
		defer socket.Close()
		watcher.expectPresence("joined anna")
		elapse(20*time.Second + 2999*time.Millisecond)
		synctest.Wait()
		watcher.expectPresence()
		elapse(time.Millisecond)
		watcher.expectPresence("left anna")
	})
}
