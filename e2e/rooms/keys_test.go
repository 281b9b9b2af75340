package rooms_test

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ephemeralchat/caddy-ephemeral-chat/e2e/harness"
)

// TestDeadlineOfKeys checks the expiry of a room's keys in Redis. Before the start none
// expires, afterwards all at the room's deadline.
func TestDeadlineOfKeys(t *testing.T) {
	t.Parallel() // mostly waits
	s := harness.RedisSite(t, harness.Unlimited)
	for range 3 {
		admin := s.API(0).Create(t, 60)
		const clients = 12
		sockets := s.JoinMany(t, admin.RoomID, clients)
		before := s.Redis.Deadlines(t, admin.RoomID)
		if len(before) != 4 { // room, roomUser, names, online
			t.Errorf("keys before the start: %v", before)
		}
		for key, at := range before {
			if at != -1 {
				t.Errorf("before the start %s expires at %d", key, at)
			}
		}

		// The first messages are sent at the same time.
		start := make(chan struct{})
		var firsts sync.WaitGroup
		for i, k := range sockets {
			firsts.Go(func() {
				<-start
				if err := k.Write(harness.Fields{"type": "message", "message": fmt.Sprint("first of ", i), "id": 1}); err != nil {
					t.Error(err)
				}
			})
		}
		close(start)
		firsts.Wait()
		var expires string
		for _, k := range sockets {
			f := k.Await(t, "started")
			if expires == "" {
				expires = f.ExpiresAt
			}
			if f.ExpiresAt != expires || harness.ParseTime(t, f.ExpiresAt).Sub(harness.ParseTime(t, f.StartedAt)) != time.Minute {
				t.Errorf("started: %+v, to others until %s", f, expires)
			}
			harness.Until(t, harness.WaitTime, "all first messages", func() bool { return k.Count("message") == clients })
		}
		deadline := harness.ParseTime(t, expires).UnixMilli()
		expectDeadline(t, s, &admin, deadline, "", ":messages:", ":roomUser:", ":online:", ":sent:", ":names:")

		// Keys are deleted and created again.
		for _, k := range sockets {
			k.Close()
		}
		harness.Until(t, harness.WaitTime, "no user is online", func() bool {
			return !hasKey(s.Redis.Keys(t, admin.RoomID), ":online:")
		})
		late := s.API(1).Join(t, admin.RoomID, "late")
		k, welcome := harness.Join(t, s.Base(1), &late)
		if welcome.Room.ExpiresAt == nil || *welcome.Room.ExpiresAt != expires {
			t.Errorf("later: %+v", welcome.Room)
		}
		k.Send(t, harness.Fields{"type": "message", "message": "x", "id": 1})
		k.AwaitText(t, "x")
		s.API(0).Succeed(t, "/lockRoom", admin.Credentials("locked", true))
		s.API(0).Succeed(t, "/removeMember", admin.Credentials("memberId", "m1"))
		expectDeadline(t, s, &admin, deadline, "", ":messages:", ":roomUser:", ":online:", ":sent:", ":names:")
		for _, k := range sockets {
			if n := k.Count("started"); n != 1 {
				t.Errorf("%d times started", n)
			}
		}
	}
	s.ExpectNoErrors(t)
}

// TestDeadlineOfLateKeys starts a room before its first message, so that keys are
// created after the start.
func TestDeadlineOfLateKeys(t *testing.T) {
	s := harness.RedisSite(t, harness.Unlimited)
	admin := s.API(0).Create(t, 60)
	deadline := s.API(0).Start(t, &admin).UnixMilli()
	expectDeadline(t, s, &admin, deadline, "", ":roomUser:", ":names:")
	k, _ := harness.Join(t, s.Base(1), &admin)
	expectDeadline(t, s, &admin, deadline, "", ":roomUser:", ":names:", ":online:")
	k.Publish(t, "without an id")
	k.AwaitText(t, "without an id")
	expectDeadline(t, s, &admin, deadline, "", ":roomUser:", ":names:", ":online:", ":messages:")
	k.Send(t, harness.Fields{"type": "message", "message": "with an id", "id": 1})
	k.AwaitText(t, "with an id")
	expectDeadline(t, s, &admin, deadline, "", ":roomUser:", ":names:", ":online:", ":messages:", ":sent:")
	s.ExpectNoErrors(t)
}

// expectDeadline fails the test unless the room has keys of exactly these kinds, and
// all of them expire at the deadline.
func expectDeadline(t *testing.T, s *harness.Site, m *harness.Member, deadline int64, kinds ...string) {
	t.Helper()
	found := s.Redis.Deadlines(t, m.RoomID)
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
