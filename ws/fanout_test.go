package ws_test

import (
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ephemeralchat/caddy-ephemeral-chat/ws"
)

// TestFlushInterval checks which messages wait: in a room with more than 64 connections,
// those posted within the interval after another one.
func TestFlushInterval(t *testing.T) {
	const interval = 100 * time.Millisecond
	for _, members := range []int{64, 65} {
		t.Run(strconv.Itoa(members), func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				s := newSite(t, piped, settings(func(s *ws.Settings) { s.FlushInterval = interval }))
				admin := s.create(t)
				var last *client
				for range members {
					last, _ = s.join(t, s.rejoin(t, admin))
				}
				elapse(time.Second)
				last.received()
				delivered := func() (messages int) {
					synctest.Wait()
					for _, f := range last.received() {
						if f.Type == "message" {
							messages++
						}
					}
					return messages
				}

				s.post(t, admin, "at once")
				if n := delivered(); n != 1 {
					t.Fatalf("a message into a quiet room: %d came at once", n)
				}
				s.post(t, admin, "two", "three")
				n := delivered()
				elapse(interval - time.Millisecond)
				if n += delivered(); members <= 64 && n != 2 || members > 64 && n != 0 {
					t.Errorf("%d of 2 came within the interval", n)
				}
				elapse(time.Millisecond)
				if n += delivered(); n != 2 {
					t.Errorf("%d of 2 came when the interval was over", n)
				}
				elapse(2 * interval)
				s.post(t, admin, "at once")
				if n := delivered(); n != 1 {
					t.Errorf("a message into a room that is quiet again: %d came at once", n)
				}
			})
		})
	}
}
