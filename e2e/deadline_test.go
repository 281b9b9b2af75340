package e2e_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
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

// TestDeadlineOfKeys is of when the keys of a room expire.
func TestDeadlineOfKeys(t *testing.T) {
	t.Parallel() // it waits most of the time
	s := redisSite(t, unlimited)
	for range 3 {
		admin := s.api(0).create(t, 60)
		const clients = 12
		var sockets []*socket
		for i := range clients {
			m := s.api(i).join(t, admin.RoomID, fmt.Sprint("m", i))
			k, _ := enter(t, s.base(i), &m)
			sockets = append(sockets, k)
		}
		before := s.redis.deadlines(t, admin.RoomID)
		if len(before) != 3 { // room, roomUser, online
			t.Errorf("keys before the start: %v", before)
		}
		for key, at := range before {
			if at != -1 {
				t.Errorf("before the start %s expires at %d", key, at)
			}
		}

		// All at the same moment.
		moment := make(chan struct{})
		var firsts sync.WaitGroup
		for i, k := range sockets {
			firsts.Go(func() {
				<-moment
				if err := k.write(fields{"type": "message", "message": fmt.Sprint("first of ", i), "id": 1}); err != nil {
					t.Error(err)
				}
			})
		}
		close(moment)
		firsts.Wait()
		var expires string
		for _, k := range sockets {
			f := k.await(t, "started")
			if expires == "" {
				expires = f.ExpiresAt
			}
			if f.ExpiresAt != expires || parseTime(t, f.ExpiresAt).Sub(parseTime(t, f.StartedAt)) != time.Minute {
				t.Errorf("started: %+v, to others until %s", f, expires)
			}
			until(t, waitTime, "all first messages", func() bool { return k.count("message") == clients })
		}
		deadline := parseTime(t, expires).UnixMilli()
		expectDeadline(t, s, &admin, deadline, "", ":messages:", ":roomUser:", ":online:", ":sent:")

		// Keys that go and come again.
		for _, k := range sockets {
			k.close()
		}
		until(t, waitTime, "nobody is online", func() bool {
			return !hasKey(s.redis.keys(t, admin.RoomID), ":online:")
		})
		late := s.api(1).join(t, admin.RoomID, "late")
		k, welcome := enter(t, s.base(1), &late)
		if welcome.Room.ExpiresAt == nil || *welcome.Room.ExpiresAt != expires {
			t.Errorf("later: %+v", welcome.Room)
		}
		k.send(t, fields{"type": "message", "message": "x", "id": 1})
		k.awaitText(t, "x")
		s.api(0).succeed(t, "/lockRoom", admin.credentials("locked", true))
		s.api(0).succeed(t, "/removeMember", admin.credentials("memberId", "m1"))
		expectDeadline(t, s, &admin, deadline, "", ":messages:", ":roomUser:", ":online:", ":sent:")
		for _, k := range sockets {
			if n := k.count("started"); n != 1 {
				t.Errorf("%d times started", n)
			}
		}
	}
	s.noErrors(t)
}

// TestDeadlineOfLateKeys is of a room that is started before anybody talks.
func TestDeadlineOfLateKeys(t *testing.T) {
	s := redisSite(t, unlimited)
	admin := s.api(0).create(t, 60)
	deadline := s.api(0).start(t, &admin).UnixMilli()
	expectDeadline(t, s, &admin, deadline, "", ":roomUser:")
	k, _ := enter(t, s.base(1), &admin)
	expectDeadline(t, s, &admin, deadline, "", ":roomUser:", ":online:")
	k.say(t, "without an id")
	k.awaitText(t, "without an id")
	expectDeadline(t, s, &admin, deadline, "", ":roomUser:", ":online:", ":messages:")
	k.send(t, fields{"type": "message", "message": "with an id", "id": 1})
	k.awaitText(t, "with an id")
	expectDeadline(t, s, &admin, deadline, "", ":roomUser:", ":online:", ":messages:", ":sent:")
	s.noErrors(t)
}

// expectDeadline fails the test unless exactly the keys of the kinds exist, and
// all of them expire at the deadline.
func expectDeadline(t *testing.T, s *site, m *member, deadline int64, kinds ...string) {
	t.Helper()
	found := s.redis.deadlines(t, m.RoomID)
	for key, at := range found {
		if at != deadline {
			t.Errorf("%s expires at %d, the room at %d", key, at, deadline)
		}
	}
	for _, kind := range kinds {
		name := "room" + kind + m.RoomID
		if kind == "" {
			name = "room:" + m.RoomID
		}
		if _, ok := found[name]; !ok {
			t.Errorf("no key %s among %v", name, found)
		}
	}
	if len(found) != len(kinds) {
		t.Errorf("keys: %v", found)
	}
}

func hasKey(keys []string, part string) bool {
	return slices.ContainsFunc(keys, func(key string) bool { return strings.Contains(key, part) })
}
