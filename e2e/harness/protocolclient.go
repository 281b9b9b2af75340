package harness

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/gorilla/websocket"
)

// resendDelay is the default of ClientOptions.ResendDelay.
const resendDelay = 100 * time.Millisecond

// ClientOptions configure a ProtocolClient.
type ClientOptions struct {
	Member Member
	// URL returns the URL of the WebSocket for an attempt to connect, counted from 0.
	URL func(attempt int) string
	// ResendDelay is the wait before the client connects again, or resends messages
	// that the server answered with "unavailable".
	ResendDelay time.Duration
	// ReadTimeout, unless zero, ends a connection on which the server sends neither a
	// frame nor a ping for so long.
	ReadTimeout time.Duration
	// BeforeRead, unless nil, is called before each frame is read. The client reads
	// nothing while it blocks.
	BeforeRead func()
	// Received, unless nil, gets each frame after the client has processed it.
	Received func(f *Frame)
	// Disconnected, unless nil, gets the end of each connection, and decides whether
	// the client must not connect again.
	Disconnected func(end Closing) (over bool)
}

// outgoing is a message that the client has not seen stored.
type outgoing struct {
	Type    string `json:"type"`
	Message string `json:"message"`
	ID      uint64 `json:"id"`
}

// ProtocolClient is a client as docs/protocol.md wants it. It keeps a message until
// it sees it stored, resends it when it cannot know, and after a lost connection
// resumes behind the last message that it received, possibly at another node. It
// records violations of the protocol. All methods are safe for concurrent use.
type ProtocolClient struct {
	options  ClientOptions
	finished chan struct{} // closed when the client does not connect again

	mu         sync.Mutex
	socket     *Socket // nil while there is none that was welcomed
	tag        string  // of its session
	lastID     uint64
	outbox     []outgoing
	stored     map[uint64]time.Time // when the client saw that a message is stored, by id
	received   []Entry
	after      uint64
	epoch      string
	welcomes   int
	refused    int      // error frames "unavailable"
	violations []string // which a correct server never causes
	closing    Closing  // of the last connection
	newest     time.Time

	retries  []time.Duration // what nodes that stop have asked for
	leaves   map[string]int  // number of "left" frames by user
	away     time.Duration   // the longest time without a connection
	lastSeen time.Time       // the end of the last connection
}

// RunClient starts a client. It ends when its room does, or with ctx.
func RunClient(ctx context.Context, o ClientOptions) *ProtocolClient {
	if o.ResendDelay == 0 {
		o.ResendDelay = resendDelay
	}
	c := &ProtocolClient{options: o, finished: make(chan struct{}), stored: make(map[uint64]time.Time), leaves: make(map[string]int)}
	// Ends as stated above. Finished is closed then.
	go func() {
		defer close(c.finished)
		c.run(ctx)
	}()
	return c
}

// StartClient starts a client that connects to the mount points in turn. It returns
// when the client has been welcomed. The client ends with the test.
func StartClient(t *testing.T, m Member, bases ...string) *ProtocolClient {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	c := RunClient(ctx, ClientOptions{Member: m, URL: func(attempt int) string { return WebSocketURL(bases[attempt%len(bases)]) }})
	t.Cleanup(func() {
		cancel()
		<-c.finished
	})
	Until(t, WaitTime, m.UserID+" is welcome", func() bool { return c.Connections() > 0 })
	return c
}

func (c *ProtocolClient) run(ctx context.Context) {
	for attempt := 0; ctx.Err() == nil; attempt++ {
		if c.connect(ctx, c.options.URL(attempt)) || !Pace(ctx, c.reconnectDelay()) {
			return
		}
	}
}

