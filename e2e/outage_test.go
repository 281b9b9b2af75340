package e2e_test

import (
	"fmt"
	"syscall"
	"testing"
	"time"
)

// recoveryTime is in which talk must go on after Redis is back.
const recoveryTime = 10 * time.Second

// TestRedisKilled kills Redis under load, several times.
func TestRedisKilled(t *testing.T) {
	server := startRedis(t, "--appendonly", "yes", "--appendfsync", "always")
	s := startSite(t, server, unlimited, server.address, server.address)
	admin := s.api(0).create(t, 600)
	talkers := []*talker{startTalker(t, admin, s.base(0))}
	for i := range 6 {
		m := s.api(i).join(t, admin.RoomID, fmt.Sprint("talker", i))
		talkers = append(talkers, startTalker(t, m, s.base(i)))
	}
	// A room that nobody talks in has to survive as well.
	quiet := s.api(0).create(t, 600)
	listener, _ := enter(t, s.base(1), &quiet)

	stopTalking := keepTalking(10*time.Millisecond, talkers...)
	for range 3 {
		grow(t, talkers, 50, waitTime)
		server.kill(t)
		stays(t, 1500*time.Millisecond, "sockets stay open", func() bool { return visits(talkers) == len(talkers) })
		for i := range s.nodes {
			for endpoint, request := range map[string]fields{
				"/createRoom": {"roomName": "r"}, "/roomInfo": {"roomId": admin.RoomID}, "/joinRoom": {"roomId": admin.RoomID},
				"/startChat": admin.credentials(), "/deleteRoom": admin.credentials(), "/leaveRoom": admin.credentials(),
				"/lockRoom": admin.credentials("locked", true), "/removeMember": admin.credentials("memberId", "talker1"),
			} {
				got := s.api(i).call(t, endpoint, request)
				expectRefusal(t, got, 503, "unavailable")
				if got.header.Get("Retry-After") == "" {
					t.Errorf("%s: no Retry-After", endpoint)
				}
			}
		}
		server.start(t)
		back := time.Now()
		grow(t, talkers, 1, recoveryTime)
		t.Logf("everybody hears the others again %s after Redis answers", time.Since(back).Round(time.Millisecond))
	}
	stopTalking()
	awaitSettled(t, 30*time.Second, talkers...)
	checkConversation(t, talkers...)
	for _, k := range talkers {
		if k.visitCount() != 1 {
			t.Errorf("%s was connected %d times; %+v", k.member.UserID, k.visitCount(), k.end)
		}
		if k.count(func() int { return k.refused }) == 0 {
			t.Errorf("%s was never told unavailable", k.member.UserID)
		}
	}
	listener.say(t, "quiet")
	listener.awaitText(t, "quiet")
}

// visits returns how many connections the talkers have had in all.
func visits(talkers []*talker) int {
	n := 0
	for _, k := range talkers {
		n += k.visitCount()
	}
	return n
}

// grow waits until each talker has heard more messages, so many of them, and
// has had one of its own stored that it says now.
func grow(t *testing.T, talkers []*talker, by int, within time.Duration) {
	t.Helper()
	var before []int
	ids := make([]uint64, len(talkers))
	for _, k := range talkers {
		before = append(before, k.heardCount())
	}
	for i, k := range talkers {
		k.say("grow")
		ids[i] = k.newestID()
	}
	for i, k := range talkers {
		if !poll(within, func() bool { return k.heardCount() >= before[i]+by && k.isStored(ids[i]) }) {
			t.Fatalf("not within %s heard: %s", within, k.state())
		}
	}
}

// TestRedisStops lets Redis hang until nodes give up on it, and then go on. It
// carries out what was asked of it meanwhile, which the nodes had to take for
// lost.
func TestRedisStops(t *testing.T) {
	t.Parallel() // it waits most of the time
	server := startRedis(t)
	s := startSite(t, server, unlimited, server.address, server.address)
	admin := s.api(0).create(t, 600)
	ben := s.api(0).join(t, admin.RoomID, "ben")
	talkers := []*talker{startTalker(t, admin, s.base(0)), startTalker(t, ben, s.base(1))}
	grow(t, talkers, 2, waitTime)
	server.signal(t, syscall.SIGSTOP)
	for n := range 5 {
		for _, k := range talkers {
			k.say(fmt.Sprintf("%d while Redis hangs", n))
		}
	}
	until(t, 2*waitTime, "both are told unavailable", func() bool {
		for _, k := range talkers {
			if k.count(func() int { return k.refused }) == 0 {
				return false
			}
		}
		return true
	})
	server.signal(t, syscall.SIGCONT)
	back := time.Now()
	grow(t, talkers, 2, recoveryTime)
	t.Logf("everybody hears the others again %s after Redis goes on", time.Since(back).Round(time.Millisecond))
	awaitSettled(t, 30*time.Second, talkers...)
	checkConversation(t, talkers...)
	if n := visits(talkers); n != 2 {
		t.Errorf("%d connections", n)
	}
}

