package faults_test

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/ephemeralchat/caddy-ephemeral-chat/e2e/harness"
)

// TestManyRooms has many rooms exchange messages for a while. When all members have
// left, nodes have no more goroutines than before.
func TestManyRooms(t *testing.T) {
	const (
		rooms   = 200
		members = 5
		period  = 10 * time.Second
	)
	harness.OnBothStores(t, harness.Unlimited+"\nping_interval 2s", func(t *testing.T, s *harness.Site) {
		harness.TwoChat(t, s.Base(0)) // starts the goroutines that run once
		harness.TwoChat(t, s.Base(1))
		var before []int
		for _, n := range s.Nodes {
			before = append(before, n.Goroutines(t))
		}

		var sockets [rooms][]*harness.Socket
		var admins [rooms]harness.Member
		for i := range rooms {
			admins[i] = s.API(i).Create(t, 600)
			sockets[i] = s.JoinMany(t, admins[i].RoomID, members)
		}
		ctx, cancel := context.WithTimeout(t.Context(), period)
		defer cancel()
		delays := make([][]time.Duration, rooms)
		var exchanging sync.WaitGroup
		for i := range rooms {
			exchanging.Go(func() {
				for n := 0; ctx.Err() == nil; n++ {
					text, sent := fmt.Sprint("number ", n), time.Now()
					if err := sockets[i][n%members].Write(harness.Fields{"type": "message", "message": text}); err != nil {
						t.Errorf("room %d: %v", i, err)
						return
					}
					for _, k := range sockets[i] {
						f, ok := k.Wait(harness.WaitTime, func(f *harness.Frame) bool { return f.Type == "message" })
						if !ok || f.Message != text || f.Seq != uint64(n+1) {
							t.Errorf("room %d: %+v instead of %s; %+v", i, f.Entry, text, k.Closing())
							return
						}
						delays[i] = append(delays[i], f.At.Sub(sent))
					}
					harness.Pace(ctx, 200*time.Millisecond)
				}
			})
		}
		exchanging.Wait()
		t.Logf("delays of deliveries: %s", harness.Summary(slices.Concat(delays...)))
		for i, room := range sockets {
			for _, k := range room {
				if !k.IsOpen() {
					t.Errorf("room %d: closed with %+v", i, k.Closing())
				}
				k.Close()
			}
		}
		for i, n := range s.Nodes {
			var now int
			if !harness.Poll(30*time.Second, func() bool { now = n.Goroutines(t); return now <= before[i]+10 }) {
				t.Errorf("node %d has %d goroutines, before were %d", i, now, before[i])
			}
			t.Logf("node %d has %d goroutines, before were %d", i, now, before[i])
		}
		for i := range rooms {
			s.API(i).Succeed(t, "/deleteRoom", admins[i].Credentials())
		}
		if s.Redis != nil {
			for _, name := range []string{":messages:", ":roomUser:", ":online:", ":sent:", ":names:"} {
				// Two rooms are left, of TwoChat.
				if left := s.Redis.Keys(t, name); len(left) > 2 {
					t.Errorf("left: %s", left)
				}
			}
		}
		s.ExpectNoErrors(t)
	})
}
