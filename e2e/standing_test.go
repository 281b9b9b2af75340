package e2e_test

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
)

// lounge is a standing room whose admins know a password.
const (
	lounge  = "lounge"
	barley  = "barley"
	declare = unlimited + `
		room lounge "The Lounge" {
			ttl %s
			admin_password ` + barley + `
		}`
)

// life is what a test knows of a life of the lounge.
type life struct {
	admin, ben member
	sockets    []*socket // the admin's on node 0, Ben's on the last
	said       []string
}

// live begins a life of the lounge, which must not be there.
func live(t *testing.T, s *site) *life {
	t.Helper()
	l := &life{ben: s.api(1).join(t, lounge, "ben")}
	s.api(0).succeed(t, "/joinRoom", fields{"roomId": lounge, "username": "anna", "password": barley}).decode(t, &l.admin)
	if l.admin.UserID != "anna" || l.admin.Role != "admin" || l.ben.UserID != "ben" || l.ben.Role != "member" {
		t.Fatalf("joined as %+v and %+v", l.admin, l.ben)
	}
	near, welcome := enter(t, s.base(0), &l.admin)
	expectEmpty(t, &welcome, 0)
	far, welcome := enter(t, s.base(1), &l.ben)
	expectEmpty(t, &welcome, 0)
	l.sockets = []*socket{near, far}
	return l
}

// expectEmpty fails the test if a welcome is of a room that had a life before the
// messages that it is to have.
func expectEmpty(t *testing.T, welcome *frame, messages uint64) {
	t.Helper()
	if welcome.Seq != messages || welcome.LastID != 0 || welcome.Room.Locked || len(welcome.Retracted) > 0 ||
		welcome.OnlineCount > 2 || (welcome.Room.StartedAt != nil) != (messages > 0) {
		t.Errorf("the life begins with %+v", welcome)
	}
}

// talk has both say something, from the first id on.
func (l *life) talk(t *testing.T, texts ...string) {
	t.Helper()
	for _, text := range texts {
		k := l.sockets[len(l.said)%len(l.sockets)]
		l.said = append(l.said, text)
		k.send(t, fields{"type": "message", "message": text, "id": len(l.said)})
		for _, k := range l.sockets {
			if f := k.awaitText(t, text); f.Seq != uint64(len(l.said)) {
				t.Errorf("%q has number %d, want %d", text, f.Seq, len(l.said))
			}
		}
	}
}

// expectEnded waits until a socket of a life was told of its end, and fails the test
// if it was told anything after that, or anything that was not said in this life.
func (l *life) expectEnded(t *testing.T, k *socket, reason string) {
	t.Helper()
	if f := k.await(t, "ended"); f.Reason != reason {
		t.Errorf("ended: %s, want %s", f.Reason, reason)
	}
	k.awaitClose(t, 4410)
	frames := k.all()
	if last := frames[len(frames)-1]; last.Type != "ended" {
		t.Errorf("after the end came %+v", last)
	}
	for _, f := range frames {
		if f.Type == "message" && !slices.Contains(l.said, f.Message) {
			t.Errorf("heard %q, which was said in another life", f.Message)
		}
	}
}

// expectVoid fails the test if a node lets somebody of a former life do anything.
func (l *life) expectVoid(t *testing.T, s *site) {
	t.Helper()
	for node := range s.nodes {
		for _, m := range []*member{&l.admin, &l.ben} {
			for endpoint, more := range map[string][]any{
				"/joinRoom": nil, "/startChat": nil, "/deleteRoom": nil, "/leaveRoom": nil,
				"/lockRoom": {"locked", true}, "/removeMember": {"memberId", "ben"},
			} {
				expectRefusal(t, s.api(node).call(t, endpoint, m.credentials(more...)), 401, "invalid_session")
			}
			k := dial(t, s.base(node))
			k.send(t, m.credentials("type", "join", "after", 0))
			k.awaitClose(t, 4401)
		}
	}
}

// expectKept fails the test unless every node has what was said in this life, and
// nothing else, for somebody who comes now.
func (l *life) expectKept(t *testing.T, s *site) {
	t.Helper()
	for node := range s.nodes {
		late := s.api(node).join(t, lounge, "late")
		k, welcome := enter(t, s.base(node), &late)
		var texts []string
		for _, m := range welcome.Messages {
			texts = append(texts, m.Message)
		}
		if !slices.Equal(texts, l.said) || welcome.Gap || len(welcome.Retracted) > 0 || welcome.Room.Locked {
			t.Errorf("node %d has %q, locked %v, retracted %v, want %q", node, texts, welcome.Room.Locked, welcome.Retracted, l.said)
		}
		k.close()
	}
}

