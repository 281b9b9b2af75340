package rooms_test

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/ephemeralchat/caddy-ephemeral-chat/e2e/harness"
)

const (
	shortLobby = 2 * time.Second
	// reapTime bounds the time from the end of a room's lobby time to its removal. The
	// janitor runs every 2 s; the machine may be busy.
	reapTime = 5 * time.Second
)

// lobbySites starts two sites with different lobby times and the same rooms. Rooms are
// in memory on one node, or in Redis on two nodes, each with both sites.
func lobbySites(t *testing.T, store string, server *harness.Redis) (short, long *harness.Site) {
	t.Helper()
	short, long = &harness.Site{Redis: server}, &harness.Site{Redis: server}
	nodes := 1
	if server != nil {
		nodes = 2
	}
	for range nodes {
		here, there := harness.FreeAddress(t), harness.FreeAddress(t)
		n := harness.StartNode(t, "", fmt.Sprintf(`
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
		short.Add(t, n, "http://"+here)
		long.Add(t, n, "http://"+there)
	}
	return short, long
}

// TestLobby checks that a room that is not started ends after its lobby time, and
// others do not.
func TestLobby(t *testing.T) {
	harness.OnBothBackends(t, func(t *testing.T, store string, server *harness.Redis) {
		t.Parallel() // mostly waits
		short, long := lobbySites(t, store, server)
		var all sync.WaitGroup
		for i := range 4 {
			unstarted := short.API(i).Create(t, 60)
			k, _ := harness.Join(t, short.Base(i+1), &unstarted)
			started := short.API(i).Create(t, 600)
			k2, _ := harness.Join(t, short.Base(i), &started)
			k2.Publish(t, "by a message")
			k2.AwaitText(t, "by a message")
			begun := short.API(i).Create(t, 600)
			short.API(i+1).Start(t, &begun)
			patient := long.API(i).Create(t, 60)
			queued := time.Now()

			all.Go(func() {
				f, ok := k.Wait(shortLobby+reapTime, func(f *harness.Frame) bool { return f.Type == "ended" })
				late := f.At.Sub(queued)
				if !ok || f.Reason != "expired" || late < shortLobby-100*time.Millisecond || late > shortLobby+reapTime {
					t.Errorf("unstarted: %+v after %s", f, late)
				}
				k.AwaitEnd()
				if k.Closing().Code != 4410 {
					t.Errorf("unstarted: %+v", k.Closing())
				}
				t.Logf("reaped %s after its lobby time", (late - shortLobby).Round(time.Millisecond))
				harness.ExpectNoRoom(t, short.API(i), &unstarted)
				harness.ExpectNoRoom(t, long.API(i+1), &unstarted)
				for _, m := range []*harness.Member{&started, &begun, &patient} {
					harness.ExpectStatus(t, "reaped as well", short.API(i).Call(t, "/joinRoom", m.Credentials()), 200)
				}
			})
		}
		all.Wait()
		if server != nil {
			awaitEmptyQueue(t, server)
		}
		short.ExpectNoErrors(t)
	})
}

// awaitEmptyQueue waits until the queue of the short lobby is empty.
func awaitEmptyQueue(t *testing.T, server *harness.Redis) {
	t.Helper()
	harness.Until(t, reapTime, "the queue is empty and not listed", func() bool {
		listed, err := server.Client().SMembers(t.Context(), "room:lobby:all").Result()
		if err != nil {
			t.Fatal(err)
		}
		queued, err := server.Client().LLen(t.Context(), "room:lobby:2").Result()
		if err != nil {
			t.Fatal(err)
		}
		return queued == 0 && len(listed) == 1 && listed[0] == "3600"
	})
}

// TestLobbyRace starts rooms at about the time at which their lobby time ends. A room
// whose start was answered with a deadline stays.
func TestLobbyRace(t *testing.T) {
	harness.OnBothBackends(t, func(t *testing.T, store string, server *harness.Redis) {
		t.Parallel() // mostly waits
		s, _ := lobbySites(t, store, server)
		const rooms = 60
		var all sync.WaitGroup
		var mu sync.Mutex
		outcomes := make(map[int]int)
		for i := range rooms {
			admin := s.API(i).Create(t, 600)
			k, _ := harness.Join(t, s.Base(i), &admin)
			// Some start before the end, some after. In memory a room ends on time;
			// with Redis the janitor runs every 2 s.
			step := 4 * time.Millisecond
			if server != nil {
				step = 40 * time.Millisecond
			}
			wait := shortLobby - 100*time.Millisecond + time.Duration(i)*step
			all.Go(func() {
				harness.Pace(t.Context(), wait)
				var status int
				if i%2 == 0 {
					status = s.API(i+1).Call(t, "/startChat", admin.Credentials()).Status
				} else {
					status = startBySocket(k)
				}
				mu.Lock()
				outcomes[status]++
				mu.Unlock()
				switch status {
				case 200:
					harness.Pace(t.Context(), reapTime)
					if got := s.API(i).Call(t, "/roomInfo", harness.Fields{"roomId": admin.RoomID}); got.Status != 200 || got.Fields["expiresAt"] == nil {
						t.Errorf("started, then gone: %d %s", got.Status, got.Body)
					}
					if !k.IsOpen() {
						t.Errorf("started, then closed: %+v", k.Closing())
					}
				case 404:
					harness.ExpectNoRoom(t, s.API(i), &admin)
					k.AwaitEnd()
					if k.Closing().Code != 4410 || k.Count("ended") != 1 {
						t.Errorf("reaped: %+v", k.Closing())
					}
				default:
					t.Errorf("answer is %d", status)
				}
			})
		}
		all.Wait()
		t.Logf("started %d, reaped before that %d", outcomes[200], outcomes[404])
		if outcomes[200] == 0 || outcomes[404] == 0 {
			t.Error("there was no race")
		}
		s.ExpectNoErrors(t)
	})
}

// startBySocket starts a room by its first message, and returns the status that
// /startChat would return.
func startBySocket(k *harness.Socket) int {
	_ = k.Write(harness.Fields{"type": "message", "message": "hello"}) // if that fails, the room has ended
	f, _ := k.Wait(harness.WaitTime, func(f *harness.Frame) bool { return f.Type == "message" || f.Type == "ended" })
	switch f.Type {
	case "message":
		return 200
	case "ended":
		return 404
	default:
		return 0
	}
}
