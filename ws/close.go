package ws

import (
	"cmp"
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
	// closeGrace is the time for a closing connection to accept its queue, and then to
	// answer the close frame.
	closeGrace = 5 * time.Second
	// slowGrace is the same for a connection that was too slow. Its queue has been
	// dropped, so that it costs next to nothing to wait.
	slowGrace = 10 * time.Second
	// lingerLimit bounds the bytes that are read from a client after its close frame.
	lingerLimit = 16 << 20
)

// Ends of connections that this side has not closed.
const (
	// closedByClient: the client has sent a close frame.
	closedByClient = "client"
	// closedLost: the client has gone without one, does not answer pings, or does not
	// read.
	closedLost = "lost"
)

// closeReasons names the codes that this side closes connections with, for the metrics.
// The table of internal/apierror has the code of each error.
var closeReasons = map[int]string{
	websocket.CloseGoingAway:               "going_away",
	websocket.CloseProtocolError:           "protocol_error",
	websocket.CloseInvalidFramePayloadData: "invalid_utf8",
	websocket.CloseMessageTooBig:           "frame_too_large",
	websocket.CloseInternalServerErr:       "internal_error",
	websocket.CloseTryAgainLater:           "unavailable",
	4400:                                   "bad_frame",
	4401:                                   "invalid_session",
	4403:                                   "removed",
	4404:                                   "room_not_found",
	4408:                                   "join_timeout",
	4409:                                   "replaced",
	4410:                                   "room_ended",
	4413:                                   "room_full",
	4429:                                   "too_fast",
	4503:                                   "too_slow",
}

// close ends the connection: last frames, then a close frame. The queue is still
// written if the client reads it within grace. Only the first call counts.
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
	c.endReason = closeReasons[closeCode(frames)]
	if c.out != nil {
		_ = c.out.Conn.SetWriteDeadline(c.closeBy) // of a write in progress
		c.held = false                             // no welcome follows
	}
	c.push(frames...)
}

func (c *conn) closeRemoved() {
	c.close(closeGrace, jsonFrame(typeFrame{"removed"}), closeFrame(apierror.Of(room.ErrRemoved).Close, "removed"))
}

func (c *conn) closeEnded(reason room.EndReason) {
	c.close(closeGrace, jsonFrame(endedFrame{"ended", reason}), closeFrame(apierror.Of(room.ErrRoomEnded).Close, string(reason)))
}

// closeFrame encodes a close frame. The reason is cut to the size of a control frame
// (RFC 6455, section 5.5: 125 bytes, two for the code).
func closeFrame(code int, reason string) *frame {
	return newFrame(websocket.CloseMessage, websocket.FormatCloseMessage(code, reason[:min(len(reason), 123)]))
}

// closeFrameOf returns the close frame of an error. That of apierror.ErrGoingAway asks
// a client to reconnect after a random time, so that not all clients do at once.
func closeFrameOf(err error) *frame {
	e := apierror.Of(err)
	switch {
	case errors.Is(err, apierror.ErrGoingAway):
		after := rand.N(retrySpread) //nolint:gosec // G404: spreads load, guards nothing
		e.Code = fmt.Sprintf("retry=%d", after.Milliseconds())
	case e.Close == 0:
		e = apierror.Of(room.ErrInternal)
	}
	return closeFrame(e.Close, e.Code)
}

// closeCode returns the code of the close frame among frames, zero if there is none
// (RFC 6455, section 5.5.1).
func closeCode(frames []*frame) int {
	const header, opcode = 2, 0x0f
	for _, f := range frames {
		if len(f.bytes) >= header+2 && f.bytes[0]&opcode == websocket.CloseMessage {
			return int(binary.BigEndian.Uint16(f.bytes[header:]))
		}
	}
	return 0
}

// fail closes the connection for an error.
func (c *conn) fail(err error) {
	switch {
	case errors.Is(err, websocket.ErrReadLimit):
		// gorilla/websocket has sent a close frame, unless the size of the frame, or of
		// the fragments together, exceeded 63 bits.
		c.close(closeGrace, closeFrame(websocket.CloseMessageTooBig, ""))
	case errors.Is(err, errDisconnected):
		_, network := errors.AsType[net.Error](err)
		_, closed := errors.AsType[*websocket.CloseError](err)
		if !network && !closed {
			c.close(closeGrace) // the close frame of gorilla/websocket is on its way
		}
	case errors.Is(err, room.ErrRemoved):
		c.closeRemoved()
	default:
		if apierror.Of(err) == apierror.Of(room.ErrInternal) {
			c.logFailure("ending a connection", err)
		}
		c.close(closeGrace, closeFrameOf(err))
	}
}

func (c *conn) isClosing() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.closing
}

// abort closes the network connection without a close frame, and ends the store calls.
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

// linger reads on after this side has closed the connection, until the client has
// answered the close frame or its time is over. To close a TCP connection with unread
// data would reset it, and the client might never read the close frame.
func (c *conn) linger() {
	if !c.isClosing() {
		return
	}
	var err error
	for err == nil {
		_, _, err = c.ws.NextReader()
	}
	if _, closed := errors.AsType[*websocket.CloseError](err); closed {
		return
	}
	_ = c.out.SetReadDeadline(time.Now().Add(time.Second))
	_, _ = io.Copy(io.Discard, io.LimitReader(c.out, lingerLimit))
}

// finish ends the writing and closes the network connection. If the connection is
// closing, its queue is still written, in the time that it has for that.
func (c *conn) finish() {
	c.mu.Lock()
	lost := !c.closing // the client has gone
	if lost {
		c.closing = true
		c.dropQueue()
	}
	c.endReason = cmp.Or(c.endReason, closedLost)
	c.held = false
	c.startWriting()
	if c.pingTimer != nil {
		c.pingTimer.Stop()
	}
	c.mu.Unlock()
	if lost {
		c.out.abort()
	}
	c.waitDrained(context.Background())
	_ = c.out.Close()
}
