package ws_test

import (
	"context"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gorilla/websocket"
)

// recorder records the status of a response. It gives access to the writer that it wraps
// only by Unwrap, as Caddy's writers do.
type recorder struct {
	inner  http.ResponseWriter
	status int
}

func (r *recorder) Header() http.Header         { return r.inner.Header() }
func (r *recorder) Write(b []byte) (int, error) { return r.inner.Write(b) }
func (r *recorder) WriteHeader(status int)      { r.status = status; r.inner.WriteHeader(status) }
func (r *recorder) Unwrap() http.ResponseWriter { return r.inner }

// exchangeMessages checks that two clients receive each other's messages and close
// normally.
func exchangeMessages(t *testing.T, s *site) {
	t.Helper()
	admin := s.create(t)
	one, _ := s.join(t, admin)
	two, _ := s.joinByQuery(t, s.addMember(t, admin, "anna"))
	one.next("joined")
	text := strings.Repeat("x", 4096)
	one.post(1, text)
	for _, c := range []*client{one, two} {
		c.next("started")
		c.nextMessage(text)
	}
	two.leave()
	one.leave()
}

func TestTLS(t *testing.T) {
	t.Parallel()
	exchangeMessages(t, newSite(t, func(p *siteConfig) { p.secure = true }))
}

// TestWrappedWriter checks that a connection can be hijacked from wrappers that only
// unwrap, and that they record the status before the handler returns.
func TestWrappedWriter(t *testing.T) {
	t.Parallel()
	statuses := make(chan int, 100)
	s := newSite(t, func(p *siteConfig) {
		p.wrap = func(h http.Handler) http.Handler {
			return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				outer := &recorder{inner: &recorder{inner: w}}
				h.ServeHTTP(outer, r)
				statuses <- outer.status
			})
		}
	})
	recorded := func(want int) {
		t.Helper()
		if got := <-statuses; got != want {
			t.Errorf("status %d was recorded, want %d", got, want)
		}
	}
	exchangeMessages(t, s)
	recorded(http.StatusSwitchingProtocols)
	recorded(http.StatusSwitchingProtocols)
	if got := s.refused(t, joinQuery(s.create(t), "after", "x")); got != http.StatusBadRequest {
		t.Errorf("status %d, want 400", got)
	}
	recorded(http.StatusBadRequest)
}

// TestServeReturns checks that the handler returns while the connection is open, and that
// the end of the request does not end the connection.
func TestServeReturns(t *testing.T) {
	t.Parallel()
	ended := make(chan context.Context, 100)
	s := newSite(t, func(p *siteConfig) {
		p.wrap = func(h http.Handler) http.Handler {
			return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				h.ServeHTTP(w, r)
				ended <- r.Context()
			})
		}
	})
	admin := s.create(t)
	c, _ := s.joinByQuery(t, admin)
	<-(<-ended).Done()
	c.post(1, "hello")
	c.next("started")
	c.nextMessage("hello")
	if logged := s.logged.String(); logged != "" {
		t.Errorf("logged: %s", logged)
	}
}

// requestRaw sends a request to open a WebSocket, followed by these bytes, and
// returns the connection.
func (s *site) requestRaw(t *testing.T, query string, more ...byte) net.Conn {
	t.Helper()
	conn, err := s.dial(t.Context(), "tcp", s.server.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	request := "GET /ws?" + query + " HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n" +
		"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
	if _, err := conn.Write(append([]byte(request), more...)); err != nil {
		t.Fatal(err)
	}
	return conn
}

// TestFrameBeforeUpgrade checks that a client that sends frames before the upgrade is
// closed, and that its message is not stored.
func TestFrameBeforeUpgrade(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	admin := s.create(t)
	other, _ := s.join(t, admin)
	anna := s.addMember(t, admin, "anna")
	conn := s.requestRaw(t, joinQuery(anna).Encode(), rawFrame(final|opText, `{"type":"message","message":"early"}`)...)
	defer conn.Close()
	if f := other.next("joined"); f.UserID != "anna" {
		t.Errorf("received %s", f.raw)
	}
	awaitHangUp(t, conn)
	other.next("left")
	if kept := s.kept(t, admin); len(kept) > 0 {
		t.Errorf("kept %q", kept)
	}
}

// TestConcurrentJoins checks that concurrent joins watch a room once.
func TestConcurrentJoins(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	admin := s.create(t)
	var mu sync.Mutex
	watched := 0
	s.store.intercept(func(method string) {
		if method == "Watch" {
			mu.Lock()
			watched++
			mu.Unlock()
		}
	})
	clients := make([]*client, 20)
	for i := range clients {
		clients[i] = s.connect(t)
	}
	for _, c := range clients {
		c.send(joinFields(s.rejoin(t, admin)))
	}
	for _, c := range clients {
		c.next("welcome")
	}
	mu.Lock()
	defer mu.Unlock()
	if watched != 1 {
		t.Errorf("watched %d times, want once", watched)
	}
}

// TestOpenerLeaves checks that a join that waits for another connection to open the room
// succeeds though that connection ends.
func TestOpenerLeaves(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	admin := s.create(t)
	second := s.rejoin(t, admin)
	s.store.hang("Watch")
	first := s.requestRaw(t, joinQuery(admin).Encode())
	s.store.awaitHung(t, 1)
	entering := make(chan struct{}, 1)
	s.store.intercept(func(method string) {
		if method == "Member" {
			entering <- struct{}{}
		}
	})
	waiting := s.connect(t)
	waiting.send(joinFields(second))
	<-entering
	s.store.hang()
	_ = first.Close()
	waiting.next("welcome")
}

// TestStoreHangsWhileJoining checks that a join is answered in time though the store does
// not answer.
func TestStoreHangsWhileJoining(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		s := newSite(t, piped)
		admin := s.create(t)
		s.store.hang("Watch")
		start := time.Now()
		first, second := s.connect(t), s.connect(t)
		first.send(joinFields(admin))
		elapse(time.Second)
		second.send(joinFields(admin))
		first.expectClosed(websocket.CloseTryAgainLater)
		second.expectClosed(websocket.CloseTryAgainLater)
		if took := time.Since(start); took != 5*time.Second {
			t.Errorf("it took %v, want 5 s", took)
		}
		s.store.hang()
		s.join(t, admin)
	})
}

// TestFailedUpgradesOfASession checks that an event of the room, such as a newer
// connection of the session, can close a connection whose upgrade has failed.
func TestFailedUpgradesOfASession(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	admin := s.create(t)
	early := rawFrame(final|opText, `{"type":"typing"}`)
	for range 50 {
		conns := make([]net.Conn, 4)
		for i := range conns {
			conns[i] = s.requestRaw(t, joinQuery(admin).Encode(), early...)
		}
		for _, conn := range conns {
			awaitHangUp(t, conn)
			_ = conn.Close()
		}
	}
	exchangeMessages(t, s)
}
