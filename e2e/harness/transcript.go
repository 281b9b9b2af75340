package harness

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"
)

// KeepPublishing has each client publish a message in each interval until stop is
// called.
func KeepPublishing(interval time.Duration, clients ...*ProtocolClient) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	var publishing sync.WaitGroup
	for _, c := range clients {
		publishing.Go(func() { // ends with ctx
			for n := 0; Pace(ctx, interval); n++ {
				c.Publish(fmt.Sprintf("%d of %s", n, c.UserID()))
			}
		})
	}
	return func() {
		cancel()
		publishing.Wait()
	}
}

// AwaitDelivered waits until all clients have seen all their messages stored, and
// each has received the newest message.
func AwaitDelivered(t *testing.T, within time.Duration, clients ...*ProtocolClient) {
	t.Helper()
	var newest uint64
	for _, c := range clients {
		if !Poll(within, func() bool { return c.Pending() == 0 }) {
			t.Fatalf("not all messages are stored within %s: %s", within, c)
		}
		newest = max(newest, c.After())
	}
	for _, c := range clients {
		if !Poll(within, func() bool { return c.After() >= newest }) {
			t.Fatalf("message %d is not received within %s: %s", newest, within, c)
		}
	}
}

// CheckTranscripts fails the test unless all clients have received the same messages
// in the same order, without gaps or duplicates, and among them each message that a
// client has published, once and in the order of publication.
func CheckTranscripts(t *testing.T, clients ...*ProtocolClient) {
	t.Helper()
	known := make(map[uint64]Entry)
	for _, c := range clients {
		for _, violation := range read(c, func() []string { return c.violations }) {
			t.Error(violation)
		}
		var last uint64
		for _, m := range c.Received() {
			if last > 0 && m.Seq != last+1 {
				t.Errorf("%s has received %d after %d", c.UserID(), m.Seq, last)
			}
			last = m.Seq
			if other, ok := known[m.Seq]; ok && other != m {
				t.Errorf("message %d is %+v to %s and %+v to others", m.Seq, m, c.UserID(), other)
			}
			known[m.Seq] = m
		}
	}
	for seq := uint64(1); seq <= uint64(len(known)); seq++ {
		if _, ok := known[seq]; !ok {
			t.Errorf("no client has received message %d of %d", seq, len(known))
		}
	}
	for _, c := range clients {
		checkPublished(t, c, known)
	}
}

func checkPublished(t *testing.T, c *ProtocolClient, known map[uint64]Entry) {
	t.Helper()
	c.mu.Lock()
	defer c.mu.Unlock()
	next := uint64(1)
	for seq := uint64(1); seq <= uint64(len(known)); seq++ {
		m := known[seq]
		if m.Session != c.tag || m.ID == 0 {
			continue
		}
		if m.ID != next {
			t.Errorf("%s: message %d of the room has id %d, expected was %d", c.UserID(), seq, m.ID, next)
		}
		next = m.ID + 1
	}
	for id := range c.stored {
		if id >= next {
			t.Errorf("%s: id %d was acknowledged, and the room has ids up to %d only", c.UserID(), id, next-1)
		}
	}
}
