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

// dialer returns what connects to the site.
func (s *site) dialer() *websocket.Dialer {
	return &websocket.Dialer{
		NetDialContext:   s.dial,
		HandshakeTimeout: patience,
		TLSClientConfig:  &tls.Config{RootCAs: rootsOf(s.server)},
	}
}

func (s *site) address(query url.Values) string {
	return "ws" + strings.TrimPrefix(s.server.URL, "http") + "/ws?" + query.Encode()
}

// open opens a WebSocket.
func (s *site) open(tb testing.TB, query url.Values) *websocket.Conn {
	tb.Helper()
	socket, response, err := s.dialer().DialContext(context.WithoutCancel(tb.Context()), s.address(query), nil)
	if err != nil {
		tb.Fatalf("opening a WebSocket: %v (%+v)", err, response)
	}
	_ = response.Body.Close()
	return socket
}

// refused opens a WebSocket that is refused before the upgrade, and returns the
// HTTP status.
func (s *site) refused(tb testing.TB, query url.Values) int {
	tb.Helper()
	socket, response, err := s.dialer().DialContext(tb.Context(), s.address(query), nil)
	if err == nil {
		_ = socket.Close()
		tb.Fatal("the WebSocket was opened")
	}
	if !errors.Is(err, websocket.ErrBadHandshake) {
		tb.Fatalf("opening a WebSocket: %v", err)
	}
	_ = response.Body.Close()
	return response.StatusCode
}

// connect opens a WebSocket that has not joined.
func (s *site) connect(tb testing.TB) *client {
	tb.Helper()
	return newClient(tb, "a client", s.open(tb, nil))
}

// join opens a WebSocket, joins by the first frame, with these further fields,
// and returns the welcome too.
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
	c := newClient(tb, as.UserID, s.open(tb, joinQuery(as, more...)))
	return c, c.next("welcome")
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
