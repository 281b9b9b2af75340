package ws

import (
	"bytes"
	"net"
	"syscall"
	"time"
)

// netConn is the net.Conn under a WebSocket. gorilla/websocket shakes hands over it
// and reads from it. A conn writes everything else, so that no write of
// gorilla/websocket falls between the two halves of a frame.
type netConn struct {
	net.Conn
	// raw is the socket, for writes that do not block; nil if the connection has no
	// socket of its own, as under TLS.
	raw syscall.RawConn
	// closing is nil during the handshake. Later it receives the one frame that
	// gorilla/websocket writes by itself: a close frame, after the client has violated
	// the protocol.
	closing func(bytes []byte)
}

func newNetConn(conn net.Conn) *netConn { return &netConn{Conn: conn, raw: rawSocket(conn)} }

// Write takes the writes of gorilla/websocket.
func (n *netConn) Write(p []byte) (int, error) {
	if n.closing == nil {
		return n.Conn.Write(p)
	}
	n.closing(bytes.Clone(p))
	return len(p), nil
}

// SetWriteDeadline ignores the deadlines of gorilla/websocket; conn sets its own.
func (n *netConn) SetWriteDeadline(time.Time) error { return nil }

// abort closes the network connection. Under TLS, Close would first send an alert,
// which takes up to 5 s if the client does not read.
func (n *netConn) abort() {
	conn := n.Conn
	if secure, ok := conn.(interface{ NetConn() net.Conn }); ok {
		conn = secure.NetConn()
	}
	_ = conn.Close()
}
