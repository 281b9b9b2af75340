package chaos

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"time"

	"github.com/ephemeralchat/caddy-ephemeral-chat/redisstore/redistest/poll"
	"github.com/gorilla/websocket"

	"github.com/ephemeralchat/caddy-ephemeral-chat/e2e/harness"
)

const (
	// readTimeout is the time without a frame, pings included, after which a client
	// takes its connection for dead.
	readTimeout = 2*pingInterval + time.Second
	// maxPending is the number of messages that a client posts before it has seen one
	// of them stored.
	maxPending = 20
)

// client is a client of a room that suffers faults, and its history.
type client struct {
	*harness.ProtocolClient
	experiment *experiment
	room       *room
	random     *rand.Rand
	member     harness.Member
	cancel     context.CancelFunc // ends the client

	mu      sync.Mutex
	node    int       // of the current connection
	away    time.Time // it does not reconnect before
	stalled time.Time // it does not read before
	history
}

// startClient starts a client that connects to one node after the other. It ends when
// its room ends, it quits, or ctx is done.
func (r *room) startClient(ctx context.Context, member *harness.Member) {
	x := r.experiment
	c := &client{
		experiment: x, room: r, random: x.newRandom(), member: *member,
		history: history{acked: make(map[uint64]string), online: make(map[string]bool)},
	}
	ctx, c.cancel = context.WithCancel(ctx)
	first := c.random.IntN(len(x.nodes))
	c.mu.Lock() // which keeps the functions below from reading ProtocolClient before it is set
	c.ProtocolClient = harness.RunClient(ctx, harness.ClientOptions{
		Member: c.member, ResendDelay: between(c.random, 50*time.Millisecond, 400*time.Millisecond), ReadTimeout: readTimeout,
		URL: func(attempt int) string {
			node := (first + attempt) % len(x.nodes)
			c.waitUntil(ctx, &c.away)
			c.connects(node)
			return harness.WebSocketURL("http://" + x.nodes[node].proxy.Addr())
		},
		BeforeRead: func() { c.waitUntil(ctx, &c.stalled) },
		Received: func(f *harness.Frame) {
			c.mu.Lock()
			c.receive(c, f)
			c.mu.Unlock()
			c.report()
		},
		Disconnected: func(end harness.Closing) bool {
			over := c.disconnected(end)
			c.report()
			return over
		},
	})
	c.mu.Unlock()
	// Ends with ctx, or when the client has ended; the room waits for it.
	r.running.Go(func() { c.post(ctx) })
	r.mu.Lock()
	defer r.mu.Unlock()
	r.clients = append(r.clients, c)
}

// waitUntil waits until a time that mu guards.
func (c *client) waitUntil(ctx context.Context, at *time.Time) {
	c.mu.Lock()
	wait := time.Until(*at)
	c.mu.Unlock()
	if wait > 0 {
		poll.Pause(ctx, wait)
	}
}

// isOver reports whether the client is not to reconnect.
func (c *client) isOver() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.over != ""
}

// connects records an attempt to connect.
func (c *client) connects(node int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.node, c.opened, c.knowsDeadline = node, time.Now(), false
	c.trace("connects to node %d after %d of %s", node, c.after, c.epoch)
}

// disconnected checks the end of a connection, and reports whether it is the last.
func (c *client) disconnected(end harness.Closing) (over bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.trace("disconnected: %d %s", end.Code, end.Reason)
	switch end.Code {
	case websocket.CloseAbnormalClosure:
		if strings.HasPrefix(end.Reason, "frame ") {
			c.violateLocked("frame", "%s", end.Reason)
		}
	case websocket.CloseGoingAway:
		if !strings.HasPrefix(end.Reason, "retry=") {
			c.violateLocked("close", "1001 with reason %q", end.Reason)
		}
	case websocket.CloseTryAgainLater, 4408, 4503:
	case 4409: // the server noticed late that the client has a newer connection
		c.experiment.journal.count("replaced", 1)
	case 4401, 4403:
		if c.removing.IsZero() && !c.room.mayHaveLost() {
			c.violateLocked("membership", "closed with %d %s, without a removal", end.Code, end.Reason)
		}
		c.over = "removed"
	case 4404, 4410:
		c.finish("room ended")
	default:
		if c.over == "" { // else it responds to the client's own close frame
			c.violateLocked("close", "closed with %d %s", end.Code, end.Reason)
		}
	}
	return c.over != ""
}

// post posts a message from time to time, until the client ends.
func (c *client) post(ctx context.Context) {
	for id := uint64(1); poll.Pause(ctx, exponential(c.random, c.experiment.o.PostEvery)) && !c.isOver(); {
		if c.room.active.Load() && c.Pending() < maxPending {
			now := time.Now()
			text := fmt.Sprintf("%s %s %d %d %s", c.room.id, c.UserID(), id, now.UnixNano(), strings.Repeat("x", c.random.IntN(100)))
			c.mu.Lock()
			c.pending = append(c.pending, pending{id, now})
			c.mu.Unlock()
			id = c.Publish(text) + 1
		}
	}
}

// vanish breaks the connection without a close frame, and stays away for a while.
func (c *client) vanish(away time.Duration) {
	c.mu.Lock()
	c.away = time.Now().Add(away)
	c.trace("vanishes for %s", away)
	c.mu.Unlock()
	c.Disconnect()
}

// stall makes the client stop reading for a while.
func (c *client) stall(length time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.stalled = time.Now().Add(length)
	c.trace("stalls for %s", length)
}

// quit ends the client, with or without a close frame.
func (c *client) quit(politely bool) {
	c.mu.Lock()
	c.finish("quit")
	c.trace("quits")
	c.mu.Unlock()
	if politely {
		c.SendClose()
	}
	c.cancel()
}