// connect holds one connection. It returns true if the client must not connect again.
func (c *ProtocolClient) connect(ctx context.Context, url string) (over bool) {
	s, _, err := openSocket(ctx, url, nil, nil, c.options)
	if err != nil {
		return false
	}
	defer s.Close()
	c.mu.Lock()
	join := c.options.Member.Credentials("type", "join")
	if c.welcomes > 0 {
		join["after"], join["epoch"] = c.after, c.epoch
	}
	c.mu.Unlock()
	if s.Write(join) != nil {
		return false
	}
	again := time.NewTicker(c.options.ResendDelay)
	defer again.Stop()
	resend, next := false, 0
	for {
		changed, open := s.Changed(), s.IsOpen()
		for frames := s.Frames(); next < len(frames); next++ {
			resend = c.receive(s, &frames[next]) || resend
			if c.options.Received != nil {
				c.options.Received(&frames[next])
			}
		}
		if !open {
			return c.disconnected(s.Closing())
		}
		select {
		case <-changed:
		case <-s.Done():
		case <-again.C:
			if resend {
				resend = false
				c.resend(s)
			}
		case <-ctx.Done():
			return true
		}
	}
}

// reconnectDelay returns the wait that a node that stopped has asked for, otherwise
// ResendDelay.
func (c *ProtocolClient) reconnectDelay() time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closing.Code != websocket.CloseGoingAway {
		return c.options.ResendDelay
	}
	var ms int
	if _, err := fmt.Sscanf(c.closing.Reason, "retry=%d", &ms); err != nil || ms < 0 {
		c.violation("1001 with reason %q", c.closing.Reason)
	}
	retry := time.Duration(ms) * time.Millisecond
	c.retries = append(c.retries, retry)
	return retry
}

// disconnected records the end of a connection, and reports whether the client must
// not connect again.
func (c *ProtocolClient) disconnected(end Closing) (over bool) {
	c.mu.Lock()
	c.socket, c.closing, c.lastSeen = nil, end, end.At
	c.mu.Unlock()
	if c.options.Disconnected != nil {
		return c.options.Disconnected(end)
	}
	switch end.Code {
	case websocket.CloseAbnormalClosure, websocket.CloseGoingAway, websocket.CloseInternalServerErr,
		websocket.CloseTryAgainLater, 4503:
		return false
	default:
		return true
	}
}

// receive processes a frame, and reports whether messages have to be resent.
func (c *ProtocolClient) receive(s *Socket, f *Frame) (resend bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.newest = f.At
	switch f.Type {
	case "welcome":
		if f.Gap {
			c.violation("gap in a welcome after %d", c.after)
			c.after = f.Seq
			if len(f.Messages) > 0 {
				c.after = f.Messages[0].Seq - 1
			}
		}
		if c.welcomes > 0 {
			c.away = max(c.away, f.At.Sub(c.lastSeen))
		}
		c.tag, c.epoch, c.socket = f.Session, f.Epoch, s
		c.welcomes++
		c.acknowledge(f.LastID, f.At)
		c.append(f.At, f.Messages...)
		c.sendAll(s)
	case "replay":
		c.append(f.At, f.Messages...)
	case "message":
		c.append(f.At, f.Entry)
	case "ack":
		c.acknowledge(f.ID, f.At)
	case "gap":
		c.violation("gap at %d", f.Seq)
		c.after, c.epoch = f.Seq, f.Epoch
		return true
	case "left":
		c.leaves[f.UserID]++
	case "error":
		if f.Code != "unavailable" {
			c.violation("error %s", f.Code)
		}
		c.refused++
		return true
	}
	return false
}

// append records messages. Each must follow the one before. The client's own are
// echoes, in whatever frame they arrive.
func (c *ProtocolClient) append(at time.Time, messages ...Entry) {
	for _, m := range messages {
		if m.Seq != c.after+1 && len(c.received) > 0 {
			c.violation("message %d after %d", m.Seq, c.after)
		}
		c.after = m.Seq
		c.received = append(c.received, m)
		if m.Session == c.tag {
			c.acknowledge(m.ID, at)
		}
	}
}

// acknowledge records that the messages up to an id are stored.
func (c *ProtocolClient) acknowledge(id uint64, at time.Time) {
	for len(c.outbox) > 0 && c.outbox[0].ID <= id {
		c.stored[c.outbox[0].ID] = at
		c.outbox = c.outbox[1:]
	}
}

func (c *ProtocolClient) violation(format string, args ...any) {
	c.violations = append(c.violations, c.UserID()+": "+fmt.Sprintf(format, args...))
}

