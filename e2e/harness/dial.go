package harness

import (
	"context"
	"crypto/tls"
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/gorilla/websocket"
)

// WebSocketURL returns the URL of the WebSocket of a mount point.
func WebSocketURL(base string) string { return strings.Replace(base, "http", "ws", 1) + "/ws" }

// OpenSocket opens a WebSocket. It also returns the server's response, whether that
// accepts or refuses the upgrade; nil if there was none. The caller closes the socket.
func OpenSocket(ctx context.Context, url string, header http.Header, trust *tls.Config) (*Socket, *Response, error) {
	return openSocket(ctx, url, header, trust, ClientOptions{})
}

func openSocket(ctx context.Context, url string, header http.Header, trust *tls.Config, o ClientOptions) (*Socket, *Response, error) {
	dialer := websocket.Dialer{HandshakeTimeout: WaitTime, TLSClientConfig: trust}
	conn, response, err := dialer.DialContext(ctx, url, header) //nolint:bodyclose // ReadResponse closes it
	var r *Response
	if response != nil {
		r, _ = ReadResponse(response) // as much of a body as gorilla/websocket keeps
	}
	if err != nil {
		return nil, r, err
	}
	s := &Socket{conn: conn, options: o, done: make(chan struct{}), changed: make(chan struct{})}
	if o.ReadTimeout > 0 {
		pong := conn.PingHandler()
		conn.SetPingHandler(func(data string) error {
			s.extendRead()
			return pong(data)
		})
	}
	// Ends with the connection, which Close closes and waits for.
	go s.read()
	return s, r, nil
}

// Open opens a WebSocket by its URL. The socket is closed with the test.
func Open(t *testing.T, url string, header http.Header, trust *tls.Config) *Socket {
	t.Helper()
	s, _, err := OpenSocket(t.Context(), url, header, trust)
	if err != nil {
		t.Fatalf("WebSocket to %s: %v", url, err)
	}
	t.Cleanup(s.Close)
	return s
}

// ExpectRefused fails the test unless the server refuses the upgrade with a problem
// document.
func ExpectRefused(t *testing.T, url string, header http.Header, status int, code string) {
	t.Helper()
	_, r, err := OpenSocket(t.Context(), url, header, nil)
	if err == nil || r == nil {
		t.Fatalf("WebSocket to %s: %v, %v", url, r, err)
	}
	ExpectProblem(t, r, status, code)
}

// Dial opens the WebSocket of a mount point. The socket is closed with the test.
func Dial(t *testing.T, base string) *Socket {
	t.Helper()
	return Open(t, WebSocketURL(base), nil, nil)
}

// Join opens a WebSocket, joins a room, and returns the welcome.
func Join(t *testing.T, base string, m *Member) (*Socket, Frame) {
	t.Helper()
	return joined(t, base, m.Credentials("type", "join"))
}

// Rejoin does the same for a member that has received messages up to after.
func Rejoin(t *testing.T, base string, m *Member, after uint64, epoch string) (*Socket, Frame) {
	t.Helper()
	return joined(t, base, m.Credentials("type", "join", "after", after, "epoch", epoch))
}

func joined(t *testing.T, base string, join Fields) (*Socket, Frame) {
	t.Helper()
	s := Dial(t, base)
	s.Send(t, join)
	return s, s.Await(t, "welcome")
}

// OpenUnread opens a WebSocket with a bounded receive buffer. The client reads nothing
// but the response to the upgrade.
func OpenUnread(t *testing.T, base string) *websocket.Conn {
	t.Helper()
	dialer := websocket.Dialer{
		HandshakeTimeout: WaitTime,
		NetDialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
			conn, err := new(net.Dialer).DialContext(ctx, network, address)
			if err != nil {
				return nil, err
			}
			if tcp, ok := conn.(*net.TCPConn); ok {
				err = tcp.SetReadBuffer(128 << 10)
			}
			return conn, err
		},
	}
	conn, _, err := dialer.DialContext(t.Context(), WebSocketURL(base), nil) //nolint:bodyclose // the connection owns it
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return conn
}
