package chaos

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/gorilla/websocket"
)

const (
	// deafAfter is how long a client hears nothing, pings included, until it takes
	// its connection for dead.
	deafAfter = 2*pingInterval + time.Second
	// writeTime bounds each write of a client.
	writeTime = 3 * time.Second
	// maxUnsettled is how many messages a client says that it has not seen stored.
	maxUnsettled = 20
)

// client is a light client that keeps to the protocol: it keeps what it says until
// it sees it stored, says it again when it cannot know, and comes back where it
// left off, to another node.
type client struct {
	lab  *Lab
	chat *chat
	dice *dice
	me   credentials

	finished chan struct{} // closed when it does not come back any more
	wake     chan struct{} // holds a token when talk has something to do

	sending sync.Mutex // held by whoever sends messages, which have an order

	mu      sync.Mutex
	conn    *websocket.Conn // nil while there is none
	node    int             // that conn is to
	present bool            // conn has been welcomed
	visits  int
	away    time.Time // it does not come back before
	stalled time.Time // it does not read before
	said    uint64    // id of the newest message
	sentTo  uint64    // up to this id, everything was sent on conn
	again   time.Time // when what was refused is sent again; zero if nothing is to be
	refused uint64    // the first id that was
	outbox  []*outgoing
	record
}

// start lets the client live until its room ends, it quits, or ctx is done.
func (c *client) start(ctx context.Context) {
	c.finished = make(chan struct{})
	ctx, cancel := context.WithCancel(ctx)
	// Both end with ctx, or when the client has finished, which cancels ctx; the
	// chat waits for them.
	c.chat.running.Go(func() {
		defer close(c.finished)
		defer cancel()
		c.run(ctx)
	})
	c.chat.running.Go(func() { c.talk(ctx) })
}

func (c *client) run(ctx context.Context) {
	delay := time.Duration(0)
	at := c.dice.n(len(c.lab.nodes))
	for {
		c.mu.Lock()
		delay = max(delay, time.Until(c.away))
		c.mu.Unlock()
		if !pause(ctx, delay) || c.isOver() {
			return
		}
		delay = c.stay(ctx, at%len(c.lab.nodes))
		c.report()
		at++
	}
}

// isOver reports whether the client is not to come back.
func (c *client) isOver() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.over != ""
}

// stay is one connection. It returns how long to wait until the next.
func (c *client) stay(ctx context.Context, node int) time.Duration {
	wait := c.dice.between(50*time.Millisecond, 400*time.Millisecond)
	dialer := websocket.Dialer{HandshakeTimeout: writeTime, ReadBufferSize: 1024, WriteBufferSize: 512}
	conn, response, err := dialer.DialContext(ctx, "ws://"+c.lab.nodes[node].link.address+"/ws", nil)
	if response != nil {
		_ = response.Body.Close() // a refused upgrade has nothing of interest
	}
	if err != nil {
		return wait
	}
	defer func() { _ = conn.Close() }() // it is closed, or broken
	stop := context.AfterFunc(ctx, func() { _ = conn.Close() })
	defer stop()
	conn.SetPingHandler(func(data string) error {
		_ = conn.SetReadDeadline(time.Now().Add(deafAfter))
		_ = conn.WriteControl(websocket.PongMessage, []byte(data), time.Now().Add(writeTime)) // if that fails, reading does
		return nil
	})
	_ = conn.SetReadDeadline(time.Now().Add(deafAfter))
	_ = conn.SetWriteDeadline(time.Now().Add(writeTime))
	join := c.arrive(conn, node)
	if join == nil {
		return 0 // it has quit meanwhile
	}
	if conn.WriteJSON(join) != nil {
		c.depart(nil)
		return wait
	}
	for {
		c.restrain(ctx)
		_, data, err := conn.ReadMessage()
		if err != nil {
			return max(wait, c.depart(err))
		}
		_ = conn.SetReadDeadline(time.Now().Add(deafAfter))
		var f frame
		if err := json.Unmarshal(data, &f); err != nil {
			c.complain("frame", "no frame: %v", err)
			continue
		}
		c.take(&f)
		c.report()
		if f.Type == "welcome" {
			c.pump()
		}
	}
}

// restrain waits for as long as the client is not to read.
func (c *client) restrain(ctx context.Context) {
	c.mu.Lock()
	until := c.stalled
	c.mu.Unlock()
	if wait := time.Until(until); wait > 0 {
		pause(ctx, wait)
	}
}

// arrive notes a new connection, and returns what it begins with; nil if it is not
// wanted any more.
func (c *client) arrive(conn *websocket.Conn, node int) map[string]any {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.over != "" {
		return nil
	}
	c.conn, c.node, c.opened, c.toldDeadline = conn, node, time.Now(), false
	join := map[string]any{"type": "join", "roomId": c.me.RoomID, "userId": c.me.UserID, "sessionId": c.me.SessionID}
	if c.known {
		join["after"], join["epoch"] = c.after, c.epoch
	}
	c.trace("joins", uint64(node), c.after, c.epoch)
	return join
}

// take notes a frame.
func (c *client) take(f *frame) {
	now := time.Now()
	c.mu.Lock()
	defer c.mu.Unlock()
	c.hear(c, f, now)
	if f.Type == "welcome" {
		if c.visits++; c.visits > 1 {
			c.lab.journal.count("reconnects", 1)
		}
		c.present, c.sentTo, c.again = true, f.LastID, time.Time{}
	}
}

