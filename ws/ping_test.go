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
				anna := s.admit(t, admin, "anna")
				answering, _ := s.join(t, admin) // and does nothing else
				silent, _ := s.join(t, anna)
				silent.mu.Lock()
				silent.deaf = true
				silent.mu.Unlock()
				answering.next("joined")
				for second := 1; second <= 120; second++ {
					elapse(time.Second - time.Millisecond)
					if second == 20 {
						silent.alive()
					}
					elapse(time.Millisecond)
					if second == 20 {
						silent.closedWith(websocket.CloseAbnormalClosure)
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
				answering.alive()
			})
		})
	}
}

// TestWhoTalksIsAlive checks that any frame counts as a sign of life.
func TestWhoTalksIsAlive(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		s := newSite(t, piped, settings(everyTenSeconds))
		admin := s.create(t)
		talking, _ := s.join(t, admin)
		pinging, _ := s.join(t, s.again(t, admin))
		for _, c := range []*client{talking, pinging} {
			c.mu.Lock()
			c.deaf = true
			c.mu.Unlock()
		}
		for range 10 {
			elapse(15 * time.Second)
			talking.say(0, "here")
			if err := pinging.socket.WriteControl(websocket.PingMessage, nil, time.Now().Add(time.Second)); err != nil {
				t.Fatal(err)
			}
		}
		talking.alive()
		pinging.alive()
		elapse(20 * time.Second)
		talking.closedWith(websocket.CloseAbnormalClosure)
		pinging.closedWith(websocket.CloseAbnormalClosure)
	})
}

// TestUnreachable checks that a client that takes nothing any more is dropped,
// though its connection never fails.
func TestUnreachable(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		s := newSite(t, piped, settings(everyTenSeconds))
		admin := s.create(t)
		watcher, _ := s.join(t, admin)
		socket := s.open(t, joinQuery(s.admit(t, admin, "anna"))) // nobody reads
		defer socket.Close()
		watcher.expectTold("joined anna")
		elapse(20*time.Second + 2999*time.Millisecond)
		synctest.Wait()
		watcher.expectTold()
		elapse(time.Millisecond)
		watcher.expectTold("left anna")
	})
}
