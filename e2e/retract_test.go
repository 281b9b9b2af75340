package e2e_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

// TestRetract is of messages that are taken back, over two nodes: everybody is
// told, whoever comes later is not given the text, and nothing of it is left.
func TestRetract(t *testing.T) {
	t.Parallel() // it waits most of the time
	onBoth(t, unlimited, func(t *testing.T, s *site) {
		admin := s.api(0).create(t, 600)
		ben := s.api(1).join(t, admin.RoomID, "ben")
		owner, _ := enter(t, s.base(0), &admin)
		bens, _ := enter(t, s.base(1), &ben)
		secrets := []string{"meet me at the old mill", "the password is swordfish"}
		bens.send(t, fields{"type": "message", "message": secrets[0], "id": 1})
		owner.awaitText(t, secrets[0])
		owner.say(t, secrets[1])
		bens.awaitText(t, secrets[1])
		owner.say(t, "stays")
		bens.awaitText(t, "stays")
		if s.redis != nil {
			for _, secret := range secrets {
				if !strings.Contains(s.redis.values(t), secret) {
					t.Errorf("%q is not in Redis before it is taken back: the test proves nothing", secret)
				}
			}
		}

		bens.send(t, fields{"type": "retract", "seq": 2})
		if f := bens.await(t, "error"); f.Code != "not_admin" || f.Seq != 2 {
			t.Errorf("of somebody else: %+v", f)
		}
		bens.send(t, fields{"type": "retract", "seq": 4})
		if f := bens.await(t, "error"); f.Code != "message_not_found" || f.Seq != 4 {
			t.Errorf("of nobody: %+v", f)
		}
		bens.send(t, fields{"type": "retract", "seq": 1})
		for _, k := range []*socket{owner, bens} {
			if f := k.await(t, "retracted"); f.Seq != 1 {
				t.Errorf("told of %d, want 1", f.Seq)
			}
		}
		// Once more, and of the other, by the admin on the other node.
		var tab member
		s.api(1).succeed(t, "/joinRoom", admin.credentials()).decode(t, &tab)
		other, _ := enter(t, s.base(1), &tab)
		other.send(t, fields{"type": "retract", "seq": 1})
		other.send(t, fields{"type": "retract", "seq": 2})
		for _, k := range []*socket{owner, bens, other} {
			if f := k.await(t, "retracted"); f.Seq != 2 {
				t.Errorf("told of %d, want 2", f.Seq)
			}
		}

		if s.redis != nil {
			values := s.redis.values(t)
			for _, secret := range secrets {
				if at := strings.Index(values, secret); at >= 0 {
					t.Errorf("left in Redis: %s", values[max(0, at-200):at+len(secret)])
				}
			}
			if !strings.Contains(values, "stays") {
				t.Error("what was not taken back is gone")
			}
		}
		for i := range 2 {
			m := s.api(i).join(t, admin.RoomID, fmt.Sprint("late", i))
			k, welcome := enter(t, s.base(i), &m)
			expectTakenBack(t, welcome.Messages, 1, 2)
			if !slices.Equal(welcome.Retracted, numbers{1, 2}) {
				t.Errorf("node %d: a newcomer is told that %v were retracted", i, welcome.Retracted)
			}
			k.send(t, fields{"type": "history"})
			expectTakenBack(t, k.await(t, "history").Messages, 1, 2)
			_, welcome = resume(t, s.base(i), &m, 3, welcome.Epoch)
			if !slices.Equal(welcome.Retracted, numbers{1, 2}) || len(welcome.Messages) > 0 {
				t.Errorf("node %d: who comes back is told %+v", i, welcome)
			}
		}
		if n := owner.count("retracted"); n != 2 {
			t.Errorf("told %d times of two messages", n)
		}
		s.noErrors(t)
	})
}

// expectTakenBack fails the test unless exactly these messages have been taken
// back.
func expectTakenBack(t *testing.T, messages []entry, want ...uint64) {
	t.Helper()
	if len(messages) != 3 {
		t.Errorf("messages: %+v", messages)
	}
	for _, m := range messages {
		back := slices.Contains(want, m.Seq)
		if m.Retracted != back || (m.Message == "") != back || m.UserID == "" || m.Timestamp == "" {
			t.Errorf("taken back %v: %+v", back, m)
		}
	}
}

// heardRetracted is how often a client was told that a message was taken back.
func (s *socket) heardRetracted(seq uint64) int {
	n := 0
	for _, f := range s.all() {
		if f.Type == "retracted" && f.Seq == seq {
			n++
		}
	}
	return n
}

// TestRetractBehindOutage takes messages back while a node is cut off from Redis:
// its clients are told when it is back, and nobody is told of a gap.
func TestRetractBehindOutage(t *testing.T) {
	for name, how := range map[string]outage{"refused": refused, "silent": silent} {
		t.Run(name, func(t *testing.T) {
			t.Parallel() // it waits most of the time
			server := startRedis(t)
			link := startProxy(t, server.address)
			s := startSite(t, server, unlimited, server.address, link.address)
			admin := s.api(0).create(t, 600)
			ben := s.api(1).join(t, admin.RoomID, "ben")
			owner, _ := enter(t, s.base(0), &admin)
			bens, _ := enter(t, s.base(1), &ben)
			bens.say(t, "one")
			owner.awaitText(t, "one")
			owner.say(t, "two")
			bens.awaitText(t, "two")
			link.set(how)
			owner.send(t, fields{"type": "retract", "seq": 2})
			owner.await(t, "retracted")
			owner.say(t, "three")
			owner.awaitText(t, "three")
			owner.send(t, fields{"type": "retract", "seq": 3})
			owner.await(t, "retracted")
			bens.send(t, fields{"type": "retract", "seq": 1})
			if f := bens.await(t, "error"); f.Code != "unavailable" || f.Seq != 1 {
				t.Errorf("while Redis is away: %+v", f)
			}
			link.set(noOutage)
			if f := bens.await(t, "message"); f.Seq != 3 || f.Message != "" {
				t.Errorf("a message that was taken back meanwhile: %+v", f)
			}
			// What was answered unavailable may have happened.
			bens.send(t, fields{"type": "retract", "seq": 1})
			for _, k := range []*socket{owner, bens} {
				for _, seq := range []uint64{1, 2} {
					until(t, waitTime, fmt.Sprint("the retraction of ", seq), func() bool { return k.heardRetracted(seq) == 1 })
				}
				if n := k.count("gap"); n > 0 {
					t.Error("told of a gap, though nothing was lost")
				}
			}
			tab := s.api(1).join(t, admin.RoomID, "carla")
			if _, welcome := enter(t, s.base(1), &tab); !slices.Equal(welcome.Retracted, numbers{1, 2, 3}) {
				t.Errorf("told that %v were retracted, want all three", welcome.Retracted)
			}
		})
	}
}
