package faults_test

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/ephemeralchat/caddy-ephemeral-chat/e2e/harness"
)

// stormTime bounds the time until all clients are back, also with the race detector.
const stormTime = 30 * time.Second

// TestReconnectStorm kills a node with many connections, and starts another one at its
// address. All clients return at the same time. Each is welcome at its first attempt,
// and has missed nothing.
func TestReconnectStorm(t *testing.T) {
	const rooms, members = 80, 25
	server := harness.StartRedis(t)
	site := harness.StartSite(t, server, harness.Unlimited, server.Addr())
	base, a := site.Base(0), site.API(0)

	var all [rooms * members]harness.Member
	var welcomes [rooms * members]harness.Frame
	var sockets [rooms * members]*harness.Socket
	var entering sync.WaitGroup
	for i := range rooms {
		admin := a.Create(t, 600)
		for j := range members {
			all[i*members+j] = a.Join(t, admin.RoomID, fmt.Sprint("m", j))
		}
		entering.Go(func() {
			for k := i * members; k < (i+1)*members; k++ {
				s, err := join(t, base, all[k].Credentials("type", "join"))
				if err != nil {
					t.Error(err)
					return
				}
				sockets[k], welcomes[k] = s, s.Await(t, "welcome")
			}
			// The other members need not have received the last message yet.
			last := sockets[(i+1)*members-1]
			last.Publish(t, "before the storm")
			last.AwaitText(t, "before the storm")
		})
	}
	entering.Wait()
	if t.Failed() {
		t.FailNow()
	}
	site.Nodes[0].Kill(t)
	for _, s := range sockets {
		s.Close()
	}
	site.Nodes[0].Restart(t)

	start := time.Now()
	took := make([]time.Duration, len(all))
	var returning sync.WaitGroup
	for k := range all {
		returning.Go(func() {
			s, err := join(t, base, all[k].Credentials("type", "join", "after", 0, "epoch", welcomes[k].Epoch))
			if err != nil {
				t.Errorf("%d: %v", k, err)
				return
			}
			defer s.Close()
			f, ok := s.Wait(stormTime, func(f *harness.Frame) bool { return f.Type == "welcome" })
			took[k] = time.Since(start)
			if !ok {
				t.Errorf("%d is not welcome: %+v", k, s.Closing())
			} else if f.Gap || len(f.Messages) != 1 || f.Messages[0].Message != "before the storm" {
				t.Errorf("%d rejoins, and receives %d messages, gap %t", k, len(f.Messages), f.Gap)
			}
		})
	}
	returning.Wait()
	t.Logf("time until clients are back: %s", harness.Summary(took))
}

// join opens a socket and sends its first frame, in one attempt.
func join(t *testing.T, base string, first harness.Fields) (*harness.Socket, error) {
	t.Helper()
	s, _, err := harness.OpenSocket(t.Context(), harness.WebSocketURL(base), nil, nil)
	if err != nil {
		return nil, err
	}
	return s, s.Write(first)
}