// expectUntouched fails the test unless the life has both as its members, connected,
// and the deadline that they were told.
func (l *life) expectUntouched(t *testing.T, s *site, started *frame) {
	t.Helper()
	l.expectKept(t, s)
	for node := range s.nodes {
		for _, m := range []*member{&l.admin, &l.ben} {
			var back member
			s.api(node).succeed(t, "/joinRoom", m.credentials()).decode(t, &back)
			if back.UserID != m.UserID || back.Role != m.Role || *back.ExpiresAt != started.ExpiresAt {
				t.Errorf("node %d: comes back as %+v, until %s", node, back, *back.ExpiresAt)
			}
		}
	}
	deadline := parseTime(t, started.ExpiresAt).UnixMilli()
	for key, at := range s.redis.deadlines(t, lounge) {
		if at != deadline {
			t.Errorf("%s expires at %d, want %d", key, at, deadline)
		}
	}
	for i, k := range l.sockets {
		if !k.isOpen() {
			t.Errorf("socket %d: %+v", i, k.ending())
		}
		for _, f := range k.all() {
			switch f.Type {
			case "removed", "locked", "ended", "gap", "retracted":
				t.Errorf("socket %d was told %+v", i, f)
			}
		}
	}
}

// TestStandingRoom lets a room live by the clock, three times, with people connected
// over each end.
func TestStandingRoom(t *testing.T) {
	t.Parallel() // it waits most of the time
	onBoth(t, fmt.Sprintf(declare, "5s"), func(t *testing.T, s *site) {
		var former *life
		for n := range 3 {
			l := live(t, s)
			if former != nil {
				former.expectVoid(t, s)
			}
			l.talk(t, fmt.Sprint("first of life ", n), fmt.Sprint("second of life ", n), fmt.Sprint("third of life ", n))
			l.expectKept(t, s)
			s.api(1).succeed(t, "/removeMember", l.admin.credentials("memberId", "late"))
			s.api(1).succeed(t, "/lockRoom", l.admin.credentials("locked", true))
			for _, k := range l.sockets {
				l.expectEnded(t, k, "expired")
			}
			for node := range s.nodes {
				got := s.api(node).succeed(t, "/roomInfo", fields{"roomId": lounge})
				if got.fields["locked"] != false || got.fields["startedAt"] != nil {
					t.Errorf("between two lives: %s", got.body)
				}
				expectRefusal(t, s.api(node).call(t, "/joinRoom", l.ben.credentials()), 404, "room_not_found")
			}
			if s.redis != nil {
				if left := s.redis.deadlines(t, ":"+lounge); len(left) > 0 {
					t.Errorf("left: %v", left)
				}
			}
			former = l
		}
		s.noErrors(t)
	})
}

// TestStandingRoomAtOnce has many come at once, on all nodes, again and again: to one
// life each time.
func TestStandingRoomAtOnce(t *testing.T) {
	onBoth(t, fmt.Sprintf(declare, "1h"), func(t *testing.T, s *site) {
		for range 10 {
			var all [12]member
			gate := make(chan struct{})
			var coming sync.WaitGroup
			for i := range all {
				coming.Go(func() {
					<-gate
					s.api(i).succeed(t, "/joinRoom", fields{"roomId": lounge, "username": fmt.Sprint("m", i)}).decode(t, &all[i])
				})
			}
			close(gate)
			coming.Wait()
			for i := range all {
				// Whoever was let into another life would not be known in this one.
				if got := s.api(i+1).succeed(t, "/joinRoom", all[i].credentials()); got.fields["userId"] != fmt.Sprint("m", i) {
					t.Errorf("member %d comes back as %s", i, got.body)
				}
			}
			var admin member
			s.api(1).succeed(t, "/joinRoom", fields{"roomId": lounge, "password": barley}).decode(t, &admin)
			s.api(0).succeed(t, "/deleteRoom", admin.credentials())
		}
		s.noErrors(t)
	})
}

