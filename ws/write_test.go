package ws_test

import (
	"crypto/tls"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"
)

// small makes the server's network buffers small, so that they are soon full when a
// client does not read.
func small(secure bool) []func(*siteConfig) {
	return []func(*siteConfig){func(p *siteConfig) {
		p.secure = secure
		p.accepted = func(conn net.Conn) {
			if tcp, ok := conn.(*net.TCPConn); ok {
				_ = tcp.SetWriteBuffer(64 << 10)
			}
		}
	}}
}

// TestStalledReader checks that a client that does not read slows down no other: these
// receive every message meanwhile, it alone is closed, with the code for it, and the
// server has queued a bounded number of bytes for it.
func TestStalledReader(t *testing.T) {
	for name, secure := range map[string]bool{"plain": false, "TLS": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSite(t, small(secure)...)
			admin := s.create(t)
			others := make([]*client, 3)
			for i := range others {
				others[i], _ = s.join(t, s.rejoin(t, admin))
			}
			stalled, _ := s.stalled(t, s.rejoin(t, admin))
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
			stalled.start()
			<-stalled.finished
			frames := stalled.received()
			if len(frames) == 0 || frames[0].Type != "started" {
				t.Fatalf("of %d frames the first is not started", len(frames))
			}
			for i, f := range frames[1:] {
				if f.Type != "message" || f.Seq != uint64(i+1) {
					t.Fatalf("received %.80s, want message %d", f.raw, i+1)
				}
			}
			if total := len(frames) * len(text); total > 5<<20 {
				t.Errorf("%d bytes waited for the stalled reader, want about 4 MiB at most", total)
			}
			if reason := stalled.awaitClosed(4503); reason != "too_slow" {
				t.Errorf("reason %q", reason)
			}
			for _, c := range others {
				c.expectOpen()
			}
		})
	}
}

// TestStalledReaderHangsUp checks that no message waits for the TLS alert of a
// connection that reads nothing and is gone.
func TestStalledReaderHangsUp(t *testing.T) {
	t.Parallel()
	s := newSite(t, small(true)...)
	admin := s.create(t)
	other, _ := s.join(t, admin)
	stalled, _ := s.stalled(t, s.rejoin(t, admin))
	for range 300 {
		s.post(t, admin, strings.Repeat("x", 4<<10))
	}
	for range 300 {
		other.await("message")
	}
	if err := tcpOf(t, stalled.socket).CloseWrite(); err != nil {
		t.Fatal(err)
	}
	for start := time.Now(); time.Since(start) < 2*time.Second; {
		posted := time.Now()
		s.post(t, admin, "hello")
		other.nextMessage("hello")
		if took := time.Since(posted); took > time.Second {
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
