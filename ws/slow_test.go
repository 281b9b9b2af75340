package ws_test

import (
	"context"
	"errors"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"github.com/ephemeralchat/caddy-ephemeral-chat/room"
)

// small makes the server's network buffers small, so that it is soon noticed
// when a client does not read.
func small(secure bool) []func(*plan) {
	return []func(*plan){func(p *plan) {
		p.secure = secure
		p.accepted = func(conn net.Conn) {
			if tcp, ok := conn.(*net.TCPConn); ok {
				_ = tcp.SetWriteBuffer(8 << 10)
			}
		}
	}}
}

// stalled opens a socket with a small receive buffer that joins, and of which
// nobody reads.
func (s *site) stalled(tb testing.TB, as room.Admission, more ...string) *websocket.Conn {
	tb.Helper()
	dialer := s.dialer()
	dialer.NetDialContext = func(ctx context.Context, network, addr string) (net.Conn, error) {
		conn, err := s.dial(ctx, network, addr)
		if tcp, ok := conn.(*net.TCPConn); ok {
			err = errors.Join(err, tcp.SetReadBuffer(4<<10))
		}
		return conn, err
	}
	socket, response, err := dialer.DialContext(tb.Context(), s.address(joinQuery(as, more...)), nil)
	if err != nil {
		tb.Fatalf("opening a WebSocket: %v", err)
	}
	_ = response.Body.Close()
	tb.Cleanup(func() { _ = socket.Close() })
	return socket
}

// TestStalledReader checks that a client that does not read is no burden to
// anybody: the others are told everything meanwhile, it is closed alone, with
// the code that says so, and what waited for it was bounded.
func TestStalledReader(t *testing.T) {
	for name, secure := range map[string]bool{"plain": false, "TLS": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSite(t, small(secure)...)
			admin := s.create(t)
			others := make([]*client, 3)
			for i := range others {
				others[i], _ = s.join(t, s.again(t, admin))
			}
			stalled := s.stalled(t, s.again(t, admin))
			text := strings.Repeat("x", 4<<10)
			const messages = 1500 // 6 MiB
			for i := range messages {
				s.post(t, admin, text)
				if i%100 == 0 {
					others[0].await("message") // the test's own clients must keep up
				}
			}
			for _, c := range others {
				for seq := uint64(0); seq < messages; {
					seq = c.await("message").Seq
				}
			}
			// It comes back to its senses.
			if err := stalled.SetReadDeadline(time.Now().Add(patience)); err != nil {
				t.Fatal(err)
			}
			c := newClient(t, "the stalled reader", stalled)
			<-c.finished
			frames := c.taken()
			if len(frames) < 2 || frames[0].Type != "welcome" || frames[1].Type != "started" {
				t.Fatalf("of %d frames the first are no welcome and started", len(frames))
			}
			for i, f := range frames[2:] {
				if f.Type != "message" || f.Seq != uint64(i+1) {
					t.Fatalf("frame %d is %.80s, want message %d", i+2, f.raw, i+1)
				}
			}
			if total := len(frames) * len(text); total > 5<<20 {
				t.Errorf("%d bytes waited for the stalled reader, want about 4 MiB at most", total)
			}
			if end := c.closedWith(4503); end.Text != "too_slow" {
				t.Errorf("reason %q", end.Text)
			}
			for _, c := range others {
				c.alive()
			}
		})
	}
}

// TestStalledReaderHangsUp checks that nobody waits for the goodbye of a
// connection that takes nothing and is gone.
func TestStalledReaderHangsUp(t *testing.T) {
	t.Parallel()
	s := newSite(t, small(true)...)
	admin := s.create(t)
	other, _ := s.join(t, admin)
	stalled := s.stalled(t, s.again(t, admin))
	for range 300 {
		s.post(t, admin, strings.Repeat("x", 4<<10))
	}
	for range 300 {
		other.await("message")
	}
	secure, ok := stalled.NetConn().(interface{ NetConn() net.Conn })
	if !ok {
		t.Fatal("the connection is not TLS")
	}
	tcp, ok := secure.NetConn().(*net.TCPConn)
	if !ok {
		t.Fatal("the connection is not TCP")
	}
	if err := tcp.CloseWrite(); err != nil {
		t.Fatal(err)
	}
	for start := time.Now(); time.Since(start) < 2*time.Second; {
		said := time.Now()
		s.post(t, admin, "hello")
		other.nextMessage("hello")
		if took := time.Since(said); took > time.Second {
			t.Fatalf("a message took %v", took)
		}
	}
}