// TestStandingRoomPaused stops a node over the end of a life and the beginning of the
// next. Its client has said something meanwhile, which the node has yet to read.
func TestStandingRoomPaused(t *testing.T) {
	for reason, ttl := range map[string]string{"expired": "8s", "deleted": "1h"} {
		t.Run(reason, func(t *testing.T) {
			t.Parallel() // it waits most of the time
			s := redisSite(t, fmt.Sprintf(declare, ttl))
			first := live(t, s)
			if reason == "expired" {
				s.api(0).start(t, &first.admin) // without messages, so that the numbers of the next life would fit
			} else {
				first.talk(t, "one", "two")
			}
			s.nodes[1].pause(t)
			defer s.nodes[1].signal(t, syscall.SIGCONT) // or a failure would leave it stopped
			first.sockets[1].send(t, fields{"type": "message", "message": "too late", "id": 100})
			if reason == "deleted" {
				s.api(0).succeed(t, "/deleteRoom", first.admin.credentials())
			}
			first.expectEnded(t, first.sockets[0], reason)

			// The next life begins on the other node.
			second := &life{}
			s.api(0).succeed(t, "/joinRoom", fields{"roomId": lounge, "username": "anna", "password": barley}).decode(t, &second.admin)
			near, welcome := enter(t, s.base(0), &second.admin)
			expectEmpty(t, &welcome, 0)
			second.sockets = []*socket{near}
			second.talk(t, "of the second life", "and more of it")
			started := startOf(t, near)

			s.nodes[1].signal(t, syscall.SIGCONT)
			// Ben comes at once, to the node that has not heard of it all.
			second.ben = s.api(1).join(t, lounge, "ben")
			far, welcome := enter(t, s.base(1), &second.ben)
			expectEmpty(t, &welcome, 2)
			second.sockets = append(second.sockets, far)
			first.expectEnded(t, first.sockets[1], reason)
			second.expectUntouched(t, s, &started)
			first.expectVoid(t, s)
			s.noErrors(t)
		})
	}
}

// pause stops the process by SIGSTOP, and returns when it does nothing any more.
func (n *node) pause(t *testing.T) {
	t.Helper()
	n.signal(t, syscall.SIGSTOP)
	until(t, waitTime, "the process is stopped", func() bool {
		status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", n.cmd.Process.Pid))
		return err == nil && strings.Contains(string(status), "\nState:\tT")
	})
}

// startOf is what a socket was told of the start.
func startOf(t *testing.T, k *socket) frame {
	t.Helper()
	for _, f := range k.all() {
		if f.Type == "started" {
			return f
		}
	}
	t.Fatalf("no start among %s", k.summary())
	return frame{}
}

// TestStandingRoomBehindOutage cuts a node off from Redis over the end of a life and
// the beginning of the next. It knows of a lock, a removal and a deadline, which are
// not to come into the next life.
func TestStandingRoomBehindOutage(t *testing.T) {
	for name, how := range map[string]outage{"refused": refused, "silent": silent} {
		t.Run(name, func(t *testing.T) {
			t.Parallel() // it waits most of the time
			server := startRedis(t)
			link := startProxy(t, server.address)
			s := startSite(t, server, fmt.Sprintf(declare, "1h"), server.address, link.address)
			first := live(t, s)
			first.talk(t, "one", "two", "three")
			other := s.api(0).join(t, lounge, "carla")
			s.api(1).succeed(t, "/removeMember", first.admin.credentials("memberId", other.UserID))
			s.api(1).succeed(t, "/lockRoom", first.admin.credentials("locked", true))
			for _, k := range first.sockets {
				k.await(t, "locked")
			}

			link.set(how)
			s.api(0).succeed(t, "/deleteRoom", first.admin.credentials())
			first.expectEnded(t, first.sockets[0], "deleted")
			first.sockets[1].send(t, fields{"type": "message", "message": "too late", "id": 100})
			if f := first.sockets[1].await(t, "error"); f.Code != "unavailable" {
				t.Errorf("behind the outage: %+v", f)
			}
			second := &life{ben: s.api(0).join(t, lounge, "ben")}
			s.api(0).succeed(t, "/joinRoom", fields{"roomId": lounge, "username": "anna", "password": barley}).decode(t, &second.admin)
			if carla := s.api(0).join(t, lounge, "carla"); carla.UserID != "carla" {
				t.Errorf("the name of somebody who was removed in the former life is taken: %s", carla.UserID)
			}
			for _, m := range []*member{&second.admin, &second.ben} {
				k, welcome := enter(t, s.base(0), m)
				expectEmpty(t, &welcome, 0)
				second.sockets = append(second.sockets, k)
			}
			second.talk(t, "of the second life")

			link.set(noOutage)
			first.expectEnded(t, first.sockets[1], "deleted")
			until(t, recoveryTime, "node 1 works again", func() bool {
				return s.api(1).call(t, "/roomInfo", fields{"roomId": lounge}).status == 200
			})
			second.talk(t, "still here")
			first.expectVoid(t, s)
			started := startOf(t, second.sockets[0])
			second.expectUntouched(t, s, &started)
			for node := range s.nodes {
				if late := s.api(node).join(t, lounge, "carla"); late.UserID == "carla" {
					t.Errorf("node %d gives the name of a member away", node)
				}
			}
			s.noErrors(t)
		})
	}
}
