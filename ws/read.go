package ws

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/gorilla/websocket"

	"github.com/ephemeralchat/caddy-ephemeral-chat/internal/apierror"
	"github.com/ephemeralchat/caddy-ephemeral-chat/room"
)

const (
	// minFrameLimit is the frame size in bytes that every client may send.
	minFrameLimit = 64 << 10
	// typingInterval is the least time between two typing events of a connection.
	typingInterval = 3 * time.Second
	// endTimeout is how long the server waits for the event of a room's end after a
	// store call has not found the room.
	endTimeout = time.Second
	// maxErrors is how many error frames a connection may cause within errorWindow.
	maxErrors   = 50
	errorWindow = 10 * time.Second
	// maxRefused is how many refused messages a connection remembers.
	maxRefused = 128
)

// run starts a connection after its upgrade. ctx is the one that c.cancel ends; joined
// is nil if the client has yet to join.
func (c *conn) run(ctx context.Context, joined *clientFrame) {
	c.setHandlers()
	if joined == nil {
		c.releaseQueue(nil)
		joined = c.join(ctx)
	}
	if joined != nil {
		err := c.welcome(ctx, joined)
		if err == nil {
			// Joining grows the stack, which an idle connection would keep: reading has a
			// goroutine of its own. It ends when the client goes or is closed; the hub
			// waits for it.
			go c.readLoop() //nolint:contextcheck // it outlives ctx
			return
		}
		c.fail(err)
	}
	c.end(joined != nil) //nolint:contextcheck // queued frames are written, even if ctx is done
}

// end ends a connection and gives back everything that it holds.
func (c *conn) end(entered bool) {
	if entered {
		c.room.unregister(c) // at once: the other connections need not wait for the rest
	}
	c.releaseQueue(nil)
	c.linger()
	c.finish()
	if entered {
		c.hub.release(c.room)
	}
	c.abort()
	c.hub.remove(c, c.endReason) // which finish has fixed
}

// readLoop handles the frames of the client until the connection ends.
func (c *conn) readLoop() {
	defer c.end(true)
	c.endJoinContext()
	handle := c.handle
	for !c.isClosing() {
		c.extendReadDeadline()
		if err := c.read(handle); err != nil {
			c.fail(err)
			return
		}
	}
}

// setHandlers sets the handlers of control frames. Their answers go through the queue.
func (c *conn) setHandlers() {
	// JSON may need several bytes for one byte of the message.
	c.ws.SetReadLimit(max(minFrameLimit, 4*int64(c.settings.Rooms.Limits().MaxMessage)))
	c.ws.SetPingHandler(func(payload string) error {
		if c.room != nil { // pings do not extend joinTimeout
			c.extendReadDeadline()
		}
		c.send(newFrame(websocket.PongMessage, []byte(payload)))
		return nil
	})
	c.ws.SetPongHandler(func(string) error {
		if c.room != nil {
			c.extendReadDeadline()
		}
		return nil
	})
	c.ws.SetCloseHandler(func(code int, _ string) error {
		// RFC 6455, section 5.5.1: the answer to a close has the same code.
		if code == websocket.CloseNoStatusReceived {
			code = websocket.CloseNormalClosure
		}
		c.mu.Lock()
		defer c.mu.Unlock()
		if !c.closing {
			c.closeLocked(closeGrace, closeFrame(code, ""))
			c.endReason = closedByClient
		}
		return nil
	})
}

// errDisconnected means that the client is gone, or that gorilla/websocket has
// closed the connection for a violation of the protocol.
var errDisconnected = errors.New("disconnected")

// frameBuffers are the buffers of frames that are being decoded.
var frameBuffers = sync.Pool{New: func() any { return new(bytes.Buffer) }}

