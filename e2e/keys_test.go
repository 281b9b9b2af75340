package e2e_test

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

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
		if len(before) != 4 { // room, roomUser, names, online
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
		expectDeadline(t, s, &admin, deadline, "", ":messages:", ":roomUser:", ":online:", ":sent:", ":names:")

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
		expectDeadline(t, s, &admin, deadline, "", ":messages:", ":roomUser:", ":online:", ":sent:", ":names:")
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
	expectDeadline(t, s, &admin, deadline, "", ":roomUser:", ":names:")
	k, _ := enter(t, s.base(1), &admin)
	expectDeadline(t, s, &admin, deadline, "", ":roomUser:", ":names:", ":online:")
	k.say(t, "without an id")
	k.awaitText(t, "without an id")
	expectDeadline(t, s, &admin, deadline, "", ":roomUser:", ":names:", ":online:", ":messages:")
	k.send(t, fields{"type": "message", "message": "with an id", "id": 1})
	k.awaitText(t, "with an id")
	expectDeadline(t, s, &admin, deadline, "", ":roomUser:", ":names:", ":online:", ":messages:", ":sent:")
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
