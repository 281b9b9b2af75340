package ws_test

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"github.com/ephemeralchat/caddy-ephemeral-chat/room"
)

// awaitHangUp waits until the server has closed the network connection, and returns
// how long that took.
func awaitHangUp(t *testing.T, conn net.Conn) time.Duration {
	t.Helper()
	start := time.Now()
	if err := conn.SetReadDeadline(start.Add(waitLimit)); err != nil {
		t.Fatal(err)
	}
	if _, err := io.Copy(io.Discard, conn); err != nil {
		t.Fatalf("waiting for the end of the connection: %v", err)
	}
	return time.Since(start)
}

func TestClientCloses(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	admin := s.create(t)
	for name, test := range map[string]struct {
		joined  bool
		payload []byte
		want    int
	}{
		"normal":       {true, websocket.FormatCloseMessage(1000, "bye"), 1000},
		"page left":    {true, websocket.FormatCloseMessage(1001, ""), 1001},
		"own code":     {true, websocket.FormatCloseMessage(4000, ""), 4000},
		"no code":      {true, nil, 1000},
		"never joined": {false, websocket.FormatCloseMessage(1000, ""), 1000},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := s.connect(t)
			if test.joined {
				c.send(joinFields(s.rejoin(t, admin)))
				c.next("welcome")
			}
			if err := c.socket.WriteControl(websocket.CloseMessage, test.payload, time.Now().Add(waitLimit)); err != nil {
				t.Fatal(err)
			}
			c.expectClosed(test.want)
			if took := awaitHangUp(t, c.socket.NetConn()); took > time.Second {
				t.Errorf("the connection was closed after %v", took)
			}
		})
	}
}

func TestServerCloses(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	for want, provoke := range map[int]func(admin room.Admission, c *client){
		4400: func(_ room.Admission, c *client) { c.sendText("hello") },
		4409: func(admin room.Admission, _ *client) { s.join(t, admin) },
	} {
		admin := s.create(t)
		c, _ := s.join(t, admin)
		provoke(admin, c)
		c.expectClosed(want) // and gorilla/websocket has answered
		if took := awaitHangUp(t, c.socket.NetConn()); took > time.Second {
			t.Errorf("after %d the connection was closed after %v", want, took)
		}
	}
}

// TestCloseUnanswered checks that the server waits for a limited time for a client that
// does not answer a close frame, silent or not.
func TestCloseUnanswered(t *testing.T) {
	for name, sending := range map[string]bool{"silent": false, "sending": true} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				s := newSite(t, piped)
				admin := s.create(t)
				c, _ := s.join(t, admin)
				c.socket.SetCloseHandler(func(int, string) error { return nil })
				replaced := time.Now()
				s.join(t, admin)
				c.expectClosed(4409)
				done := make(chan struct{})
				// It ends when the server closes the connection.
				go func() {
					defer close(done)
					for sending {
						elapse(100 * time.Millisecond)
						if _, err := c.socket.NetConn().Write(rawFrame(final|opText, `{"type":"message","message":"x"}`)); err != nil {
							return
						}
						if _, err := c.socket.NetConn().Write(rawFrame(final|opPing, "")); err != nil {
							return
						}
					}
				}()
				awaitHangUp(t, c.socket.NetConn())
				<-done
				if took := time.Since(replaced); took < 5*time.Second || took > 7*time.Second {
					t.Errorf("the connection was closed after %v, want 5 to 7 s", took)
				}
				if kept := s.kept(t, admin); len(kept) > 0 {
					t.Errorf("stored after the close: %q", kept)
				}
			})
		})
	}
}

// expectGoingAway checks a close reason retry=<ms>.
func (c *client) expectGoingAway() time.Duration {
	c.tb.Helper()
	reason := c.awaitClosed(websocket.CloseGoingAway)
	ms, ok := strings.CutPrefix(reason, "retry=")
	n, err := strconv.Atoi(ms)
	if !ok || err != nil || n < 0 || n > 2000 {
		c.tb.Errorf("reason %q, want retry= and up to 2000 ms", reason)
	}
	return time.Duration(n) * time.Millisecond
}

func TestHubCloses(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	admin := s.create(t)
	var clients []*client
	for i := range 10 {
		c, _ := s.join(t, s.addMember(t, admin, fmt.Sprintf("user%d", i)))
		clients = append(clients, c)
	}
	left, _ := s.join(t, s.addMember(t, admin, "left"))
	left.leave()
	clients = append(clients, s.connect(t))
	late := s.connect(t)

	start := time.Now()
	s.hub.Close()
	if took := time.Since(start); took > time.Second {
		t.Errorf("closing took %v, though every client answers", took)
	}
	retries := make(map[time.Duration]bool)
	for _, c := range append(clients, late) {
		retries[c.expectGoingAway()] = true
	}
	if len(retries) < 6 {
		t.Errorf("12 clients received only %d different times", len(retries))
	}
	if got := s.refused(t, nil); got != http.StatusServiceUnavailable {
		t.Errorf("status %d after the hub was closed, want 503", got)
	}
	if got := s.refused(t, joinQuery(admin)); got != http.StatusServiceUnavailable {
		t.Errorf("status %d after the hub was closed, want 503", got)
	}
	s.hub.Close()
}

// TestHubClosesStalled checks that closing is not delayed by clients that do not read,
// nor by a store that does not answer.
func TestHubClosesStalled(t *testing.T) {
	for name, secure := range map[string]bool{"plain": false, "TLS": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSite(t, small(secure)...)
			admin := s.create(t)
			good, _ := s.join(t, admin)
			for range 3 {
				s.stalled(t, s.rejoin(t, admin))
			}
			for range 100 {
				s.post(t, admin, strings.Repeat("x", 4096))
			}
			for range 100 {
				good.await("message")
			}
			second := s.rejoin(t, admin)
			s.store.hang("Member", "Watch", "Enter", "After", "Before", "Post")
			joining := s.connect(t)
			joining.send(joinFields(second))
			good.post(1, "will not be stored")
			refused := make(chan error, 1)
			// It ends when the request is answered.
			go func() {
				socket, response, err := s.dialer().DialContext(t.Context(), s.address(joinQuery(admin)), nil)
				if response != nil {
					_ = response.Body.Close()
				}
				if err == nil {
					_ = socket.Close()
				} else if response != nil && response.StatusCode != http.StatusServiceUnavailable {
					err = fmt.Errorf("status %d", response.StatusCode)
				}
				refused <- err
			}()
			s.store.awaitHung(t, 3)
			start := time.Now()
			s.hub.Close()
			if took := time.Since(start); took > 2500*time.Millisecond {
				t.Errorf("closing took %v", took)
			}
			good.expectGoingAway()
			joining.expectGoingAway()
			if err := <-refused; !errors.Is(err, websocket.ErrBadHandshake) {
				t.Errorf("joining by query while the hub closes: %v", err)
			}
		})
	}
}