// TestLateStored is of a message that was answered unavailable and then turns
// out to be stored: the sender sees its echo and has nothing to say again, and
// what it says next must be heard.
func TestLateStored(t *testing.T) {
	t.Parallel() // it waits most of the time
	server := startRedis(t)
	s := startSite(t, server, unlimited, server.address)
	admin := s.api(0).create(t, 600)
	k, _ := enter(t, s.base(0), &admin)
	k.send(t, fields{"type": "message", "message": "one", "id": 1})
	k.awaitText(t, "one")
	server.signal(t, syscall.SIGSTOP)
	k.send(t, fields{"type": "message", "message": "two", "id": 2})
	if f := k.await(t, "error"); f.Code != "unavailable" || f.ID != 2 {
		t.Errorf("while Redis hangs: %+v", f)
	}
	server.signal(t, syscall.SIGCONT)
	if _, ok := k.expect(5*time.Second, func(f *frame) bool { return f.Message == "two" }); !ok {
		// It was lost instead; then it is said again.
		k.send(t, fields{"type": "message", "message": "two", "id": 2})
		k.awaitText(t, "two")
	}
	until(t, recoveryTime, "the next message is heard", func() bool {
		k.send(t, fields{"type": "message", "message": "three", "id": 3})
		f, _ := k.expect(waitTime, func(f *frame) bool { return f.ID == 3 && f.Type != "typing" })
		return f.Type == "message" || f.Type == "ack"
	})
	messages := 0
	for _, f := range k.all() {
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

// TestStartWithoutRedis starts nodes before there is a Redis.
func TestStartWithoutRedis(t *testing.T) {
	t.Parallel() // it waits most of the time
	server := startRedis(t)
	link := startProxy(t, server.address)
	link.set(refused)
	s := startSite(t, server, unlimited, link.address)
	expectRefusal(t, s.api(0).call(t, "/createRoom", fields{"roomName": "r"}), 503, "unavailable")
	k := dial(t, s.base(0))
	k.send(t, fields{"type": "join", "roomId": "AAAAAAAAAAAAAAAAAAAAAA", "userId": "a", "sessionId": "b"})
	k.awaitClose(t, 1013)
	link.set(noOutage)
	until(t, recoveryTime, "rooms can be made", func() bool {
		return s.api(0).call(t, "/createRoom", fields{"roomName": "r"}).status == 200
	})
	admin := s.api(0).create(t, 60)
	k, _ = enter(t, s.base(0), &admin)
	k.say(t, "hello")
	k.awaitText(t, "hello")
}

// TestDeadlineBehindOutage is of a room whose deadline comes when Redis cannot
// be asked: it ends all the same, by the node's own estimate.
func TestDeadlineBehindOutage(t *testing.T) {
	for name, how := range map[string]outage{"refused": refused, "silent": silent} {
		t.Run(name, func(t *testing.T) {
			t.Parallel() // it waits most of the time
			server := startRedis(t)
			link := startProxy(t, server.address)
			s := startSite(t, server, unlimited, server.address, link.address)
			admin := s.api(0).create(t, 4)
			ben := s.api(0).join(t, admin.RoomID, "ben")
			near, _ := enter(t, s.base(0), &admin)
			far, _ := enter(t, s.base(1), &ben)
			near.say(t, "hello")
			far.awaitText(t, "hello")
			expires := s.api(1).start(t, &admin)
			link.set(how)
			for i, k := range []*socket{near, far} {
				f := k.await(t, "ended")
				late := f.at.Sub(expires)
				t.Logf("node %d: ended comes %s after the deadline", i, late.Round(time.Millisecond))
				if f.Reason != "expired" || late < 0 || late > endTime {
					t.Errorf("node %d: %+v, %s after the deadline", i, f, late)
				}
				k.awaitClose(t, 4410)
			}
			link.set(noOutage)
			until(t, recoveryTime, "node 1 works again", func() bool {
				return s.api(1).call(t, "/roomInfo", fields{"roomId": admin.RoomID}).status == 404
			})
		})
	}
}
