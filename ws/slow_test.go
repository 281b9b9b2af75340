package ws_test

import (
	"crypto/tls"
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
				_ = tcp.SetWriteBuffer(64 << 10)
			}
		}
	}}
}

// stalled opens a socket that joins and reads its welcome, and no more.
func (s *site) stalled(tb testing.TB, as room.Admission, more ...string) (*websocket.Conn, frame) {
	tb.Helper()
	socket := s.open(tb, joinQuery(as, more...))
	tb.Cleanup(func() { _ = socket.Close() })
	_, data, err := socket.ReadMessage()
	if err != nil {
		tb.Fatalf("waiting for the welcome: %v", err)
	}
	welcome := decodeFrame(tb, data)
	if welcome.Type != "welcome" {
		tb.Fatalf("told %.200s, want the welcome", data)
	}
	return socket, welcome
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
			stalled, _ := s.stalled(t, s.again(t, admin))
			text := strings.Repeat("x", 4<<10)
			const messages = 1300 // more than 5 MiB
			for range messages / 50 {
				for range 50 {
					s.post(t, admin, text)
				}
				for _, c := range others {
					for range 50 {
						c.await("message")
					}
				}
			}
			// It comes back to its senses.
			if err := stalled.SetReadDeadline(time.Now().Add(patience)); err != nil {
				t.Fatal(err)
			}
			c := newClient(t, "the stalled reader", stalled)
			<-c.finished
			frames := c.taken()
			if len(frames) == 0 || frames[0].Type != "started" {
				t.Fatalf("of %d frames the first is not started", len(frames))
			}
			for i, f := range frames[1:] {
				if f.Type != "message" || f.Seq != uint64(i+1) {
					t.Fatalf("told %.80s, want message %d", f.raw, i+1)
				}
			}
			if total := len(frames) * len(text); total > 5<<20 {
				t.Errorf("%d bytes waited for the stalled reader, want about 4 MiB at most", total)
			}
			if reason := c.closedWith(4503); reason != "too_slow" {
				t.Errorf("reason %q", reason)
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
	stalled, _ := s.stalled(t, s.again(t, admin))
	for range 300 {
		s.post(t, admin, strings.Repeat("x", 4<<10))
	}
	for range 300 {
		other.await("message")
	}
	if err := tcpOf(t, stalled).CloseWrite(); err != nil {
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

// tcpOf returns the TCP connection under a WebSocket.
func tcpOf(tb testing.TB, socket *websocket.Conn) *net.TCPConn {
	tb.Helper()
	conn := socket.NetConn()
	if secure, ok := conn.(*tls.Conn); ok {
		conn = secure.NetConn()
	}
	tcp, ok := conn.(*net.TCPConn)
	if !ok {
		tb.Fatalf("the connection is a %T", conn)
	}
	return tcp
}
