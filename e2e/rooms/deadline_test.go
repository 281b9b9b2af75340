package rooms_test

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/ephemeralchat/caddy-ephemeral-chat/e2e/harness"
)

func TestDeadline(t *testing.T) {
	harness.OnBothStores(t, harness.Unlimited, func(t *testing.T, s *harness.Site) {
		t.Run("ended in time", func(t *testing.T) { endedInTime(t, s) })
		t.Run("under load", func(t *testing.T) { endedUnderLoad(t, s) })
		t.Run("deleted", func(t *testing.T) { deleted(t, s) })
		s.ExpectNoErrors(t)
	})
}

// endedInTime lets rooms expire, and measures when each node sends "ended".
func endedInTime(t *testing.T, s *harness.Site) {
	const rooms = 30
	late := make([][]time.Duration, len(s.Nodes))
	var mu sync.Mutex
	var all sync.WaitGroup
	for i := range rooms {
		admin := s.API(i).Create(t, 3)
		sockets := s.JoinMany(t, admin.RoomID, len(s.Nodes))
		sockets[0].Publish(t, "the first one")
		for node, k := range sockets {
			expires := harness.ParseTime(t, k.Await(t, "started").ExpiresAt)
			all.Go(func() {
				f, ok := k.Wait(20*time.Second, func(f *harness.Frame) bool { return f.Type == "ended" })
				mu.Lock()
				defer mu.Unlock()
				after := f.At.Sub(expires)
				if !ok || f.Reason != "expired" || after < 0 || after > harness.EndTime {
					t.Errorf("node %d: %+v, %s after the deadline", node, f, after)
				}
				late[node] = append(late[node], after)
			})
		}
		all.Go(func() {
			for _, k := range sockets {
				if end := k.AwaitEnd(); end.Code != 4410 || end.Reason != "expired" {
					t.Errorf("closed: %+v", end)
				}
			}
			for node := range s.Nodes {
				harness.ExpectNoRoom(t, s.API(node), &admin)
			}
			s.ExpectNoKeys(t, admin.RoomID)
		})
	}
	all.Wait()
	for node, times := range late {
		t.Logf("node %d: times from the deadlines to ended: %s", node, harness.Summary(times))
	}
}

// endedUnderLoad sends messages, requests and joins to a room until 2 s after its
// deadline.
func endedUnderLoad(t *testing.T, s *harness.Site) {
	admin := s.API(0).Create(t, 2)
	var senders sync.WaitGroup
	sockets := s.JoinMany(t, admin.RoomID, 6)
	expires := s.API(0).Start(t, &admin)
	ctx, cancel := context.WithDeadline(t.Context(), expires.Add(2*time.Second))
	defer cancel()
	for _, k := range sockets {
		senders.Go(func() {
			for id := uint64(1); k.Write(harness.Fields{"type": "message", "message": "x", "id": id}) == nil && ctx.Err() == nil; id++ {
				harness.Pace(ctx, 2*time.Millisecond)
			}
		})
	}
	for node := range s.Nodes {
		for _, endpoint := range []string{"/joinRoom", "/startChat", "/lockRoom", "/removeMember", "/roomInfo"} {
			senders.Go(func() {
				for n := 0; ctx.Err() == nil; n++ {
					request := admin.Credentials("locked", n%2 == 0, "memberId", "other")
					if endpoint == "/joinRoom" {
						request = harness.Fields{"roomId": admin.RoomID, "username": "late"}
					}
					sent := time.Now()
					got := s.API(node).Call(t, endpoint, request) //nolint:contextcheck // it has a timeout
					if got.Status == 404 && got.Code() == "room_not_found" && time.Now().Before(expires) {
						t.Errorf("%s: gone before its time", endpoint)
					}
					if sent.After(expires.Add(time.Millisecond)) {
						harness.ExpectProblem(t, got, 404, "room_not_found")
					}
					harness.Pace(ctx, 5*time.Millisecond)
				}
			})
		}
		// Sockets that join at that time.
		senders.Go(func() {
			for ctx.Err() == nil {
				k := harness.Dial(t, s.Base(node)) //nolint:contextcheck // it has a timeout
				if k.Write(admin.Credentials("type", "join")) == nil {
					_ = k.Write(harness.Fields{"type": "message", "message": "late"})
					if time.Now().After(expires.Add(time.Millisecond)) {
						k.Wait(harness.WaitTime, func(f *harness.Frame) bool {
							if f.Type == "welcome" && f.At.After(expires.Add(harness.EndTime)) {
								t.Errorf("welcome %s after the deadline", f.At.Sub(expires))
							}
							return false
						})
					}
				}
				harness.Pace(ctx, 10*time.Millisecond)
				k.Close()
			}
		})
	}
	senders.Wait()
	for _, k := range sockets {
		k.AwaitClose(t, 4410)
		for _, f := range k.Frames() {
			late := f.At.Sub(expires)
			if f.Type == "ended" && (late < 0 || late > harness.EndTime) || late > harness.EndTime {
				t.Errorf("%s %s after the deadline", f.Type, late)
			}
		}
	}
	for node := range s.Nodes {
		harness.ExpectNoRoom(t, s.API(node), &admin)
	}
	s.ExpectNoKeys(t, admin.RoomID)
}

// deleted deletes rooms, before and after their start.
func deleted(t *testing.T, s *harness.Site) {
	for _, started := range []bool{false, true} {
		admin := s.API(0).Create(t, 60)
		sockets := s.JoinMany(t, admin.RoomID, 4)
		if started {
			sockets[1].Publish(t, "hello")
			sockets[0].AwaitText(t, "hello")
		}
		s.API(1).Succeed(t, "/deleteRoom", admin.Credentials())
		answered := time.Now()
		for _, k := range sockets {
			if f := k.Await(t, "ended"); f.Reason != "deleted" || f.At.Sub(answered) > harness.EndTime {
				t.Errorf("%+v, %s after the answer", f, f.At.Sub(answered))
			}
			if end := k.AwaitClose(t, 4410); end.Reason != "deleted" {
				t.Errorf("closed: %+v", end)
			}
		}
		for node := range s.Nodes {
			harness.ExpectNoRoom(t, s.API(node), &admin)
		}
		s.ExpectNoKeys(t, admin.RoomID)
	}
}
