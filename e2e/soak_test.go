package e2e_test

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"
)

// TestManyRooms has many rooms talk for a while, and then everybody leave.
func TestManyRooms(t *testing.T) {
	const (
		rooms   = 200
		members = 5
		period  = 10 * time.Second
	)
	onBoth(t, unlimited+"\nping_interval 2s", func(t *testing.T, s *site) {
		twoChat(t, s.base(0)) // what is started once has been started
		twoChat(t, s.base(1))
		var before []int
		until(t, waitTime, "nothing is left of that", func() bool {
			before = before[:0]
			for _, n := range s.nodes {
				before = append(before, n.goroutines(t))
			}
			return true
		})

		var sockets [rooms][members]*socket
		var admins [rooms]member
		for i := range rooms {
			admins[i] = s.api(i).create(t, 600)
			for j := range members {
				m := s.api(i+j).join(t, admins[i].RoomID, fmt.Sprint("m", j))
				sockets[i][j], _ = enter(t, s.base(i+j), &m)
			}
		}
		ctx, cancel := context.WithTimeout(t.Context(), period)
		defer cancel()
		said := make([]int, rooms)
		delays := make([][]time.Duration, rooms)
		var talking sync.WaitGroup
		for i := range rooms {
			talking.Go(func() {
				for n := 0; ctx.Err() == nil; n++ {
					text, sent := fmt.Sprint("number ", n), time.Now()
					if err := sockets[i][n%members].write(fields{"type": "message", "message": text}); err != nil {
						t.Errorf("room %d: %v", i, err)
						return
					}
					said[i]++
					for _, k := range sockets[i] {
						f, ok := k.expect(waitTime, func(f *frame) bool { return f.Type == "message" })
						if !ok || f.Message != text || f.Seq != uint64(n+1) {
							t.Errorf("room %d: %+v instead of %s; %+v", i, f.entry, text, k.ending())
							return
						}
						delays[i] = append(delays[i], f.at.Sub(sent))
					}
					pause(ctx, 200*time.Millisecond)
				}
			})
		}
		talking.Wait()
		all := slices.Concat(delays...)
		slices.Sort(all)
		t.Logf("%d deliveries; delay %s (median), %s (99%%), %s (longest)", len(all), all[len(all)/2].Round(10*time.Microsecond),
			all[len(all)*99/100].Round(10*time.Microsecond), all[len(all)-1].Round(10*time.Microsecond))
		for i, room := range sockets {
			for _, k := range room {
				if !k.isOpen() {
					t.Errorf("room %d: closed with %+v", i, k.ending())
				}
				k.close()
			}
		}
		for i, n := range s.nodes {
			var now int
			if !poll(30*time.Second, func() bool { now = n.goroutines(t); return now <= before[i]+10 }) {
				t.Errorf("node %d has %d goroutines, before were %d", i, now, before[i])
			}
			t.Logf("node %d has %d goroutines, before were %d", i, now, before[i])
		}
		for i := range rooms {
			s.api(i).succeed(t, "/deleteRoom", admins[i].credentials())
		}
		if s.redis != nil {
			for _, name := range []string{":messages:", ":roomUser:", ":online:", ":sent:", ":names:"} {
				// Two rooms are left, of those who talked first.
				if left := s.redis.keys(t, name); len(left) > 2 {
					t.Errorf("left: %s", left)
				}
			}
		}
		s.noErrors(t)
	})
}
