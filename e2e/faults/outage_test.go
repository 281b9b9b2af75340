package faults_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/ephemeralchat/caddy-ephemeral-chat/e2e/harness"
)

// TestRedisKilled kills and restarts Redis under load, several times. Connections stay
// open, requests are answered "unavailable", and no message is lost.
func TestRedisKilled(t *testing.T) {
	server := harness.StartRedisWith(t, harness.RedisOptions{AOF: true})
	s := harness.StartSite(t, server, harness.Unlimited, server.Addr(), server.Addr())
	admin := s.API(0).Create(t, 600)
	clients := []*harness.ProtocolClient{harness.StartClient(t, admin, s.Base(0))}
	for i := range 6 {
		m := s.API(i).Join(t, admin.RoomID, fmt.Sprint("client", i))
		clients = append(clients, harness.StartClient(t, m, s.Base(i)))
	}
	// A room without messages has to survive as well.
	quiet := s.API(0).Create(t, 600)
	listener, _ := harness.Join(t, s.Base(1), &quiet)

	stopPublishing := harness.KeepPublishing(10*time.Millisecond, clients...)
	for range 3 {
		expectProgress(t, clients, 50, harness.WaitTime)
		server.Kill(t)
		harness.Stays(t, 1500*time.Millisecond, "sockets stay open", func() bool { return connections(clients) == len(clients) })
		for i := range s.Nodes {
			for endpoint, request := range map[string]harness.Fields{
				"/createRoom": {"roomName": "r"}, "/roomInfo": {"roomId": admin.RoomID}, "/joinRoom": {"roomId": admin.RoomID},
				"/startChat": admin.Credentials(), "/deleteRoom": admin.Credentials(), "/leaveRoom": admin.Credentials(),
				"/lockRoom": admin.Credentials("locked", true), "/removeMember": admin.Credentials("memberId", "client1"),
			} {
				got := s.API(i).Call(t, endpoint, request)
				harness.ExpectProblem(t, got, 503, "unavailable")
				if got.Header.Get("Retry-After") == "" {
					t.Errorf("%s: no Retry-After", endpoint)
				}
			}
		}
		server.Restart(t)
		back := time.Now()
		expectProgress(t, clients, 1, harness.RecoveryTime)
		t.Logf("all clients receive messages %s after Redis answers", time.Since(back).Round(time.Millisecond))
	}
	stopPublishing()
	harness.AwaitDelivered(t, 30*time.Second, clients...)
	harness.CheckTranscripts(t, clients...)
	for _, k := range clients {
		if k.Connections() != 1 {
			t.Errorf("%s was connected %d times; %+v", k.UserID(), k.Connections(), k.Closing())
		}
		if k.Unavailable() == 0 {
			t.Errorf("%s has received no error unavailable", k.UserID())
		}
	}
	listener.Publish(t, "quiet")
	listener.AwaitText(t, "quiet")
}

// connections returns the number of connections that the clients have had.
func connections(clients []*harness.ProtocolClient) int {
	n := 0
	for _, k := range clients {
		n += k.Connections()
	}
	return n
}

// expectProgress waits until each client has received a number of further messages, and
// has seen a message stored that it publishes now.
func expectProgress(t *testing.T, clients []*harness.ProtocolClient, by int, within time.Duration) {
	t.Helper()
	var before []int
	ids := make([]uint64, len(clients))
	for _, k := range clients {
		before = append(before, len(k.Received()))
	}
	for i, k := range clients {
		ids[i] = k.Publish("progress")
	}
	for i, k := range clients {
		if !harness.Poll(within, func() bool { return len(k.Received()) >= before[i]+by && k.IsStored(ids[i]) }) {
			t.Fatalf("no progress within %s: %s", within, k)
		}
	}
}

// TestRedisStops lets Redis hang until its connections time out, and then go on. Redis
// then executes the commands that the nodes had to take for lost.
func TestRedisStops(t *testing.T) {
	t.Parallel() // mostly waits
	server := harness.StartRedis(t)
	s := harness.StartSite(t, server, harness.Unlimited, server.Addr(), server.Addr())
	admin := s.API(0).Create(t, 600)
	ben := s.API(0).Join(t, admin.RoomID, "ben")
	clients := []*harness.ProtocolClient{harness.StartClient(t, admin, s.Base(0)), harness.StartClient(t, ben, s.Base(1))}
	expectProgress(t, clients, 2, harness.WaitTime)
	server.Pause(t)
	for n := range 5 {
		for _, k := range clients {
			k.Publish(fmt.Sprintf("%d while Redis hangs", n))
		}
	}
	harness.Until(t, 2*harness.WaitTime, "both receive an error unavailable", func() bool {
		for _, k := range clients {
			if k.Unavailable() == 0 {
				return false
			}
		}
		return true
	})
	server.Resume(t)
	back := time.Now()
	expectProgress(t, clients, 2, harness.RecoveryTime)
	t.Logf("all clients receive messages %s after Redis goes on", time.Since(back).Round(time.Millisecond))
	harness.AwaitDelivered(t, 30*time.Second, clients...)
	harness.CheckTranscripts(t, clients...)
	if n := connections(clients); n != 2 {
		t.Errorf("%d connections", n)
	}
}

