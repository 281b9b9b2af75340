package rooms_test

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ephemeralchat/caddy-ephemeral-chat/e2e/harness"
)

// TestOrder has eight members on all nodes publish at the same time, while one member
// is away. Some of the members lose their connections repeatedly.
func TestOrder(t *testing.T) {
	const (
		senders  = 8
		messages = 300
	)
	harness.OnBothStores(t, harness.Unlimited, func(t *testing.T, s *harness.Site) {
		admin := s.API(0).Create(t, 600)
		absentee := s.API(0).Join(t, admin.RoomID, "absentee")
		away, welcome := harness.Join(t, s.Base(0), &absentee)

		var clients []*harness.ProtocolClient
		for i := range senders {
			m := s.API(i).Join(t, admin.RoomID, fmt.Sprint("sender", i))
			clients = append(clients, harness.StartClient(t, m, s.Base(i), s.Base(i+1)))
		}
		listener := harness.StartClient(t, admin, s.Base(1))

		clients[0].Publish("before the absence")
		last := away.AwaitText(t, "before the absence").Seq
		away.Close()

		filler := strings.Repeat("ü", 300) // 600 bytes
		var publishing sync.WaitGroup
		for i, k := range clients {
			publishing.Go(func() {
				for n := range messages {
					k.Publish(fmt.Sprintf("%d of %s %s", n, k.UserID(), filler))
					if i < 3 && n%100 == 50 {
						k.Disconnect()
					}
				}
			})
		}
		publishing.Wait()
		all := append(slices.Clone(clients), listener)
		harness.AwaitDelivered(t, 60*time.Second, all...)
		harness.CheckTranscripts(t, all...)
		for i, k := range clients {
			if connections := k.Connections(); i < 3 && connections < 2 || i >= 3 && connections != 1 {
				t.Errorf("%s was connected %d times", k.UserID(), connections)
			}
		}

		// The absentee rejoins at the other node, and receives exactly the messages
		// that it has missed.
		received := listener.Received()
		back, again := harness.Rejoin(t, s.Base(1), &absentee, last, welcome.Epoch)
		if again.Gap || again.Seq != uint64(len(received)) {
			t.Errorf("welcome back: gap %v, seq %d of %d", again.Gap, again.Seq, len(received))
		}
		missed := slices.Clone(again.Messages)
		bytes := again.Size
		for uint64(len(missed)) < again.Seq-last {
			f := back.AwaitFrame(t, "replay", func(f *harness.Frame) bool { return f.Type == "replay" || f.Type == "message" })
			if f.Type != "replay" || f.Size > 300<<10 {
				t.Fatalf("instead of a replay: %s of %d bytes", f.Type, f.Size)
			}
			missed = append(missed, f.Messages...)
			bytes += f.Size
		}
		if !slices.Equal(missed, received[last:]) {
			t.Errorf("missed were %d messages, given are %d others", len(received[last:]), len(missed))
		}
		if bytes < 1<<20 {
			t.Errorf("only %d bytes were missed", bytes)
		}
		back.Publish(t, "I am back")
		if f := back.Await(t, "message"); f.Seq != again.Seq+1 || f.Message != "I am back" {
			t.Errorf("after the replay: %+v", f)
		}

		// Messages from before the absence are in the history.
		back.Send(t, harness.Fields{"type": "history", "before": last + 1, "limit": 10})
		page := back.Await(t, "history")
		if !slices.Equal(page.Messages, received[:last]) || page.More {
			t.Errorf("history: %+v", page)
		}
		s.ExpectNoErrors(t)
	})
}

// TestRejoinUnderLoad has members lose their connections and rejoin at the other node,
// while others publish.
func TestRejoinUnderLoad(t *testing.T) {
	harness.OnBothStores(t, harness.Unlimited, func(t *testing.T, s *harness.Site) {
		admin := s.API(0).Create(t, 600)
		steady := harness.StartClient(t, admin, s.Base(0))
		var restless []*harness.ProtocolClient
		for i := range 4 {
			m := s.API(i).Join(t, admin.RoomID, fmt.Sprint("restless", i))
			restless = append(restless, harness.StartClient(t, m, s.Base(i), s.Base(i+1)))
		}
		for n := range 400 {
			steady.Publish(fmt.Sprint("number ", n))
			restless[n%4].Publish(fmt.Sprint("answer to ", n))
			if n%20 == 19 {
				restless[n/20%4].Disconnect()
			}
			harness.Pace(t.Context(), 5*time.Millisecond)
		}
		all := append(restless, steady)
		harness.AwaitDelivered(t, 60*time.Second, all...)
		harness.CheckTranscripts(t, all...)
		for _, k := range restless {
			if k.Connections() < 3 {
				t.Errorf("%s was connected %d times", k.UserID(), k.Connections())
			}
		}
		s.ExpectNoErrors(t)
	})
}

// TestReplaced joins with a session that has a socket already.
func TestReplaced(t *testing.T) {
	t.Parallel() // mostly waits
	harness.OnBothStores(t, harness.Unlimited, func(t *testing.T, s *harness.Site) {
		admin := s.API(0).Create(t, 600)
		first, _ := harness.Join(t, s.Base(0), &admin)
		other := s.API(0).Rejoin(t, &admin)
		tab, _ := harness.Join(t, s.Base(0), &other) // another session of the same user
		second, _ := harness.Join(t, s.Base(1), &admin)
		first.AwaitClose(t, 4409)
		second.Publish(t, "hello")
		tab.AwaitText(t, "hello")
		if n := tab.Count("joined") + tab.Count("left"); n != 0 {
			t.Errorf("%d times the same user came or went", n)
		}
		s.ExpectNoErrors(t)
	})
}

// TestGap rejoins behind messages that are no longer kept.
func TestGap(t *testing.T) {
	t.Parallel() // mostly waits
	harness.OnBothStores(t, "history 10\nmessage_rate off", func(t *testing.T, s *harness.Site) {
		admin := s.API(0).Create(t, 600)
		k, welcome := harness.Join(t, s.Base(0), &admin)
		for n := 1; n <= 40; n++ {
			k.Publish(t, fmt.Sprint(n))
		}
		k.AwaitText(t, "40")
		k.Close()
		_, again := harness.Rejoin(t, s.Base(1), &admin, 5, welcome.Epoch)
		if !again.Gap || len(again.Messages) < 10 || again.Messages[len(again.Messages)-1].Seq != 40 {
			t.Errorf("welcome back after 5: %+v", again)
		}
		_, again = harness.Rejoin(t, s.Base(1), &admin, 35, welcome.Epoch)
		if again.Gap || len(again.Messages) != 5 || again.Messages[0].Seq != 36 {
			t.Errorf("welcome back after 35: %+v", again)
		}
		_, again = harness.Rejoin(t, s.Base(1), &admin, 40, welcome.Epoch)
		if again.Gap || len(again.Messages) != 0 {
			t.Errorf("welcome back after 40: %+v", again)
		}
		_, again = harness.Rejoin(t, s.Base(1), &admin, 40, "another")
		if !again.Gap || len(again.Messages) < 10 {
			t.Errorf("welcome back from another epoch: %+v", again)
		}
		_, again = harness.Rejoin(t, s.Base(1), &admin, 41, welcome.Epoch)
		if !again.Gap {
			t.Errorf("welcome back from the future: %+v", again)
		}
		s.ExpectNoErrors(t)
	})
}
