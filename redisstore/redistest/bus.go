package redistest

import (
	"context"
	"io"
	"net"
	"strconv"
	"sync"
	"testing"
)

// bus stands between a server of a cluster and the others that connect to it.
type bus struct {
	port int

	mu      sync.Mutex
	to      string // where the server listens
	isCut   bool
	current map[net.Conn]struct{}
	work    sync.WaitGroup // added to under mu, unless closed
	closed  bool
}

func newBus(tb testing.TB) *bus {
	tb.Helper()
	l, err := new(net.ListenConfig).Listen(tb.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	address, ok := l.Addr().(*net.TCPAddr)
	if !ok {
		tb.Fatal("no port")
	}
	b := &bus{port: address.Port, current: make(map[net.Conn]struct{})}
	// Ends when the listener is closed; the cleanup waits.
	b.work.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			b.serve(conn)
		}
	})
	tb.Cleanup(func() {
		_ = l.Close()
		b.mu.Lock()
		b.closed = true
		b.drop()
		b.mu.Unlock()
		b.work.Wait()
	})
	return b
}

// target says where the server listens.
func (b *bus) target(port int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.to = net.JoinHostPort("127.0.0.1", strconv.Itoa(port))
}

// cut breaks all connections and lets no new ones through, or lets them.
func (b *bus) cut(cut bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.isCut = cut; cut {
		b.drop()
	}
}

// drop closes all connections. The caller holds mu.
func (b *bus) drop() {
	for conn := range b.current {
		_ = conn.Close() // ends whoever copies
	}
}

func (b *bus) serve(conn net.Conn) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.isCut || b.closed {
		_ = conn.Close()
		return
	}
	server, err := new(net.Dialer).DialContext(context.Background(), "tcp", b.to)
	if err != nil {
		_ = conn.Close()
		return
	}
	b.current[conn], b.current[server] = struct{}{}, struct{}{}
	for _, pair := range [][2]net.Conn{{conn, server}, {server, conn}} {
		// Ends when either connection does; drop ends both.
		b.work.Go(func() {
			_, _ = io.Copy(pair[0], pair[1])
			_ = conn.Close()
			_ = server.Close()
			b.mu.Lock()
			defer b.mu.Unlock()
			delete(b.current, conn)
			delete(b.current, server)
		})
	}
}
