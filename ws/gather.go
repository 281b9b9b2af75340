package ws

import (
	"net"
	"sync"
	"time"
)

const (
	// gatherSize is how much one flush gathers, in bytes. A frame that is larger
	// goes out whole.
	gatherSize = 64 << 10
	// controlTimeout bounds the writes that gorilla/websocket makes by itself:
	// the answer to an upgrade, and close frames after a protocol error.
	controlTimeout = 5 * time.Second
)

// gatherBuffers are the buffers of connections that are being written to.
var gatherBuffers = sync.Pool{New: func() any {
	b := make([]byte, 0, gatherSize)
	return &b
}}

// gatherConn is the net.Conn under a WebSocket. Between begin and flush it
// collects what is written, so that many frames leave in one system call;
// at other times it writes through.
//
// One goroutine at a time calls begin and flush. Write may be called by another
// one meanwhile.
type gatherConn struct {
	net.Conn

	mu     sync.Mutex
	buffer *[]byte // nil unless gathering
}

// Write collects p or writes it through.
func (g *gatherConn) Write(p []byte) (int, error) {
	g.mu.Lock()
	if g.buffer != nil {
		*g.buffer = append(*g.buffer, p...)
		g.mu.Unlock()
		return len(p), nil
	}
	g.mu.Unlock()
	if err := g.Conn.SetWriteDeadline(time.Now().Add(controlTimeout)); err != nil {
		return 0, err
	}
	return g.Conn.Write(p)
}

// SetWriteDeadline does nothing: deadlines belong to flushes, not to frames.
func (g *gatherConn) SetWriteDeadline(time.Time) error { return nil }

// abort closes the network connection. Close, where there is TLS, tells the peer
// first, which takes up to 5 s if the peer does not read.
func (g *gatherConn) abort() {
	conn := g.Conn
	if secure, ok := conn.(interface{ NetConn() net.Conn }); ok {
		conn = secure.NetConn()
	}
	_ = conn.Close()
}

// begin starts to collect.
func (g *gatherConn) begin() {
	buffer, _ := gatherBuffers.Get().(*[]byte)
	g.mu.Lock()
	g.buffer = buffer
	g.mu.Unlock()
}

// gathered returns how many bytes have been collected.
func (g *gatherConn) gathered() int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return len(*g.buffer)
}

// flush writes what was collected and ends the collecting. The deadline is the
// one that was set on the underlying connection.
func (g *gatherConn) flush() error {
	g.mu.Lock()
	buffer := g.buffer
	g.buffer = nil
	g.mu.Unlock()
	var err error
	if len(*buffer) > 0 {
		_, err = g.Conn.Write(*buffer)
	}
	if cap(*buffer) <= 2*gatherSize { // a rare large one is left to the collector
		*buffer = (*buffer)[:0]
		gatherBuffers.Put(buffer)
	}
	return err
}
