package ws_test

import (
	"context"
	"crypto/tls"
	"errors"
	"maps"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/gorilla/websocket"

	"github.com/ephemeralchat/caddy-ephemeral-chat/room"
)

// dialer connects to the site.
func (s *site) dialer() *websocket.Dialer {
	return &websocket.Dialer{
		NetDialContext:   s.dial,
		HandshakeTimeout: waitLimit,
		TLSClientConfig:  &tls.Config{RootCAs: rootsOf(s.server)},
	}
}

func (s *site) address(query url.Values) string {
	return "ws" + strings.TrimPrefix(s.server.URL, "http") + "/ws?" + query.Encode()
}

// tryOpen opens a WebSocket, or returns the HTTP status of the refusal.
func (s *site) tryOpen(tb testing.TB, query url.Values) (socket *websocket.Conn, status int) {
	tb.Helper()
	socket, response, err := s.dialer().DialContext(context.WithoutCancel(tb.Context()), s.address(query), nil)
	if response != nil {
		_ = response.Body.Close()
	}
	if err == nil {
		return socket, 0
	}
	if !errors.Is(err, websocket.ErrBadHandshake) {
		tb.Errorf("opening a WebSocket: %v", err)
		return nil, -1
	}
	return nil, response.StatusCode
}

// open opens a WebSocket.
func (s *site) open(tb testing.TB, query url.Values) *websocket.Conn {
	tb.Helper()
	socket, status := s.tryOpen(tb, query)
	if status != 0 {
		tb.Fatalf("opening a WebSocket: refused with %d", status)
	}
	return socket
}

// refused opens a WebSocket that is refused before the upgrade, and returns the
// HTTP status.
func (s *site) refused(tb testing.TB, query url.Values) int {
	tb.Helper()
	socket, status := s.tryOpen(tb, query)
	if status == 0 {
		_ = socket.Close()
		tb.Fatal("the WebSocket was opened")
	}
	return status
}

// connect opens a WebSocket that has not joined.
func (s *site) connect(tb testing.TB) *client {
	tb.Helper()
	return newClient(tb, "a client", s.open(tb, nil)).start()
}

// join opens a WebSocket and joins by the first frame, with these further fields. It
// returns the welcome too.
func (s *site) join(tb testing.TB, as room.Admission, more ...fields) (*client, frame) {
	tb.Helper()
	c := s.connect(tb)
	c.name = as.UserID
	c.send(joinFields(as, more...))
	return c, c.next("welcome")
}

func joinFields(as room.Admission, more ...fields) fields {
	f := fields{"type": "join", "roomId": as.Room.ID, "userId": as.UserID, "sessionId": as.SessionID}
	for _, extra := range more {
		maps.Copy(f, extra)
	}
	return f
}

func joinQuery(as room.Admission, more ...string) url.Values {
	query := url.Values{"roomId": {as.Room.ID}, "userId": {as.UserID}, "sessionId": {as.SessionID}}
	for i := 0; i < len(more); i += 2 {
		query.Set(more[i], more[i+1])
	}
	return query
}

// joinByQuery opens a WebSocket that joins by its query.
func (s *site) joinByQuery(tb testing.TB, as room.Admission, more ...string) (*client, frame) {
	tb.Helper()
	c := s.openUnread(tb, as, more...).start()
	return c, c.next("welcome")
}

// openUnread is joinByQuery, but the client does not read until start or readOne.
func (s *site) openUnread(tb testing.TB, as room.Admission, more ...string) *client {
	tb.Helper()
	return newClient(tb, as.UserID, s.open(tb, joinQuery(as, more...)))
}

// stalled is joinByQuery, but the client reads its welcome and no more, until start.
func (s *site) stalled(tb testing.TB, as room.Admission, more ...string) (*client, frame) {
	tb.Helper()
	c := s.openUnread(tb, as, more...)
	welcome := c.readOne()
	if welcome.Type != "welcome" {
		tb.Fatalf("received %.200s, want the welcome", welcome.raw)
	}
	return c, welcome
}

// upgradeRequest is a request to open a WebSocket.
func (s *site) upgradeRequest(tb testing.TB, query url.Values) *http.Request {
	tb.Helper()
	r, err := http.NewRequestWithContext(tb.Context(), http.MethodGet, s.server.URL+"/ws?"+query.Encode(), nil)
	if err != nil {
		tb.Fatal(err)
	}
	r.Header.Set("Connection", "Upgrade")
	r.Header.Set("Upgrade", "websocket")
	r.Header.Set("Sec-WebSocket-Version", "13")
	r.Header.Set("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ==")
	return r
}
