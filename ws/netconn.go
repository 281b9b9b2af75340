package ws

import (
	"bytes"
	"net"
	"syscall"
	"time"
)

// wire is the net.Conn under a WebSocket: gorilla/websocket shakes hands over it
// and reads from it. All other writing is done by conn, in one place, so that
// nothing comes between the two halves of a frame.
type wire struct {
	net.Conn
	// raw is the socket itself, for writes that don't wait; nil where there is
	// something between, such as TLS.
	raw syscall.RawConn
	// closing is called with what gorilla/websocket writes of its own accord after
	// the handshake: a close frame, when the client has violated the protocol.
	// Until the handshake is over it is nil.
	closing func(bytes []byte)
}

func newWire(conn net.Conn) *wire { return &wire{Conn: conn, raw: rawSocket(conn)} }

// Write takes the writes of gorilla/websocket.
func (w *wire) Write(p []byte) (int, error) {
	if w.closing == nil {
		return w.Conn.Write(p)
	}
	w.closing(bytes.Clone(p))
	return len(p), nil
}

// SetWriteDeadline does nothing: deadlines are for those who write.
func (w *wire) SetWriteDeadline(time.Time) error { return nil }

// abort closes the network connection. Close, where there is TLS, tells the peer
// first, which takes up to 5 s if the peer does not read.
func (w *wire) abort() {
	conn := w.Conn
	if secure, ok := conn.(interface{ NetConn() net.Conn }); ok {
		conn = secure.NetConn()
	}
	_ = conn.Close()
}