// TestLateStored checks a message that is answered "unavailable" and stored later. The
// sender receives its echo and does not resend it, and its next message must arrive.
func TestLateStored(t *testing.T) {
	t.Parallel() // mostly waits
	server := harness.StartRedis(t)
	s := harness.StartSite(t, server, harness.Unlimited, server.Addr())
	admin := s.API(0).Create(t, 600)
	k, _ := harness.Join(t, s.Base(0), &admin)
	k.Send(t, harness.Fields{"type": "message", "message": "one", "id": 1})
	k.AwaitText(t, "one")
	server.Pause(t)
	k.Send(t, harness.Fields{"type": "message", "message": "two", "id": 2})
	if f := k.Await(t, "error"); f.Code != "unavailable" || f.ID != 2 {
		t.Errorf("while Redis hangs: %+v", f)
	}
	server.Resume(t)
	if _, ok := k.Wait(5*time.Second, func(f *harness.Frame) bool { return f.Message == "two" }); !ok {
		// It was lost instead; then it is resent.
		k.Send(t, harness.Fields{"type": "message", "message": "two", "id": 2})
		k.AwaitText(t, "two")
	}
	harness.Until(t, harness.RecoveryTime, "the next message arrives", func() bool {
		k.Send(t, harness.Fields{"type": "message", "message": "three", "id": 3})
		f, _ := k.Wait(harness.WaitTime, func(f *harness.Frame) bool { return f.ID == 3 && f.Type != "typing" })
		return f.Type == "message" || f.Type == "ack"
	})
	messages := 0
	for _, f := range k.Frames() {
		if f.Type == "message" {
			messages++
			if f.Seq != uint64(messages) {
				t.Errorf("message %d comes as number %d", f.Seq, messages)
			}
		}
	}
	if messages != 3 {
		t.Errorf("%d messages", messages)
	}
}

// TestStartWithoutRedis starts a node before Redis is reachable.
func TestStartWithoutRedis(t *testing.T) {
	t.Parallel() // mostly waits
	server := harness.StartRedis(t)
	proxy := harness.StartProxy(t, server.Addr())
	proxy.Set(harness.Refused)
	s := harness.StartSite(t, server, harness.Unlimited, proxy.Addr())
	harness.ExpectProblem(t, s.API(0).Call(t, "/createRoom", harness.Fields{"roomName": "r"}), 503, "unavailable")
	k := harness.Dial(t, s.Base(0))
	k.Send(t, harness.Fields{"type": "join", "roomId": "AAAAAAAAAAAAAAAAAAAAAA", "userId": "a", "sessionId": "b"})
	k.AwaitClose(t, 1013)
	proxy.Set(harness.NoOutage)
	harness.Until(t, harness.RecoveryTime, "rooms can be created", func() bool {
		return s.API(0).Call(t, "/createRoom", harness.Fields{"roomName": "r"}).Status == 200
	})
	admin := s.API(0).Create(t, 60)
	k, _ = harness.Join(t, s.Base(0), &admin)
	k.Publish(t, "hello")
	k.AwaitText(t, "hello")
}

// TestDeadlineBehindOutage has a room expire while its node cannot reach Redis. It ends
// in time, by the node's own estimate.
func TestDeadlineBehindOutage(t *testing.T) {
	harness.BehindOutage(t, func(t *testing.T, s *harness.Site, proxy *harness.Proxy, outage harness.Outage) {
		admin := s.API(0).Create(t, 4)
		ben := s.API(0).Join(t, admin.RoomID, "ben")
		near, _ := harness.Join(t, s.Base(0), &admin)
		far, _ := harness.Join(t, s.Base(1), &ben)
		near.Publish(t, "hello")
		far.AwaitText(t, "hello")
		expires := s.API(1).Start(t, &admin)
		proxy.Set(outage)
		for i, k := range []*harness.Socket{near, far} {
			f := k.Await(t, "ended")
			late := f.At.Sub(expires)
			t.Logf("node %d: ended comes %s after the deadline", i, late.Round(time.Millisecond))
			if f.Reason != "expired" || late < 0 || late > harness.EndTime {
				t.Errorf("node %d: %+v, %s after the deadline", i, f, late)
			}
			k.AwaitClose(t, 4410)
		}
		proxy.Set(harness.NoOutage)
		harness.Until(t, harness.RecoveryTime, "node 1 works again", func() bool {
			return s.API(1).Call(t, "/roomInfo", harness.Fields{"roomId": admin.RoomID}).Status == 404
		})
	})
}
