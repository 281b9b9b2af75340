package e2e_test

import (
	"fmt"
	"sync"
	"testing"
	"time"
)

// keepTalking lets each talker say something every so often, until stop is called.
func keepTalking(every time.Duration, talkers ...*talker) (stop func()) {
	stopped := make(chan struct{})
	var talking sync.WaitGroup
	for _, k := range talkers {
		talking.Go(func() {
			for n := 0; ; n++ {
				select {
				case <-stopped:
					return
				case <-time.After(every):
					k.say(fmt.Sprintf("%d of %s", n, k.member.UserID))
				}
			}
		})
	}
	return func() {
		close(stopped)
		talking.Wait()
	}
}

// awaitSettled waits until all talkers have seen everything stored that any of
// them has said, and have heard it.
func awaitSettled(t *testing.T, within time.Duration, talkers ...*talker) {
	t.Helper()
	for _, k := range talkers {
		if !poll(within, func() bool { return k.pending() == 0 }) {
			t.Fatalf("not within %s everything stored: %s", within, k.state())
		}
	}
	var newest uint64
	for _, k := range talkers {
		k.mu.Lock()
		newest = max(newest, k.after)
		k.mu.Unlock()
	}
	for _, k := range talkers {
		if !poll(within, func() bool { return k.count(func() int { return int(k.after) }) >= int(newest) }) {
			t.Fatalf("not within %s message %d: %s", within, newest, k.state())
		}
	}
}

// checkConversation fails the test unless all talkers have heard the same in
// the same order, without holes and without doubles, and in it, once and in
// the order in which it was said, everything that any of them has said.
func checkConversation(t *testing.T, talkers ...*talker) {
	t.Helper()
	known := make(map[uint64]entry)
	for _, k := range talkers {
		for _, fault := range k.faults {
			t.Error(fault)
		}
		var last uint64
		for _, m := range k.transcript() {
			if last > 0 && m.Seq != last+1 {
				t.Errorf("%s has heard %d after %d", k.member.UserID, m.Seq, last)
			}
			last = m.Seq
			if other, ok := known[m.Seq]; ok && other != m {
				t.Errorf("message %d is %+v to %s and %+v to others", m.Seq, m, k.member.UserID, other)
			}
			known[m.Seq] = m
		}
	}
	for seq := uint64(1); seq <= uint64(len(known)); seq++ {
		if _, ok := known[seq]; !ok {
			t.Errorf("message %d of %d was heard by nobody", seq, len(known))
		}
	}
	for _, k := range talkers {
		checkSaid(t, k, known)
	}
}

func checkSaid(t *testing.T, k *talker, known map[uint64]entry) {
	t.Helper()
	next := uint64(1)
	for seq := uint64(1); seq <= uint64(len(known)); seq++ {
		m := known[seq]
		if m.Session != k.tag || m.ID == 0 {
			continue
		}
		if m.ID != next {
			t.Errorf("%s: message %d of the room has id %d, expected was %d", k.member.UserID, seq, m.ID, next)
		}
		next = m.ID + 1
	}
	for id := range k.stored {
		if id >= next {
			t.Errorf("%s: id %d was acknowledged and is not in the room, which has them up to %d", k.member.UserID, id, next-1)
		}
	}
}
