package ws

import (
	"context"
	"errors"
	"fmt"
	"net"
	"time"
	"unicode/utf8"

	"github.com/gorilla/websocket"
	"go.uber.org/zap"

	"github.com/ephemeralchat/caddy-ephemeral-chat/internal/apierror"
	"github.com/ephemeralchat/caddy-ephemeral-chat/room"
)

const (
	// joinTimeout is how long a connection may take to join.
	joinTimeout = 10 * time.Second
	// typingInterval is the time in which a connection is typing once.
	typingInterval = 3 * time.Second
	// endTimeout is how long the server waits for a room's end to be told of, when
	// a message has found the room gone.
	endTimeout = time.Second
)

// run is the beginning of a connection after its upgrade. ctx is what c.cancel
// ends; joined is nil if the client has yet to join.
func (c *conn) run(ctx context.Context, joined *entrance) {
	c.prepare()
	if joined == nil {
		c.start(nil)
		joined = c.join(ctx)
	}
	if joined != nil && c.begin(ctx, joined) {
		// Joining goes deep, and the stack that it took would be kept while the
		// connection is idle: the rest has a goroutine of its own. It ends when the
		// client goes, or is closed; the hub waits for it.
		go c.talk() //nolint:contextcheck // it outlives what ctx is for
		return
	}
	c.end(joined != nil) //nolint:contextcheck // what is queued goes out, though ctx may be done
}

// end is the end of a connection.
func (c *conn) end(entered bool) {
	if entered {
		c.room.leave(c) // the others need not wait for the rest
	}
	c.start(nil)
	c.linger()
	c.finish()
	if entered {
		c.hub.release(c.room)
	}
	c.abort()
	c.hub.counters.noteClosed(c.closeReason())
	c.hub.drop(c)
}

// join waits for the first frame and enters the room that it names.
func (c *conn) join(ctx context.Context) *entrance {
	_ = c.out.SetReadDeadline(time.Now().Add(joinTimeout))
	f, err := c.readJoin()
	if err != nil {
		if timeout(err) {
			err = apierror.ErrJoinTimeout
		}
		c.fail(err)
		return nil
	}
	c.hold() // the welcome goes first
	e, err := c.enter(ctx, &f)
	if err != nil {
		c.fail(err)
		return nil
	}
	return e
}

func (c *conn) readJoin() (f clientFrame, err error) {
	err = c.read(func(data []byte) error {
		f, err = decodeFrame(data)
		if errors.Is(err, apierror.ErrInvalidFrame) {
			return apierror.ErrBadFrame // there is nobody yet whom an error frame could be for
		}
		if err == nil && f.Type != "join" {
			return apierror.ErrJoinRequired
		}
		return err
	})
	return f, err
}

// begin welcomes the client, and reports whether it is there to talk.
func (c *conn) begin(ctx context.Context, joined *entrance) bool {
	c.accepted = joined.lastID
	if err := c.welcome(ctx, joined.from, joined.lastID); err != nil {
		c.fail(err)
		return false
	}
	return true
}

// talk handles the frames of the client until it goes or is closed.
func (c *conn) talk() {
	defer c.end(true)
	c.forgetContext()
	handle := c.handle
	for !c.isClosing() {
		c.alive()
		if err := c.read(handle); err != nil {
			c.fail(err)
			return
		}
	}
}

// prepare sets what gorilla/websocket does with control frames. All of it goes
// through the queue.
func (c *conn) prepare() {
	c.ws.SetReadLimit(c.settings.frameLimit())
	c.ws.SetPingHandler(func(payload string) error {
		if c.room != nil { // a client that only pings doesn't join later
			c.alive()
		}
		c.send(newFrame(websocket.PongMessage, []byte(payload)))
		return nil
	})
	c.ws.SetPongHandler(func(string) error {
		if c.room != nil {
			c.alive()
		}
		return nil
	})
	c.ws.SetCloseHandler(func(code int, _ string) error {
		// RFC 6455, section 5.5.1: a close is answered with the same code.
		if code == websocket.CloseNoStatusReceived {
			code = websocket.CloseNormalClosure
		}
		c.mu.Lock()
		defer c.mu.Unlock()
		if !c.closing {
			c.closeLocked(closeGrace, closeFrame(code, ""))
			c.ending = closedByClient
		}
		return nil
	})
}

// errDisconnected means that the client is gone, or that gorilla/websocket has
// closed the connection for a violation of the protocol.
var errDisconnected = errors.New("disconnected")

// read reads the next frame and hands its bytes, which are good until handle
// returns, to handle.
func (c *conn) read(handle func(data []byte) error) error {
	kind, r, err := c.ws.NextReader()
	if err != nil {
		return fmt.Errorf("%w: %w", errDisconnected, err)
	}
	if kind != websocket.TextMessage {
		return apierror.ErrBadFrame
	}
	buffer := takeScratch()
	defer buffer.release()
	if err := buffer.fill(r); err != nil {
		return fmt.Errorf("%w: %w", errDisconnected, err)
	}
	if !utf8.Valid(buffer.bytes) {
		return apierror.ErrNotUTF8
	}
	if c.isClosing() {
		return nil // what a client says after a close frame is not heard
	}
	return handle(buffer.bytes)
}

// handle handles a frame of a client that has joined. An error ends the
// connection.
func (c *conn) handle(data []byte) error {
	f, err := decodeFrame(data)
	if errors.Is(err, apierror.ErrInvalidFrame) {
		return c.refuse(err, f.id())
	}
	if err != nil {
		return err
	}
	switch f.Type {
	case "message":
		return c.post(f.id(), f.Message)
	case "retract":
		return c.retract(&f)
	case "history":
		return c.history(&f)
	case "typing":
		c.typing()
		return nil
	case "ping":
		c.send(pongFrame)
		return nil
	default:
		return c.refuse(apierror.ErrUnknownType, f.id())
	}
}

// typing tells the others. It is not worth an error frame if they can't be told.
func (c *conn) typing() {
	if now := time.Now(); now.Sub(c.typedAt) >= typingInterval && !c.room.isLarge() {
		c.typedAt = now
		_ = c.room.feed.Typing(c.startCall(), c.userID)
		c.endCall()
	}
}

// gone is called when a call of the store has found the room gone. The store
// tells why; if it doesn't, the connection ends all the same.
func (c *conn) gone() error {
	timer := time.NewTimer(endTimeout)
	defer timer.Stop()
	select {
	case <-c.room.gone:
	case <-timer.C:
		c.closeEnded(room.EndDeleted)
	}
	return nil
}

// tellError tells the client that a frame was refused, which was about the message
// with an id of its own or with a number, each zero for none.
func (c *conn) tellError(err error, id, seq uint64) {
	refusal := apierror.Of(err)
	c.hub.counters.refused.Add(refusal)
	c.send(textFrame(encode(errorFrame{"error", refusal.Code, apierror.Message(err), id, seq})))
}

// countRefusal ends the connection when there have been too many.
func (c *conn) countRefusal() error {
	if c.refusals.add(time.Now()) {
		return apierror.ErrTooFast
	}
	return nil
}

// report logs a failure. It holds nothing of what was said. That the store is not
// available is the store's to tell, once and not for every frame.
func (c *conn) report(doing string, err error) {
	level := zap.ErrorLevel
	if errors.Is(err, room.ErrUnavailable) {
		level = zap.DebugLevel
	}
	c.hub.log().Log(level, "ephemeral chat: "+doing, zap.Error(err))
}

func timeout(err error) bool {
	if e, ok := errors.AsType[net.Error](err); ok {
		return e.Timeout()
	}
	return false
}
