package ws

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"sync"

	"github.com/gorilla/websocket"

	"github.com/ephemeralchat/caddy-ephemeral-chat/internal/apierror"
	"github.com/ephemeralchat/caddy-ephemeral-chat/room"
)

// readBuffer is the size of a connection's read buffer in bytes. Most frames of
// a chat fit, and there may be many connections.
const readBuffer = 512

// writeBuffers is never used, as gorilla/websocket writes no messages, but without
// a pool every connection would have a write buffer of its own.
var writeBuffers sync.Pool

// Serve upgrades the request to a WebSocket (RFC 6455) and returns; the
// connection lives on without the request and its context. Where the origin of
// the request matters, the caller has checked it.
//
// If Serve returns an error, nothing has been written to w, and the caller has
// to answer with the error's apierror.Error: apierror.ErrUpgradeRequired if the request
// is no upgrade, room.ErrInvalidRequest if it is a wrong one,
// apierror.ErrTooManyConnections if the client has too many, and what the query of the
// request is refused for if it holds a join.
func (h *Hub) Serve(w http.ResponseWriter, r *http.Request, s Settings) error {
	if r.ContentLength != 0 {
		// What is not read of it would be taken for frames, and the server's read
		// deadline for it would outlive the upgrade.
		return fmt.Errorf("%w: an upgrade must not have a body", room.ErrInvalidRequest)
	}
	if !asksForWebSocket(r) {
		return apierror.ErrUpgradeRequired
	}
	// The connection outlives the request, and must not keep it.
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
			// It ends when the client goes, or is closed; the hub waits for it.
			go c.run(ctx, joined)
			return nil
		}
		if joined != nil {
			c.room.leave(c)
			h.release(c.room)
		}
	}
	cancel()
	h.drop(c)
	if errors.Is(err, errDisconnected) {
		return nil // there is nobody left to be answered
	}
	return err
}

// asksForWebSocket reports whether a request is for a WebSocket of the version that
// there is (RFC 6455, section 4.2.1). An upgrade in HTTP/1.0 is to be ignored (RFC
// 9110, section 7.8).
func asksForWebSocket(r *http.Request) bool {
	return r.ProtoAtLeast(1, 1) && websocket.IsWebSocketUpgrade(r) &&
		slices.Equal(r.Header.Values("Sec-Websocket-Version"), []string{"13"})
}

// joinByQuery joins with what stands in the query of the request. It returns
// nil if nothing does. It fails when the request or ctx is done.
func (c *conn) joinByQuery(ctx context.Context, r *http.Request) (*entrance, error) {
	query, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return nil, fmt.Errorf("%w: malformed query", room.ErrInvalidRequest)
	}
	if !query.Has("roomId") {
		return nil, nil //nolint:nilnil // no join is no error
	}
	f := clientFrame{
		RoomID:    query.Get("roomId"),
		UserID:    query.Get("userId"),
		SessionID: query.Get("sessionId"),
		Epoch:     query.Get("epoch"),
	}
	if after := query.Get("after"); after != "" {
		n, err := strconv.ParseUint(after, 10, 64)
		if err != nil || n > maxInteger {
			return nil, fmt.Errorf("%w: after must be an integer from 0 to 2^53-1", room.ErrInvalidRequest)
		}
		f.After = &n
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(r.Context(), cancel)() //nolint:contextcheck // either of the two contexts ends it
	return c.enter(ctx, &f)
}

// upgrade takes the connection over. errDisconnected means that it did, and that
// nothing can be said on it.
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
	taken := &takeover{ResponseWriter: serverWriter(w)}
	ws, err := upgrader.Upgrade(taken, r, nil)
	if refused != nil {
		return refused
	}
	if taken.ResponseWriter != w {
		// Whatever records the response learns of its status from this call only;
		// the connection no longer is the recorder's.
		w.WriteHeader(http.StatusSwitchingProtocols)
	}
	if err != nil { // the connection was taken over, has failed, and is closed
		return fmt.Errorf("%w: %w", errDisconnected, err)
	}
	c.mu.Lock()
	c.ws, c.out = ws, taken.wire
	c.mu.Unlock()
	taken.wire.closing = func(bytes []byte) { c.close(closeGrace, wireFrame(bytes)) }
	return nil
}

// serverWriter returns the writer that the server made. A connection that was taken
// over from a wrapper of it would keep the wrapper, and with it the request,
// for as long as it lives.
func serverWriter(w http.ResponseWriter) http.ResponseWriter {
	for {
		wrapper, ok := w.(interface{ Unwrap() http.ResponseWriter })
		if !ok {
			return w
		}
		w = wrapper.Unwrap()
	}
}

// takeover hijacks the connection of a response for gorilla/websocket, which
// asks for http.Hijacker only, and puts a wire under it.
type takeover struct {
	http.ResponseWriter
	wire *wire
}

func (t *takeover) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	conn, buffers, err := http.NewResponseController(t.ResponseWriter).Hijack()
	if err != nil {
		return nil, nil, err
	}
	t.wire = newWire(conn)
	return t.wire, buffers, nil
}

// entrance is what a connection has after it has entered a room and before it
// is welcomed.
type entrance struct {
	lastID uint64
	from   *position
}

// enter checks the session of a join and takes a place in the room, which the
// caller gives back by leave and release.
func (c *conn) enter(ctx context.Context, f *clientFrame) (*entrance, error) {
	ctx, cancel := context.WithTimeout(ctx, storeTimeout)
	defer cancel()
	if c.settings.UserID != "" {
		f.UserID = c.settings.UserID
	}
	session, instanceID, err := c.authenticate(ctx, f)
	if err != nil {
		return nil, err
	}
	lr, err := c.hub.acquire(ctx, instanceID, c.settings.FlushInterval)
	if err != nil {
		return nil, err
	}
	c.room, c.userID, c.session = lr, f.UserID, session
	if err := lr.reserve(c); err != nil {
		c.hub.release(lr)
		return nil, err
	}
	presence := room.Presence{UserID: c.userID, SocketID: c.socketID, Session: session.Tag, Order: c.order}
	lastID, err := lr.feed.Enter(ctx, presence, c.settings.Rooms.Limits().MaxMembers)
	lr.entered(c, err)
	if err != nil {
		lr.leave(c) //nolint:contextcheck // the store is told when the request is long gone
		c.hub.release(lr)
		return nil, err
	}
	e := &entrance{lastID: lastID}
	if f.After != nil {
		e.from = &position{after: *f.After, epoch: f.Epoch}
	}
	return e, nil
}

// authenticate checks the session of a join, and returns in which life of the room
// it is good. Whether its user still is a member is for Feed.Enter to say.
func (c *conn) authenticate(ctx context.Context, f *clientFrame) (session room.Session, instanceID string, err error) {
	if lr := c.hub.peek(f.RoomID); lr != nil {
		if err := c.settings.Rooms.Admits(lr.signedIn); err != nil {
			return session, "", err
		}
		session, err = room.VerifySession(lr.key, f.RoomID, f.UserID, f.SessionID)
		// What is not good in this life of a standing room may be in the next, of
		// which this node has not heard.
		if standing := lr.id != f.RoomID; err == nil || !standing {
			return session, lr.id, err
		}
	}
	m, err := c.settings.Rooms.Authenticate(ctx, room.Credentials{RoomID: f.RoomID, UserID: f.UserID, SessionID: f.SessionID})
	return m.Session, m.Room.InstanceID(), err
}

// unavailable is the error of a call that ctx has ended.
func unavailable(ctx context.Context) error {
	return errors.Join(room.ErrUnavailable, context.Cause(ctx))
}
