package ws

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"time"

	"github.com/gorilla/websocket"

	"github.com/ephemeralchat/caddy-ephemeral-chat/internal/apierror"
	"github.com/ephemeralchat/caddy-ephemeral-chat/room"
)

const (
	// closeGrace is how long a connection has to take what is queued when it is
	// closed, and then to answer the close frame.
	closeGrace = 5 * time.Second
	// slowGrace is the same for a connection that was too slow. Its queue has
	// been dropped, so that waiting costs next to nothing.
	slowGrace = 10 * time.Second
	// lingerLimit bounds what is read, in bytes, from a client that was sent a
	// close frame and goes on sending.
	lingerLimit = 16 << 20
)

// close ends the connection: last frames, then the close frame of the error.
// What is queued is still written if the peer takes it within grace. Only the
// first call counts.
func (c *conn) close(grace time.Duration, frames ...*frame) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.closeLocked(grace, frames...)
}

func (c *conn) closeLocked(grace time.Duration, frames ...*frame) {
	if c.closing {
		return
	}
	c.closing, c.closeBy = true, time.Now().Add(grace)
	c.ending = closeReasons[closeCodeOf(frames)]
	if c.out != nil {
		_ = c.out.Conn.SetWriteDeadline(c.closeBy) // of a write that is under way
		c.held = false                             // a welcome no longer makes sense
	}
	c.push(frames...)
}

func (c *conn) closeRemoved() {
	c.close(closeGrace, textFrame(encode(removedFrame{"removed"})), closeFrame(apierror.Of(room.ErrRemoved).Close, "removed"))
}

func (c *conn) closeEnded(reason room.EndReason) {
	c.close(closeGrace, textFrame(encode(endedFrame{"ended", reason})), closeFrame(apierror.Of(room.ErrRoomEnded).Close, string(reason)))
}

// refusalFrame is the close frame that belongs to an error.
func refusalFrame(err error) *frame {
	if errors.Is(err, apierror.ErrGoingAway) { // whoever comes while the hub closes
		return goingAwayFrame()
	}
	refusal := apierror.Of(err)
	if refusal.Close == 0 {
		refusal = apierror.Of(room.ErrInternal)
	}
	return closeFrame(refusal.Close, refusal.Code)
}

// goingAwayFrame tells a client to come back after a while, at random so that
// not all come back at once.
func goingAwayFrame() *frame {
	after := rand.N(retrySpread) //nolint:gosec // G404: spreads load, guards nothing
	return closeFrame(apierror.Of(apierror.ErrGoingAway).Close, fmt.Sprintf("retry=%d", after.Milliseconds()))
}

// fail closes the connection for an error.
func (c *conn) fail(err error) {
	switch {
	case errors.Is(err, websocket.ErrReadLimit):
		// gorilla/websocket has closed it, unless the size of the frame, or of the
		// fragments together, was beyond 63 bits.
		c.close(closeGrace, closeFrame(websocket.CloseMessageTooBig, ""))
	case errors.Is(err, errDisconnected):
		_, network := errors.AsType[net.Error](err)
		_, closed := errors.AsType[*websocket.CloseError](err)
		if !network && !closed {
			c.close(closeGrace) // the close frame is on its way
		}
	case errors.Is(err, room.ErrRemoved):
		c.closeRemoved()
	default:
		if apierror.Of(err) == apierror.Of(room.ErrInternal) {
			c.report("ending a connection", err)
		}
		c.close(closeGrace, refusalFrame(err))
	}
}

// closeCodeOf returns the code of the close frame among frames, zero if there is
// none (RFC 6455, section 5.5.1).
func closeCodeOf(frames []*frame) int {
	const header, opcode = 2, 0x0f
	for _, f := range frames {
		if len(f.bytes) >= header+2 && f.bytes[0]&opcode == websocket.CloseMessage {
			return int(binary.BigEndian.Uint16(f.bytes[header:]))
		}
	}
	return 0
}

// closeReason says why the connection has ended.
func (c *conn) closeReason() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ending == "" {
		return closedLost
	}
	return c.ending
}

func (c *conn) isClosing() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.closing
}

// abort closes the connection without a word, and ends what it is doing.
func (c *conn) abort() {
	c.mu.Lock()
	c.aborted = true
	cancels, out := [...]context.CancelFunc{c.cancel, c.cancelReplay}, c.out
	c.mu.Unlock()
	for _, cancel := range cancels {
		if cancel != nil {
			cancel()
		}
	}
	if out != nil {
		out.abort()
	}
}

// linger reads on after the connection was closed by this side, until the client
// has answered the close frame or its time is up. To close a TCP connection with
// unread data would reset it, and the client might never see why.
func (c *conn) linger() {
	if !c.isClosing() {
		return
	}
	for {
		if _, _, err := c.ws.NextReader(); err != nil {
			if _, closed := errors.AsType[*websocket.CloseError](err); closed {
				return
			}
			break
		}
	}
	_ = c.out.SetReadDeadline(time.Now().Add(time.Second))
	_, _ = io.Copy(io.Discard, io.LimitReader(c.out, lingerLimit))
}

// finish is the end of the reading goroutine. If the connection is closing,
// what is queued is written out, in the time that it has for that.
func (c *conn) finish() {
	c.mu.Lock()
	gone := !c.closing // the client is
	if gone {
		c.closing = true
		c.dropQueue()
	}
	c.held = false
	c.wake()
	if c.pinger != nil {
		c.pinger.Stop()
	}
	c.mu.Unlock()
	if gone {
		c.out.abort()
	}
	c.drained(context.Background())
	_ = c.out.Close()
}
