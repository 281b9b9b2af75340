package e2e_test

import (
	"fmt"
	"sync"
	"testing"
	"time"
)

const (
	shortLobby = 2 * time.Second
	// reapTime is in which a room whose lobby time is over must be gone: the
	// janitor comes by every 2 s, on a machine that is busy.
	reapTime = 5 * time.Second
)

// lobbySites starts two sites with different lobbies, with the same rooms: in
// memory on one node, or in Redis on two nodes with both of the sites each.
func lobbySites(t *testing.T, inRedis bool) (short, long *site) {
	t.Helper()
	short, long = new(site), new(site)
	store, nodes := "store memory", 1
	if inRedis {
		server := startRedis(t)
		short.redis, long.redis = server, server
		store, nodes = "redis "+server.address, 2
	}
	for range nodes {
		here, there := freeAddress(t), freeAddress(t)
		n := startNode(t, "", fmt.Sprintf(`
http://%s {
	ephemeral_chat {
		%s
		lobby 2s
		create_rate off
	}
}
http://%s {
	ephemeral_chat {
		%s
		lobby 1h
		create_rate off
	}
}`, here, store, there, store), here, there)
		short.add(t, n, "http://"+here)
		long.add(t, n, "http://"+there)
	}
	return short, long
}

func TestLobby(t *testing.T) {
	for _, kind := range []string{"memory", "redis"} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel() // it waits most of the time
			short, long := lobbySites(t, kind == "redis")
			var all sync.WaitGroup
			for i := range 4 {
				unstarted := short.api(i).create(t, 60)
				k, _ := enter(t, short.base(i+1), &unstarted)
				started := short.api(i).create(t, 600)
				talk, _ := enter(t, short.base(i), &started)
				talk.say(t, "by a message")
				talk.awaitText(t, "by a message")
				begun := short.api(i).create(t, 600)
				short.api(i+1).start(t, &begun)
				patient := long.api(i).create(t, 60)
				queued := time.Now()

				all.Go(func() {
					f, ok := k.expect(shortLobby+reapTime, func(f *frame) bool { return f.Type == "ended" })
					late := f.at.Sub(queued)
					if !ok || f.Reason != "expired" || late < shortLobby-100*time.Millisecond || late > shortLobby+reapTime {
						t.Errorf("unstarted: %+v after %s", f, late)
					}
					k.awaitEnd()
					if k.ending().code != 4410 {
						t.Errorf("unstarted: %+v", k.ending())
					}
					t.Logf("reaped %s after its lobby time", (late - shortLobby).Round(time.Millisecond))
					expectNowhere(t, short.api(i), &unstarted)
					expectNowhere(t, long.api(i+1), &unstarted)
					for _, m := range []*member{&started, &begun, &patient} {
						if got := short.api(i).call(t, "/joinRoom", m.credentials()); got.status != 200 {
							t.Errorf("reaped as well: %d %s", got.status, got.body)
						}
					}
				})
			}
			all.Wait()
			if short.redis != nil {
				nothingQueued(t, short.redis)
			}
			short.noErrors(t)
		})
	}
}

// nothingQueued waits until the queue of the short lobby is empty.
func nothingQueued(t *testing.T, server *redisServer) {
	t.Helper()
	until(t, reapTime, "the queue is empty and not listed", func() bool {
		listed, err := server.client.SMembers(t.Context(), "room:lobby:all").Result()
		if err != nil {
			t.Fatal(err)
		}
		queued, err := server.client.LLen(t.Context(), "room:lobby:2").Result()
		if err != nil {
			t.Fatal(err)
		}
		return queued == 0 && len(listed) == 1 && listed[0] == "3600"
	})
}

// TestLobbyRace starts rooms at the moment at which they are reaped. A start
// that was answered with a deadline holds.
func TestLobbyRace(t *testing.T) {
	for _, kind := range []string{"memory", "redis"} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel() // it waits most of the time
			s, _ := lobbySites(t, kind == "redis")
			const rooms = 60
			var all sync.WaitGroup
			var mu sync.Mutex
			outcomes := make(map[int]int)
			for i := range rooms {
				admin := s.api(i).create(t, 600)
				k, _ := enter(t, s.base(i), &admin)
				// Some before, some after. In memory a room ends on time; the
				// janitors of Redis come by every 2 s.
				step := 4 * time.Millisecond
				if s.redis != nil {
					step = 40 * time.Millisecond
				}
				wait := shortLobby - 100*time.Millisecond + time.Duration(i)*step
				all.Go(func() {
					pause(t.Context(), wait)
					var status int
					if i%2 == 0 {
						status = s.api(i+1).call(t, "/startChat", admin.credentials()).status
					} else {
						status = startBySocket(k)
					}
					mu.Lock()
					outcomes[status]++
					mu.Unlock()
					switch status {
					case 200:
						pause(t.Context(), reapTime)
						if got := s.api(i).call(t, "/roomInfo", fields{"roomId": admin.RoomID}); got.status != 200 || got.fields["expiresAt"] == nil {
							t.Errorf("started, then gone: %d %s", got.status, got.body)
						}
						if !k.isOpen() {
							t.Errorf("started, then closed: %+v", k.ending())
						}
					case 404:
						expectNowhere(t, s.api(i), &admin)
						k.awaitEnd()
						if k.ending().code != 4410 || k.count("ended") != 1 {
							t.Errorf("reaped: %+v", k.ending())
						}
					default:
						t.Errorf("answer is %d", status)
					}
				})
			}
			all.Wait()
			t.Logf("started %d, reaped before that %d", outcomes[200], outcomes[404])
			if outcomes[200] == 0 || outcomes[404] == 0 {
				t.Error("nothing has raced")
			}
			s.noErrors(t)
		})
	}
}

// startBySocket starts a room by its first message, and returns what the
// endpoint would.
func startBySocket(k *socket) int {
	_ = k.write(fields{"type": "message", "message": "hello"}) // if that fails, the room has ended
	f, _ := k.expect(waitTime, func(f *frame) bool { return f.Type == "message" || f.Type == "ended" })
	switch f.Type {
	case "message":
		return 200
	case "ended":
		return 404
	default:
		return 0
	}
}

// awaitEnd waits for the end of the connection.
func (s *socket) awaitEnd() {
	timer := time.NewTimer(waitTime)
	defer timer.Stop()
	select {
	case <-s.done:
	case <-timer.C:
	}
}
