package ws

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"slices"
	"sync"

	"github.com/gorilla/websocket"

	"github.com/ephemeralchat/caddy-ephemeral-chat/internal/apierror"
	"github.com/ephemeralchat/caddy-ephemeral-chat/room"
)

// readBuffer is the size of a connection's read buffer in bytes. Most frames fit, and
// a node may have many connections.
const readBuffer = 512

// writeBuffers is never used, as gorilla/websocket writes no messages, but without
// a pool every connection would have a write buffer of its own.
var writeBuffers sync.Pool

// Serve upgrades the request to a WebSocket (RFC 6455) and returns; the connection
// outlives the request and its context. The caller has checked the origin of the
// request, where that matters.
//
// If Serve returns an error, nothing has been written to w, and the caller answers
// with the apierror.Error of it: apierror.ErrUpgradeRequired if the request is not for
// an upgrade, room.ErrInvalidRequest if it is malformed,
// apierror.ErrTooManyConnections if the client has too many, and the error of the join
// if the query of the request holds one.
func (h *Hub) Serve(w http.ResponseWriter, r *http.Request, s Settings) error {
	if r.ContentLength != 0 {
		// Unread bytes of it would be taken for frames, and the server's read deadline
		// for it would outlive the upgrade.
		return fmt.Errorf("%w: an upgrade must not have a body", room.ErrInvalidRequest)
	}
	if !isWebSocketUpgrade(r) {
		return apierror.ErrUpgradeRequired
	}
	// The connection must not keep the request, which it outlives.
	ctx, cancel := context.WithCancel(context.Background())
	c := newConn(h, s, cancel)
	if err := h.add(c); err != nil {
		cancel()
		return err
	}
	joined, err := c.joinByQuery(ctx, r)
	if err == nil {
		if err = c.upgrade(w, r); err == nil {
			h.counters.opened.Add(1)
			// It ends when the client goes or is closed; the hub waits for it.
			go c.run(ctx, joined)
			return nil
		}
		if joined != nil {
			c.room.unregister(c)
			h.release(c.room)
		}
	}
	cancel()
	h.remove(c, "")
	if errors.Is(err, errDisconnected) {
		return nil // no client is left to answer
	}
	return err
}

// isWebSocketUpgrade reports whether a request is for a WebSocket of version 13 (RFC
// 6455, section 4.2.1). An upgrade in HTTP/1.0 is to be ignored (RFC 9110, section
// 7.8).
func isWebSocketUpgrade(r *http.Request) bool {
	return r.ProtoAtLeast(1, 1) && websocket.IsWebSocketUpgrade(r) &&
		slices.Equal(r.Header.Values("Sec-Websocket-Version"), []string{"13"})
}

// upgrade hijacks the connection and shakes hands. errDisconnected means that it has
// hijacked the connection, but nothing can be written to it.
func (c *conn) upgrade(w http.ResponseWriter, r *http.Request) error {
	var refused error
	upgrader := websocket.Upgrader{
		ReadBufferSize:  readBuffer,
		WriteBufferPool: &writeBuffers,
		CheckOrigin:     func(*http.Request) bool { return true }, // the caller has
		Error: func(_ http.ResponseWriter, _ *http.Request, status int, reason error) {
			refused = fmt.Errorf("%w: %w", room.ErrInvalidRequest, reason)
			if status >= http.StatusInternalServerError {
				refused = fmt.Errorf("%w: %w", room.ErrInternal, reason)
			}
		},
	}
	hijacked := &hijacker{ResponseWriter: serverWriter(w)}
	ws, err := upgrader.Upgrade(hijacked, r, nil)
	if refused != nil {
		return refused
	}
	if hijacked.ResponseWriter != w {
		// Wrappers that record the response learn of its status by this call only.
		w.WriteHeader(http.StatusSwitchingProtocols)
	}
	if err != nil { // the connection was hijacked, has failed, and is closed
		return fmt.Errorf("%w: %w", errDisconnected, err)
	}
	c.mu.Lock()
	c.ws, c.out = ws, hijacked.conn
	c.mu.Unlock()
	hijacked.conn.closing = func(bytes []byte) { c.close(closeGrace, encodedFrame(bytes)) }
	return nil
}

// serverWriter returns the server's own writer. A connection that was hijacked from a
// wrapper would keep the wrapper, and with it the request, for its lifetime.
func serverWriter(w http.ResponseWriter) http.ResponseWriter {
	for {
		wrapper, ok := w.(interface{ Unwrap() http.ResponseWriter })
		if !ok {
			return w
		}
		w = wrapper.Unwrap()
	}
}

// hijacker is the http.Hijacker that gorilla/websocket requires. It puts a netConn
// under the WebSocket.
type hijacker struct {
	http.ResponseWriter
	conn *netConn
}

func (h *hijacker) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	conn, buffers, err := http.NewResponseController(h.ResponseWriter).Hijack()
	if err != nil {
		return nil, nil, err
	}
	h.conn = newNetConn(conn)
	return h.conn, buffers, nil
}
