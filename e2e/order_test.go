package e2e_test

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// TestOrder lets eight members on all nodes talk at once, some of whom lose
// their connections now and then, while one is away.
func TestOrder(t *testing.T) {
	const (
		senders  = 8
		messages = 300
	)
	onBoth(t, unlimited, func(t *testing.T, s *site) {
		admin := s.api(0).create(t, 600)
		absentee := s.api(0).join(t, admin.RoomID, "absentee")
		away, welcome := enter(t, s.base(0), &absentee)

		var talkers []*talker
		for i := range senders {
			m := s.api(i).join(t, admin.RoomID, fmt.Sprint("sender", i))
			talkers = append(talkers, startTalker(t, m, s.base(i), s.base(i+1)))
		}
		listener := startTalker(t, admin, s.base(1))

		talkers[0].say("before the absence")
		last := away.awaitText(t, "before the absence").Seq
		away.close()

		filler := strings.Repeat("ü", 300) // bytes: twice that
		var talking sync.WaitGroup
		for i, k := range talkers {
			talking.Go(func() {
				for n := range messages {
					k.say(fmt.Sprintf("%d of %s %s", n, k.member.UserID, filler))
					if i < 3 && n%100 == 50 {
						k.drop()
					}
				}
			})
		}
		talking.Wait()
		everybody := append(slices.Clone(talkers), listener)
		awaitSettled(t, 60*time.Second, everybody...)
		checkConversation(t, everybody...)
		for i, k := range talkers {
			if visits := k.visitCount(); i < 3 && visits < 2 || i >= 3 && visits != 1 {
				t.Errorf("%s was connected %d times", k.member.UserID, visits)
			}
		}

		// The absentee comes back to the other node, and is given what it has
		// missed, all of that and nothing else.
		heard := listener.transcript()
		back, again := resume(t, s.base(1), &absentee, last, welcome.Epoch)
		if again.Gap || again.Seq != uint64(len(heard)) {
			t.Errorf("welcome back: gap %v, seq %d of %d", again.Gap, again.Seq, len(heard))
		}
		missed := slices.Clone(again.Messages)
		bytes := again.size
		for uint64(len(missed)) < again.Seq-last {
			f := back.awaitThat(t, "replay", func(f *frame) bool { return f.Type == "replay" || f.Type == "message" })
			if f.Type != "replay" || f.size > 300<<10 {
				t.Fatalf("instead of a replay: %s of %d bytes", f.Type, f.size)
			}
			missed = append(missed, f.Messages...)
			bytes += f.size
		}
		if !slices.Equal(missed, heard[last:]) {
			t.Errorf("missed were %d messages, given are %d others", len(heard[last:]), len(missed))
		}
		if bytes < 1<<20 {
			t.Errorf("only %d bytes were missed", bytes)
		}
		back.say(t, "I am back")
		if f := back.await(t, "message"); f.Seq != again.Seq+1 || f.Message != "I am back" {
			t.Errorf("after the replay: %+v", f)
		}

		// What was said before the absence is had by paging.
		back.send(t, fields{"type": "history", "before": last + 1, "limit": 10})
		page := back.await(t, "history")
		if !slices.Equal(page.Messages, heard[:last]) || page.More {
			t.Errorf("history: %+v", page)
		}
		s.noErrors(t)
	})
}

// TestResumeWhileTalking lets members come back again and again, from one node
// to the other, while others talk.
func TestResumeWhileTalking(t *testing.T) {
	onBoth(t, unlimited, func(t *testing.T, s *site) {
		admin := s.api(0).create(t, 600)
		loud := startTalker(t, admin, s.base(0))
		var restless []*talker
		for i := range 4 {
			m := s.api(i).join(t, admin.RoomID, fmt.Sprint("restless", i))
			restless = append(restless, startTalker(t, m, s.base(i), s.base(i+1)))
		}
		for n := range 400 {
			loud.say(fmt.Sprint("number ", n))
			restless[n%4].say(fmt.Sprint("answer to ", n))
			if n%20 == 19 {
				restless[n/20%4].drop()
			}
			pause(t.Context(), 5*time.Millisecond)
		}
		everybody := append(restless, loud)
		awaitSettled(t, 60*time.Second, everybody...)
		checkConversation(t, everybody...)
		for _, k := range restless {
			if k.visitCount() < 3 {
				t.Errorf("%s was connected %d times", k.member.UserID, k.visitCount())
			}
		}
		s.noErrors(t)
	})
}

// TestReplaced is of a session that comes by another socket.
func TestReplaced(t *testing.T) {
	t.Parallel() // it waits most of the time
	onBoth(t, unlimited, func(t *testing.T, s *site) {
		admin := s.api(0).create(t, 600)
		first, _ := enter(t, s.base(0), &admin)
		var other member
		s.api(0).succeed(t, "/joinRoom", admin.credentials()).decode(t, &other)
		tab, _ := enter(t, s.base(0), &other) // another session of the same user
		second, _ := enter(t, s.base(1), &admin)
		first.awaitClose(t, 4409)
		second.say(t, "hello")
		tab.awaitText(t, "hello")
		if n := tab.count("joined") + tab.count("left"); n != 0 {
			t.Errorf("%d times the same user came or went", n)
		}
		s.noErrors(t)
	})
}

// TestGap is of messages that are no longer kept.
func TestGap(t *testing.T) {
	t.Parallel() // it waits most of the time
	onBoth(t, "history 10\nmessage_rate off", func(t *testing.T, s *site) {
		admin := s.api(0).create(t, 600)
		k, welcome := enter(t, s.base(0), &admin)
		for n := 1; n <= 40; n++ {
			k.say(t, fmt.Sprint(n))
		}
		k.awaitText(t, "40")
		k.close()
		_, again := resume(t, s.base(1), &admin, 5, welcome.Epoch)
		if !again.Gap || len(again.Messages) < 10 || again.Messages[len(again.Messages)-1].Seq != 40 {
			t.Errorf("welcome back after 5: %+v", again)
		}
		_, again = resume(t, s.base(1), &admin, 35, welcome.Epoch)
		if again.Gap || len(again.Messages) != 5 || again.Messages[0].Seq != 36 {
			t.Errorf("welcome back after 35: %+v", again)
		}
		_, again = resume(t, s.base(1), &admin, 40, welcome.Epoch)
		if again.Gap || len(again.Messages) != 0 {
			t.Errorf("welcome back after 40: %+v", again)
		}
		_, again = resume(t, s.base(1), &admin, 40, "another")
		if !again.Gap || len(again.Messages) < 10 {
			t.Errorf("welcome back from another epoch: %+v", again)
		}
		_, again = resume(t, s.base(1), &admin, 41, welcome.Epoch)
		if !again.Gap {
			t.Errorf("welcome back from the future: %+v", again)
		}
		s.noErrors(t)
	})
}