// depart notes the end of a connection, and returns how long to wait at least.
func (c *client) depart(err error) (wait time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.conn, c.present = nil, false
	var closed *websocket.CloseError
	if !errors.As(err, &closed) {
		c.trace("disconnected", 0, 0, fmt.Sprint(err))
		return 0
	}
	c.trace("closed", uint64(closed.Code), 0, closed.Text)
	switch closed.Code {
	case websocket.CloseGoingAway:
		text, ok := strings.CutPrefix(closed.Text, "retry=")
		var ms int
		if n, _ := fmt.Sscan(text, &ms); !ok || n != 1 || ms < 0 {
			c.complainLocked("close", "1001 with reason %q", closed.Text)
		}
		return time.Duration(ms) * time.Millisecond
	case websocket.CloseAbnormalClosure, websocket.CloseTryAgainLater, 4408, 4503:
	case 4409: // an older connection has been late
		c.lab.journal.count("replaced", 1)
	case 4401, 4403:
		if c.removal.IsZero() && !c.chat.forgives() {
			c.complainLocked("membership", "closed with %d %s, though nobody has removed this client", closed.Code, closed.Text)
		}
		c.over = "removed"
	case 4404, 4410:
		c.finish("room gone")
	default:
		if c.over != "" {
			break // the answer to its own close frame
		}
		c.complainLocked("close", "closed with %d %s", closed.Code, closed.Text)
	}
	return 0
}

// talk says something from time to time, and again what has been refused.
func (c *client) talk(ctx context.Context) {
	next := time.Now().Add(c.dice.exponential(c.lab.o.Talk))
	for {
		c.mu.Lock()
		wake := next
		if !c.again.IsZero() && c.again.Before(wake) {
			wake = c.again
		}
		c.mu.Unlock()
		timer := time.NewTimer(time.Until(wake))
		select {
		case <-ctx.Done():
			timer.Stop()
			return
		case <-c.wake:
			timer.Stop()
			continue
		case <-timer.C:
		}
		now := time.Now()
		c.mu.Lock()
		if !now.Before(next) {
			next = now.Add(c.dice.exponential(c.lab.o.Talk))
			if c.chat.talking.Load() && len(c.outbox) < maxUnsettled && c.over == "" {
				c.say(now)
			}
		}
		if !c.again.IsZero() && !now.Before(c.again) {
			c.again, c.sentTo = time.Time{}, min(c.sentTo, c.refused-1)
		}
		c.mu.Unlock()
		c.pump()
	}
}

// say puts a message into the outbox. The caller holds mu.
func (c *client) say(now time.Time) {
	c.said++
	text := fmt.Sprintf("%s %s %d %d %s", c.chat.id, c.me.UserID, c.said, now.UnixNano(), strings.Repeat("x", c.dice.n(100)))
	c.outbox = append(c.outbox, &outgoing{Type: "message", Message: text, ID: c.said, first: now})
}

// pump sends what has not been sent on this connection.
func (c *client) pump() {
	c.sending.Lock()
	defer c.sending.Unlock()
	for {
		c.mu.Lock()
		conn := c.conn
		var o *outgoing
		if c.present && c.again.IsZero() {
			for _, candidate := range c.outbox {
				if candidate.ID > c.sentTo {
					o = candidate
					c.sentTo = o.ID
					if o.tried {
						c.lab.journal.count("sent again", 1)
					}
					o.tried = true
					break
				}
			}
		}
		c.mu.Unlock()
		if o == nil {
			return
		}
		_ = conn.SetWriteDeadline(time.Now().Add(writeTime))
		if conn.WriteJSON(o) != nil {
			_ = conn.Close() // reading fails then
			return
		}
	}
}

// retry sends again, after a while, what was refused from an id on. The caller
// holds mu.
func (c *client) retry(id uint64) {
	if c.again.IsZero() || id < c.refused {
		c.refused = id
	}
	if c.again.IsZero() {
		c.again = time.Now().Add(c.dice.between(100*time.Millisecond, 500*time.Millisecond))
		select {
		case c.wake <- struct{}{}:
		default:
		}
	}
}

// vanish breaks the connection without a word, and stays away for a while.
func (c *client) vanish(away time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.away = time.Now().Add(away)
	c.trace("vanishes for (ms)", uint64(away.Milliseconds()), 0, "")
	if c.conn != nil {
		_ = c.conn.NetConn().Close() // no close frame
	}
}

// stall lets the client read nothing for a while.
func (c *client) stall(length time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.stalled = time.Now().Add(length)
	c.trace("stalls for (ms)", uint64(length.Milliseconds()), 0, "")
}

// quit lets the client go for good, without a word or in good manners.
func (c *client) quit(politely bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.over == "" {
		c.over = "quit"
	}
	c.trace("quits", 0, 0, "")
	if c.conn == nil {
		return
	}
	if politely {
		message := websocket.FormatCloseMessage(websocket.CloseNormalClosure, "")
		_ = c.conn.WriteControl(websocket.CloseMessage, message, time.Now().Add(writeTime)) // it is closed anyway
	}
	_ = c.conn.NetConn().Close()
}
