package e2e_test

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"
)

// endTime is in which everybody must know of a deadline.
const endTime = 500 * time.Millisecond

func TestDeadline(t *testing.T) {
	onBoth(t, unlimited, func(t *testing.T, s *site) {
		t.Run("everybody is told in time", func(t *testing.T) { toldInTime(t, s) })
		t.Run("hammering", func(t *testing.T) { hammering(t, s) })
		t.Run("deleted", func(t *testing.T) { deleted(t, s) })
		s.noErrors(t)
	})
}

// toldInTime lets rooms expire and measures when each node says so.
func toldInTime(t *testing.T, s *site) {
	const rooms = 30
	late := make([][]time.Duration, len(s.nodes))
	var mu sync.Mutex
	var all sync.WaitGroup
	for i := range rooms {
		admin := s.api(i).create(t, 3)
		var sockets []*socket
		for node := range s.nodes {
			m := s.api(i).join(t, admin.RoomID, fmt.Sprint("m", node))
			k, _ := enter(t, s.base(node), &m)
			sockets = append(sockets, k)
		}
		sockets[0].say(t, "the first one")
		for node, k := range sockets {
			expires := parseTime(t, k.await(t, "started").ExpiresAt)
			all.Go(func() {
				f, ok := k.expect(20*time.Second, func(f *frame) bool { return f.Type == "ended" })
				mu.Lock()
				defer mu.Unlock()
				after := f.at.Sub(expires)
				if !ok || f.Reason != "expired" || after < 0 || after > endTime {
					t.Errorf("node %d: %+v, %s after the deadline", node, f, after)
				}
				late[node] = append(late[node], after)
			})
		}
		all.Go(func() {
			for _, k := range sockets {
				select {
				case <-k.done:
				case <-time.After(waitTime):
				}
				if end := k.ending(); end.code != 4410 || end.reason != "expired" {
					t.Errorf("closed: %+v", end)
				}
			}
			for node := range s.nodes {
				expectNowhere(t, s.api(node), &admin)
			}
			if s.redis != nil {
				if left := s.redis.deadlines(t, admin.RoomID); len(left) > 0 {
					t.Errorf("left: %v", left)
				}
			}
		})
	}
	all.Wait()
	for node, times := range late {
		slices.Sort(times)
		t.Logf("node %d: ended comes %s (median), %s (latest) after the deadline, of %d rooms",
			node, times[len(times)/2].Round(time.Millisecond), times[len(times)-1].Round(time.Millisecond), len(times))
	}
}

// hammering writes to a room in every way until long after its deadline.
func hammering(t *testing.T, s *site) {
	admin := s.api(0).create(t, 2)
	var hammers sync.WaitGroup
	var expires time.Time
	var sockets []*socket
	for i := range 6 {
		m := s.api(i).join(t, admin.RoomID, fmt.Sprint("m", i))
		k, _ := enter(t, s.base(i), &m)
		sockets = append(sockets, k)
	}
	expires = s.api(0).start(t, &admin)
	ctx, cancel := context.WithDeadline(t.Context(), expires.Add(2*time.Second))
	defer cancel()
	for _, k := range sockets {
		hammers.Go(func() {
			for id := uint64(1); k.write(fields{"type": "message", "message": "x", "id": id}) == nil && ctx.Err() == nil; id++ {
				pause(ctx, 2*time.Millisecond)
			}
		})
	}
	for node := range s.nodes {
		for _, endpoint := range []string{"/joinRoom", "/startChat", "/lockRoom", "/removeMember", "/roomInfo"} {
			hammers.Go(func() {
				for n := 0; ctx.Err() == nil; n++ {
					request := admin.credentials("locked", n%2 == 0, "memberId", "nobody")
					if endpoint == "/joinRoom" {
						request = fields{"roomId": admin.RoomID, "username": "late"}
					}
					sent := time.Now()
					got := s.api(node).call(t, endpoint, request) //nolint:contextcheck // it ends by itself
					if got.status == 404 && got.code() == "room_not_found" && time.Now().Before(expires) {
						t.Errorf("%s: gone before its time", endpoint)
					}
					if sent.After(expires.Add(time.Millisecond)) {
						expectRefusal(t, got, 404, "room_not_found")
					}
					pause(ctx, 5*time.Millisecond)
				}
			})
		}
		// And sockets that come just then.
		hammers.Go(func() {
			for ctx.Err() == nil {
				k := dial(t, s.base(node)) //nolint:contextcheck // it ends by itself
				if k.write(admin.credentials("type", "join")) == nil {
					_ = k.write(fields{"type": "message", "message": "late"})
					if time.Now().After(expires.Add(time.Millisecond)) {
						k.expect(waitTime, func(f *frame) bool {
							if f.Type == "welcome" && f.at.After(expires.Add(endTime)) {
								t.Errorf("welcome %s after the deadline", f.at.Sub(expires))
							}
							return false
						})
					}
				}
				pause(ctx, 10*time.Millisecond)
				k.close()
			}
		})
	}
	hammers.Wait()
	for _, k := range sockets {
		k.awaitClose(t, 4410)
		for _, f := range k.all() {
			late := f.at.Sub(expires)
			if f.Type == "ended" && (late < 0 || late > endTime) || late > endTime {
				t.Errorf("%s %s after the deadline", f.Type, late)
			}
		}
	}
	for node := range s.nodes {
		expectNowhere(t, s.api(node), &admin)
	}
	if s.redis != nil {
		if left := s.redis.deadlines(t, admin.RoomID); len(left) > 0 {
			t.Errorf("left: %v", left)
		}
	}
}

// deleted ends a room before its time.
func deleted(t *testing.T, s *site) {
	for _, started := range []bool{false, true} {
		admin := s.api(0).create(t, 60)
		var sockets []*socket
		for i := range 4 {
			m := s.api(i).join(t, admin.RoomID, fmt.Sprint("m", i))
			k, _ := enter(t, s.base(i), &m)
			sockets = append(sockets, k)
		}
		if started {
			sockets[1].say(t, "hello")
			sockets[0].awaitText(t, "hello")
		}
		s.api(1).succeed(t, "/deleteRoom", admin.credentials())
		answered := time.Now()
		for _, k := range sockets {
			if f := k.await(t, "ended"); f.Reason != "deleted" || f.at.Sub(answered) > endTime {
				t.Errorf("%+v, %s after the answer", f, f.at.Sub(answered))
			}
			if end := k.awaitClose(t, 4410); end.reason != "deleted" {
				t.Errorf("closed: %+v", end)
			}
		}
		for node := range s.nodes {
			expectNowhere(t, s.api(node), &admin)
		}
		if s.redis != nil {
			if left := s.redis.keys(t, admin.RoomID); len(left) > 0 {
				t.Errorf("left: %v", left)
			}
		}
	}
}

// pause waits, but not longer than ctx.
func pause(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}
