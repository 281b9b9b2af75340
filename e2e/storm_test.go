package e2e_test

import (
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"
)

// stormTime is in which everybody must be back, with a Caddy under the race
// detector.
const stormTime = 30 * time.Second

// TestReconnectStorm kills a node with many connections. All want to come back at
// the same moment, to the one that is started in its place: each is let in at the
// first attempt, and has missed nothing.
func TestReconnectStorm(t *testing.T) {
	const rooms, members = 80, 25
	server := startRedis(t)
	address := freeAddress(t)
	site := fmt.Sprintf("http://%s {\n\tephemeral_chat {\n\t\tredis %s\n%s\n\t}\n}\n", address, server.address, unlimited)
	doomed := startProcess(t, "caddy", doomedNode(t, address, server.address))
	until(t, startTime, "the node listens", func() bool { return listening(t.Context(), address) })
	base := "http://" + address
	a := newAPI(t, base)

	var all [rooms * members]member
	var welcomes [rooms * members]frame
	var sockets [rooms * members]*socket
	var entering sync.WaitGroup
	for i := range rooms {
		admin := a.create(t, 600)
		for j := range members {
			all[i*members+j] = a.join(t, admin.RoomID, fmt.Sprint("m", j))
		}
		entering.Go(func() {
			for k := i * members; k < (i+1)*members; k++ {
				s, err := join(t, base, all[k].credentials("type", "join"))
				if err != nil {
					t.Error(err)
					return
				}
				sockets[k], welcomes[k] = s, s.await(t, "welcome")
			}
			// What is said last is heard by nobody else before the node dies.
			last := sockets[(i+1)*members-1]
			last.say(t, "before the storm")
			last.awaitText(t, "before the storm")
		})
	}
	entering.Wait()
	if t.Failed() {
		t.FailNow()
	}
	doomed.kill(t)
	for _, s := range sockets {
		s.close()
	}
	startNode(t, "", site, address)

	start := time.Now()
	took := make([]time.Duration, len(all))
	var storming sync.WaitGroup
	for k := range all {
		storming.Go(func() {
			s, err := join(t, base, all[k].credentials("type", "join", "after", 0, "epoch", welcomes[k].Epoch))
			if err != nil {
				t.Errorf("%d: %v", k, err)
				return
			}
			defer s.close()
			f, ok := s.expect(stormTime, func(f *frame) bool { return f.Type == "welcome" })
			took[k] = time.Since(start)
			if !ok {
				t.Errorf("%d is not welcome: %+v", k, s.ending())
			} else if f.Gap || len(f.Messages) != 1 || f.Messages[0].Message != "before the storm" {
				t.Errorf("%d comes back to %d messages, gap %t", k, len(f.Messages), f.Gap)
			}
		})
	}
	storming.Wait()
	slices.Sort(took)
	t.Logf("%d clients are back after %s (median), %s (last)", len(took),
		took[len(took)/2].Round(time.Millisecond), took[len(took)-1].Round(time.Millisecond))
}

// join opens a socket and sends its first frame. Only one attempt is made.
func join(t *testing.T, base string, first fields) (*socket, error) {
	t.Helper()
	s, _, err := openSocket(t.Context(), wsURL(base), nil, nil)
	if err != nil {
		return nil, err
	}
	return s, s.write(first)
}
