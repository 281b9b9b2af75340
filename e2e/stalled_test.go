package e2e_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"
)

// TestStalledReader has members that don't read what they are sent.
func TestStalledReader(t *testing.T) {
	const (
		stalled  = 6
		messages = 5000 // more than the queue and the buffers of the kernel hold
		window   = 64   // messages that are under way
		bound    = 200 << 20
	)
	t.Parallel() // it waits most of the time
	onBoth(t, "message_rate off\nhistory 100", func(t *testing.T, s *site) {
		admin := s.api(0).create(t, 600)
		listener := s.api(0).join(t, admin.RoomID, "listener")
		var blind []*websocket.Conn
		for i := range stalled {
			m := s.api(i).join(t, admin.RoomID, fmt.Sprint("stalled", i))
			conn := openRaw(t, s.base(i))
			if err := conn.WriteJSON(m.credentials("type", "join")); err != nil {
				t.Fatal(err)
			}
			blind = append(blind, conn)
		}
		speaker, _ := enter(t, s.base(0), &admin)
		until(t, waitTime, "all are online", func() bool {
			probe, welcome := enter(t, s.base(1), &listener)
			probe.close()
			return welcome.OnlineCount == stalled+2
		})
		hearer, _ := enter(t, s.base(1), &listener)

		before := make([]int, len(s.nodes))
		for i, n := range s.nodes {
			before[i] = n.memory(t)
		}
		filler := strings.Repeat("x", 4000)
		var delays []time.Duration
		sent := make(map[uint64]time.Time)
		for n := uint64(1); n <= messages+window; n++ {
			if n <= messages {
				sent[n] = time.Now()
				speaker.send(t, fields{"type": "message", "message": filler, "id": n})
			}
			if n <= window {
				continue
			}
			f := hearer.await(t, "message")
			delays = append(delays, f.at.Sub(sent[f.ID]))
		}
		slices.Sort(delays)
		t.Logf("delay of %d messages with %d stalled readers: median %s, 99%% %s, longest %s", len(delays), stalled,
			delays[len(delays)/2].Round(time.Millisecond), delays[len(delays)*99/100].Round(time.Millisecond), delays[len(delays)-1].Round(time.Millisecond))
		if longest := delays[len(delays)-1]; longest > 2*time.Second {
			t.Errorf("a message took %s", longest)
		}
		for i, n := range s.nodes {
			grown := n.memory(t) - before[i]
			t.Logf("node %d has grown by %d MiB", i, grown>>20)
			if grown > bound {
				t.Errorf("node %d has grown by %d MiB", i, grown>>20)
			}
		}

		// Half of them read at last; the others never do, and are given up.
		for _, conn := range blind[:stalled/2] {
			if code := drain(t, conn); code != 4503 {
				t.Errorf("a stalled reader is closed with %d", code)
			}
		}
		online := func() int {
			k, welcome := enter(t, s.base(1), &listener)
			k.close()
			return welcome.OnlineCount
		}
		until(t, 30*time.Second, "the stalled ones are gone", func() bool { return online() == 2 })
		for _, conn := range blind[stalled/2:] {
			if code := drain(t, conn); code != 4503 && code != websocket.CloseAbnormalClosure {
				t.Errorf("who has never read is closed with %d", code)
			}
		}
		s.noErrors(t)
	})
}

// drain reads until the connection ends, and returns by which close code; 1006
// if it was by none.
func drain(t *testing.T, conn *websocket.Conn) int {
	t.Helper()
	if err := conn.SetReadDeadline(time.Now().Add(waitTime)); err != nil {
		t.Fatal(err)
	}
	for {
		if _, _, err := conn.ReadMessage(); err != nil {
			if e, ok := err.(*websocket.CloseError); ok { //nolint:errorlint // it is not wrapped
				return e.Code
			}
			if strings.Contains(err.Error(), "timeout") {
				t.Error("the connection goes on")
			}
			return websocket.CloseAbnormalClosure
		}
	}
}