// Publish sends a message, now or as soon as the client is connected, and returns its
// id.
func (c *ProtocolClient) Publish(text string) uint64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.lastID++
	o := outgoing{Type: "message", Message: text, ID: c.lastID}
	c.outbox = append(c.outbox, o)
	if c.socket != nil {
		_ = c.socket.Write(o) // if that fails, it is resent
	}
	return c.lastID
}

func (c *ProtocolClient) resend(s *Socket) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.sendAll(s)
}

func (c *ProtocolClient) sendAll(s *Socket) {
	for _, o := range c.outbox {
		if s.Write(o) != nil {
			return
		}
	}
}

// Disconnect breaks the connection without a close frame, as a network might.
func (c *ProtocolClient) Disconnect() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.socket != nil {
		_ = c.socket.conn.Close() // fails only if it is closed
	}
}

// SendClose sends a close frame. The server then ends the connection.
func (c *ProtocolClient) SendClose() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.socket != nil {
		message := websocket.FormatCloseMessage(websocket.CloseNormalClosure, "")
		_ = c.socket.conn.WriteControl(websocket.CloseMessage, message, time.Now().Add(WaitTime)) // if that fails, the connection is broken
	}
}

// UserID returns the name of the client's user.
func (c *ProtocolClient) UserID() string { return c.options.Member.UserID }

// Finished returns a channel that is closed when the client has ended.
func (c *ProtocolClient) Finished() <-chan struct{} { return c.finished }

// read calls a function that reads fields.
func read[T any](c *ProtocolClient, field func() T) T {
	c.mu.Lock()
	defer c.mu.Unlock()
	return field()
}

// Pending returns the number of messages that the client has not seen stored.
func (c *ProtocolClient) Pending() int { return read(c, func() int { return len(c.outbox) }) }

// Connected reports whether the client has a connection that was welcomed.
func (c *ProtocolClient) Connected() bool { return read(c, func() bool { return c.socket != nil }) }

// Connections returns the number of connections that were welcomed.
func (c *ProtocolClient) Connections() int { return read(c, func() int { return c.welcomes }) }

// Unavailable returns the number of errors "unavailable".
func (c *ProtocolClient) Unavailable() int { return read(c, func() int { return c.refused }) }

// After returns the number of the newest message that was received.
func (c *ProtocolClient) After() uint64 { return read(c, func() uint64 { return c.after }) }

// Closing returns the end of the last connection that ended.
func (c *ProtocolClient) Closing() Closing { return read(c, func() Closing { return c.closing }) }

// Retries returns the waits that nodes that stopped have asked for.
func (c *ProtocolClient) Retries() []time.Duration {
	return read(c, func() []time.Duration { return slices.Clone(c.retries) })
}

// Away returns the longest time without a connection.
func (c *ProtocolClient) Away() time.Duration { return read(c, func() time.Duration { return c.away }) }

// Leaves returns the users in "left" frames.
func (c *ProtocolClient) Leaves() (users []string) {
	return read(c, func() []string {
		for user := range c.leaves {
			users = append(users, user)
		}
		return users
	})
}

// IsStored reports whether the client has seen that the message with an id is stored.
func (c *ProtocolClient) IsStored(id uint64) bool {
	return read(c, func() bool { _, ok := c.stored[id]; return ok })
}

// Received returns the messages that the client has received.
func (c *ProtocolClient) Received() []Entry {
	return read(c, func() []Entry { return slices.Clone(c.received) })
}

// String describes the client's state, for a failed test.
func (c *ProtocolClient) String() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	first := uint64(0)
	if len(c.outbox) > 0 {
		first = c.outbox[0].ID
	}
	return fmt.Sprintf("%s: connected %t, %d connections, the last that ended with %+v; %d messages from %d to %d not seen stored; "+
		"received up to %d, last frame %s ago; %d times unavailable; %s",
		c.UserID(), c.socket != nil, c.welcomes, c.closing, len(c.outbox), first, c.lastID,
		c.after, time.Since(c.newest).Round(time.Millisecond), c.refused, c.violations)
}
