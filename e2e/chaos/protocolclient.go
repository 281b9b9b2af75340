package chaos

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"time"

	"github.com/gorilla/websocket"

	"github.com/ephemeralchat/caddy-ephemeral-chat/redisstore/redistest/poll"
)

const (
	// readTimeout is the time without a frame, pings included, after which a client
	// takes its connection for dead.
	readTimeout = 2*pingInterval + time.Second
	// writeTimeout bounds each write of a client.
	writeTimeout = 3 * time.Second
	// maxOutbox is the number of messages that a client posts before it has seen one
	// of them stored.
	maxOutbox = 20
)

// protocolClient follows the protocol: it keeps each message until it has seen it
// stored, sends it again where it cannot know, and resumes on another node when it
// loses its connection.
type protocolClient struct {
	experiment *experiment
	room       *room
	random     *rand.Rand
	me         credentials

	finished chan struct{} // closed when it does not reconnect any more
	sending  sync.Mutex    // held while messages are written, which have an order

	mu          sync.Mutex
	conn        *websocket.Conn // nil while there is none
	node        int             // that conn leads to
	connected   bool            // conn has received welcome
	connections int
	away        time.Time // it does not reconnect before
	stalled     time.Time // it does not read before
	lastID      uint64    // id of the newest message
	sentTo      uint64    // id up to which all messages were sent on conn
	waiting     bool      // to send again from firstUnavailable on
	unavailable uint64    // lowest id that the server answered "unavailable"
	outbox      []*outgoing
	history
}

// start runs the client until its room ends, it quits, or ctx is done.
func (c *protocolClient) start(ctx context.Context) {
	c.finished = make(chan struct{})
	ctx, cancel := context.WithCancel(ctx)
	// Both end with ctx, or when the client has finished, which cancels ctx; the room
	// waits for them.
	c.room.running.Go(func() {
		defer close(c.finished)
		defer cancel()
		c.run(ctx)
	})
	c.room.running.Go(func() { c.post(ctx) })
}

func (c *protocolClient) run(ctx context.Context) {
	nodes := c.experiment.nodes
	delay := time.Duration(0)
	for at := c.random.IntN(len(nodes)); ; at++ {
		c.mu.Lock()
		delay = max(delay, time.Until(c.away))
		c.mu.Unlock()
		if !poll.Pause(ctx, delay) || c.isOver() {
			return
		}
		delay = c.connect(ctx, at%len(nodes))
		c.report()
	}
}

// isOver reports whether the client is not to reconnect.
func (c *protocolClient) isOver() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.over != ""
}

// connect opens a connection, reads until it ends, and returns the delay until the
// next one.
func (c *protocolClient) connect(ctx context.Context, node int) time.Duration {
	delay := between(c.random, 50*time.Millisecond, 400*time.Millisecond)
	dialer := websocket.Dialer{HandshakeTimeout: writeTimeout, ReadBufferSize: 1024, WriteBufferSize: 512}
	conn, response, err := dialer.DialContext(ctx, "ws://"+c.experiment.nodes[node].proxy.Addr()+"/ws", nil)
	if response != nil {
		_ = response.Body.Close() // the client needs nothing of it
	}
	if err != nil {
		return delay
	}
	defer func() { _ = conn.Close() }() // it is closed, or broken
	stop := context.AfterFunc(ctx, func() { _ = conn.Close() })
	defer stop()
	conn.SetPingHandler(func(data string) error {
		_ = conn.SetReadDeadline(time.Now().Add(readTimeout))
		_ = conn.WriteControl(websocket.PongMessage, []byte(data), time.Now().Add(writeTimeout)) // if that fails, reading does
		return nil
	})
	_ = conn.SetReadDeadline(time.Now().Add(readTimeout))
	_ = conn.SetWriteDeadline(time.Now().Add(writeTimeout))
	join := c.join(conn, node)
	if join == nil {
		return 0 // it has quit meanwhile
	}
	if err := conn.WriteJSON(join); err != nil {
		return max(delay, c.disconnected(err))
	}
	for {
		c.mu.Lock()
		stalled := c.stalled
		c.mu.Unlock()
		if wait := time.Until(stalled); wait > 0 {
			poll.Pause(ctx, wait)
		}
		_, data, err := conn.ReadMessage()
		if err != nil {
			return max(delay, c.disconnected(err))
		}
		_ = conn.SetReadDeadline(time.Now().Add(readTimeout))
		var f frame
		if err := json.Unmarshal(data, &f); err != nil {
			c.violate("frame", "no frame: %v", err)
			continue
		}
		c.handle(&f)
		c.report()
		if f.Type == "welcome" {
			c.flush()
		}
	}
}

// join notes a new connection, and returns the first frame to send; nil if the client
// has quit.
func (c *protocolClient) join(conn *websocket.Conn, node int) map[string]any {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.over != "" {
		return nil
	}
	c.conn, c.node, c.opened, c.knowsDeadline = conn, node, time.Now(), false
	join := map[string]any{"type": "join", "roomId": c.me.RoomID, "userId": c.me.UserID, "sessionId": c.me.SessionID}
	if c.joined {
		join["after"], join["epoch"] = c.after, c.epoch
	}
	c.trace("joins node %d after %d of %s", node, c.after, c.epoch)
	return join
}