// read reads the next frame and passes its bytes to handle, which must not keep them.
func (c *conn) read(handle func(data []byte) error) error {
	kind, r, err := c.ws.NextReader()
	if err != nil {
		return fmt.Errorf("%w: %w", errDisconnected, err)
	}
	if kind != websocket.TextMessage {
		return apierror.ErrBadFrame
	}
	buffer, _ := frameBuffers.Get().(*bytes.Buffer)
	defer func() {
		if buffer.Reset(); buffer.Cap() <= minFrameLimit { // larger ones are rare
			frameBuffers.Put(buffer)
		}
	}()
	if _, err := buffer.ReadFrom(r); err != nil {
		return fmt.Errorf("%w: %w", errDisconnected, err)
	}
	if !utf8.Valid(buffer.Bytes()) {
		return apierror.ErrNotUTF8
	}
	if c.isClosing() {
		return nil // frames that follow a close frame are ignored
	}
	return handle(buffer.Bytes())
}

// handle handles a frame of a client that has joined. An error ends the
// connection.
func (c *conn) handle(data []byte) error {
	f, err := decodeFrame(data)
	if errors.Is(err, apierror.ErrInvalidFrame) {
		return c.refuse(err, f.id(), 0)
	}
	if err != nil {
		return err
	}
	switch f.Type {
	case "message":
		return c.handleMessage(f.id(), f.Message)
	case "retract":
		return c.handleRetract(&f)
	case "history":
		return c.handleHistory(&f)
	case "typing":
		c.handleTyping()
		return nil
	case "ping":
		c.send(pongFrame)
		return nil
	default:
		return c.refuse(apierror.ErrUnknownType, f.id(), 0)
	}
}

// handleTyping publishes a typing event. A failure is not worth an error frame.
func (c *conn) handleTyping() {
	if now := time.Now(); now.Sub(c.typingSent) >= typingInterval && !c.room.isLarge() {
		c.typingSent = now
		_ = c.room.feed.Typing(c.startCall(), c.userID)
		c.endCall()
	}
}

// handleStoreError answers a failed store call about the message with an id of its
// own or with a number, each zero for none.
func (c *conn) handleStoreError(operation string, err error, id, seq uint64) error {
	switch {
	case errors.Is(err, room.ErrRoomNotFound):
		c.awaitEnd()
	case errors.Is(err, room.ErrRemoved):
		c.closeRemoved()
	case isFinal(err):
		return c.refuse(err, id, seq)
	default:
		c.logFailure(operation, err)
		c.sendError(err, id, seq)
	}
	return nil
}

// awaitEnd waits for the event of the room's end, which closes the connection with the
// reason. If none comes, it closes the connection itself.
func (c *conn) awaitEnd() {
	ctx, cancel := context.WithTimeout(context.Background(), endTimeout)
	defer cancel()
	if await(ctx, c.room.gone) != nil {
		c.closeEnded(room.EndDeleted)
	}
}

// sendError sends an error frame about the message with an id of its own or with a
// number, each zero for none.
func (c *conn) sendError(err error, id, seq uint64) {
	e := apierror.Of(err)
	c.hub.counters.refused.Add(e)
	c.send(jsonFrame(errorFrame{"error", e.Code, apierror.Message(err), id, seq}))
}

// refuse sends an error frame that counts towards maxErrors, and ends the connection
// if that is exceeded. From now on, a message with this id is refused for the same
// reason.
func (c *conn) refuse(err error, id, seq uint64) error {
	if id > 0 && c.refusedFor(id) == nil {
		if len(c.refused) == maxRefused {
			c.refused = slices.Delete(c.refused, 0, 1)
		}
		c.refused = append(c.refused, refusal{id, err})
	}
	c.noteAnswered(id)
	c.sendError(err, id, seq)
	if now := time.Now(); now.Sub(c.errorsSince) > errorWindow {
		c.errorsSince, c.errorCount = now, 0
	}
	if c.errorCount++; c.errorCount > maxErrors {
		return apierror.ErrTooFast
	}
	return nil
}

// isFinal reports whether a message that failed with err must not be resent: it would
// fail again, or needs a new id.
func isFinal(err error) bool {
	e := apierror.Of(err)
	return e != apierror.Of(room.ErrUnavailable) && e != apierror.Of(room.ErrInternal)
}
