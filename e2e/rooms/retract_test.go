package rooms_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/ephemeralchat/caddy-ephemeral-chat/e2e/harness"
)

// TestRetract retracts messages on two nodes. All clients are notified, later ones do
// not receive the text, and Redis keeps nothing of it.
func TestRetract(t *testing.T) {
	t.Parallel() // mostly waits
	harness.OnBothStores(t, harness.Unlimited, func(t *testing.T, s *harness.Site) {
		admin := s.API(0).Create(t, 600)
		ben := s.API(1).Join(t, admin.RoomID, "ben")
		owner, _ := harness.Join(t, s.Base(0), &admin)
		bens, _ := harness.Join(t, s.Base(1), &ben)
		secrets := []string{"meet me at the old mill", "the password is swordfish"}
		bens.Send(t, harness.Fields{"type": "message", "message": secrets[0], "id": 1})
		owner.AwaitText(t, secrets[0])
		owner.Publish(t, secrets[1])
		bens.AwaitText(t, secrets[1])
		owner.Publish(t, "stays")
		bens.AwaitText(t, "stays")
		if s.Redis != nil {
			for _, secret := range secrets {
				if !strings.Contains(s.Redis.Values(t), secret) {
					t.Errorf("%q is not in Redis before the retraction: the test proves nothing", secret)
				}
			}
		}

		bens.Send(t, harness.Fields{"type": "retract", "seq": 2})
		if f := bens.Await(t, "error"); f.Code != "not_admin" || f.Seq != 2 {
			t.Errorf("another member's message: %+v", f)
		}
		bens.Send(t, harness.Fields{"type": "retract", "seq": 4})
		if f := bens.Await(t, "error"); f.Code != "message_not_found" || f.Seq != 4 {
			t.Errorf("a message that does not exist: %+v", f)
		}
		bens.Send(t, harness.Fields{"type": "retract", "seq": 1})
		for _, k := range []*harness.Socket{owner, bens} {
			if f := k.Await(t, "retracted"); f.Seq != 1 {
				t.Errorf("retracted is %d, want 1", f.Seq)
			}
		}
		// The admin retracts, on the other node, the same message and another one.
		tab := s.API(1).Rejoin(t, &admin)
		other, _ := harness.Join(t, s.Base(1), &tab)
		other.Send(t, harness.Fields{"type": "retract", "seq": 1})
		other.Send(t, harness.Fields{"type": "retract", "seq": 2})
		for _, k := range []*harness.Socket{owner, bens, other} {
			if f := k.Await(t, "retracted"); f.Seq != 2 {
				t.Errorf("retracted is %d, want 2", f.Seq)
			}
		}

		if s.Redis != nil {
			values := s.Redis.Values(t)
			for _, secret := range secrets {
				if at := strings.Index(values, secret); at >= 0 {
					t.Errorf("left in Redis: %s", values[max(0, at-200):at+len(secret)])
				}
			}
			if !strings.Contains(values, "stays") {
				t.Error("a message that was not retracted is gone")
			}
		}
		for i := range 2 {
			m := s.API(i).Join(t, admin.RoomID, fmt.Sprint("late", i))
			k, welcome := harness.Join(t, s.Base(i), &m)
			expectRetracted(t, welcome.Messages, 1, 2)
			if !slices.Equal(welcome.Retracted, harness.Seqs{1, 2}) {
				t.Errorf("node %d: a new member receives that %v were retracted", i, welcome.Retracted)
			}
			k.Send(t, harness.Fields{"type": "history"})
			expectRetracted(t, k.Await(t, "history").Messages, 1, 2)
			_, welcome = harness.Rejoin(t, s.Base(i), &m, 3, welcome.Epoch)
			if !slices.Equal(welcome.Retracted, harness.Seqs{1, 2}) || len(welcome.Messages) > 0 {
				t.Errorf("node %d: a member that rejoins receives %+v", i, welcome)
			}
		}
		if n := owner.Count("retracted"); n != 2 {
			t.Errorf("%d frames of two retractions", n)
		}
		s.ExpectNoErrors(t)
	})
}

// expectRetracted fails the test unless exactly these messages are retracted.
func expectRetracted(t *testing.T, messages []harness.Entry, want ...uint64) {
	t.Helper()
	if len(messages) != 3 {
		t.Errorf("messages: %+v", messages)
	}
	for _, m := range messages {
		back := slices.Contains(want, m.Seq)
		if m.Retracted != back || (m.Message == "") != back || m.UserID == "" || m.Timestamp == "" {
			t.Errorf("retracted %v: %+v", back, m)
		}
	}
}

// retractions returns the number of frames that retract a message.
func retractions(k *harness.Socket, seq uint64) int {
	n := 0
	for _, f := range k.Frames() {
		if f.Type == "retracted" && f.Seq == seq {
			n++
		}
	}
	return n
}

// TestRetractBehindOutage retracts messages while a node is cut off from Redis. Its
// clients are notified after the outage, and receive no gap.
func TestRetractBehindOutage(t *testing.T) {
	harness.BehindOutage(t, func(t *testing.T, s *harness.Site, proxy *harness.Proxy, outage harness.Outage) {
		admin := s.API(0).Create(t, 600)
		ben := s.API(1).Join(t, admin.RoomID, "ben")
		owner, _ := harness.Join(t, s.Base(0), &admin)
		bens, _ := harness.Join(t, s.Base(1), &ben)
		bens.Publish(t, "one")
		owner.AwaitText(t, "one")
		owner.Publish(t, "two")
		bens.AwaitText(t, "two")
		proxy.Set(outage)
		owner.Send(t, harness.Fields{"type": "retract", "seq": 2})
		owner.Await(t, "retracted")
		owner.Publish(t, "three")
		owner.AwaitText(t, "three")
		owner.Send(t, harness.Fields{"type": "retract", "seq": 3})
		owner.Await(t, "retracted")
		bens.Send(t, harness.Fields{"type": "retract", "seq": 1})
		if f := bens.Await(t, "error"); f.Code != "unavailable" || f.Seq != 1 {
			t.Errorf("while Redis is away: %+v", f)
		}
		proxy.Set(harness.NoOutage)
		if f := bens.Await(t, "message"); f.Seq != 3 || f.Message != "" {
			t.Errorf("a message that was retracted meanwhile: %+v", f)
		}
		// The retraction that was answered "unavailable" may have been made.
		bens.Send(t, harness.Fields{"type": "retract", "seq": 1})
		for _, k := range []*harness.Socket{owner, bens} {
			for _, seq := range []uint64{1, 2} {
				harness.Until(t, harness.WaitTime, fmt.Sprint("the retraction of ", seq), func() bool { return retractions(k, seq) == 1 })
			}
			if n := k.Count("gap"); n > 0 {
				t.Error("a gap, though no message was lost")
			}
		}
		tab := s.API(1).Join(t, admin.RoomID, "carla")
		if _, welcome := harness.Join(t, s.Base(1), &tab); !slices.Equal(welcome.Retracted, harness.Seqs{1, 2, 3}) {
			t.Errorf("%v were retracted, want all three", welcome.Retracted)
		}
	})
}