// handle processes a frame.
func (c *protocolClient) handle(f *frame) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.receive(c, f, time.Now())
	if f.Type == "welcome" {
		if c.connections++; c.connections > 1 {
			c.experiment.journal.count("reconnects", 1)
		}
		c.connected, c.sentTo, c.waiting = true, f.LastID, false
	}
}

// disconnected handles the end of a connection, and returns the least delay until the
// next one.
func (c *protocolClient) disconnected(err error) time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.conn, c.connected = nil, false
	c.trace("disconnected: %v", err)
	var closed *websocket.CloseError
	if !errors.As(err, &closed) {
		return 0
	}
	switch closed.Code {
	case websocket.CloseGoingAway:
		text, ok := strings.CutPrefix(closed.Text, "retry=")
		var ms int
		if n, _ := fmt.Sscan(text, &ms); !ok || n != 1 || ms < 0 {
			c.violateLocked("close", "1001 with reason %q", closed.Text)
		}
		return time.Duration(ms) * time.Millisecond
	case websocket.CloseAbnormalClosure, websocket.CloseTryAgainLater, 4408, 4503:
	case 4409: // the server noticed late that the client has a newer connection
		c.experiment.journal.count("replaced", 1)
	case 4401, 4403:
		if c.removing.IsZero() && !c.room.mayHaveLost() {
			c.violateLocked("membership", "closed with %d %s, without a removal", closed.Code, closed.Text)
		}
		c.over = "removed"
	case 4404, 4410:
		c.finish("room ended")
	default:
		if c.over == "" { // else it responds to the client's own close frame
			c.violateLocked("close", "closed with %d %s", closed.Code, closed.Text)
		}
	}
	return 0
}

// post posts a message from time to time.
func (c *protocolClient) post(ctx context.Context) {
	for poll.Pause(ctx, exponential(c.random, c.experiment.o.PostEvery)) {
		c.mu.Lock()
		if c.room.active.Load() && len(c.outbox) < maxOutbox && c.over == "" {
			c.lastID++
			now := time.Now()
			text := fmt.Sprintf("%s %s %d %d %s", c.room.id, c.me.UserID, c.lastID, now.UnixNano(), strings.Repeat("x", c.random.IntN(100)))
			c.outbox = append(c.outbox, &outgoing{Type: "message", Message: text, ID: c.lastID, posted: now})
		}
		c.mu.Unlock()
		c.flush()
	}
}

// flush sends the messages that were not sent on this connection.
func (c *protocolClient) flush() {
	c.sending.Lock()
	defer c.sending.Unlock()
	for {
		conn, o := c.nextUnsent()
		if o == nil {
			return
		}
		_ = conn.SetWriteDeadline(time.Now().Add(writeTimeout))
		if conn.WriteJSON(o) != nil {
			_ = conn.Close() // reading fails then
			return
		}
	}
}

// nextUnsent returns the next message to send, and marks it as sent; nil if there is
// none.
func (c *protocolClient) nextUnsent() (*websocket.Conn, *outgoing) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.connected || c.waiting {
		return nil, nil
	}
	for _, o := range c.outbox {
		if o.ID > c.sentTo {
			c.sentTo = o.ID
			if o.sent {
				c.experiment.journal.count("sent again", 1)
			}
			o.sent = true
			return c.conn, o
		}
	}
	return nil, nil
}

// resend sends again, after a while, the messages from an id on. The caller holds mu.
func (c *protocolClient) resend(id uint64) {
	if !c.waiting || id < c.unavailable {
		c.unavailable = id
	}
	if c.waiting {
		return
	}
	c.waiting = true
	time.AfterFunc(between(c.random, 100*time.Millisecond, 500*time.Millisecond), func() {
		c.mu.Lock()
		if c.waiting {
			c.waiting, c.sentTo = false, min(c.sentTo, c.unavailable-1)
		}
		c.mu.Unlock()
		c.flush()
	})
}

// vanish breaks the connection without a close frame, and stays away for a while.
func (c *protocolClient) vanish(away time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.away = time.Now().Add(away)
	c.trace("vanishes for %s", away)
	if c.conn != nil {
		_ = c.conn.NetConn().Close()
	}
}

// stall makes the client stop reading for a while.
func (c *protocolClient) stall(length time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.stalled = time.Now().Add(length)
	c.trace("stalls for %s", length)
}

// quit disconnects the client for good, with or without a close frame.
func (c *protocolClient) quit(politely bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.finish("quit")
	c.trace("quits")
	if c.conn == nil {
		return
	}
	if politely {
		message := websocket.FormatCloseMessage(websocket.CloseNormalClosure, "")
		_ = c.conn.WriteControl(websocket.CloseMessage, message, time.Now().Add(writeTimeout)) // it is closed anyway
	}
	_ = c.conn.NetConn().Close()
}
