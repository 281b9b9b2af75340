package e2e_test

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gorilla/websocket"
)

// waitTime is in which an answer must come on a busy machine.
const waitTime = 15 * time.Second

// socket is a WebSocket that keeps every frame it is sent. Methods are safe for
// concurrent use but for send.
type socket struct {
	conn *websocket.Conn
	done chan struct{} // closed when nothing is read any more

	mu      sync.Mutex
	frames  []frame
	next    int           // the first frame that await has not looked at
	changed chan struct{} // closed with each new frame, and replaced
	closed  closing       // set once done
}

// closing is how a connection ended.
type closing struct {
	at     time.Time
	code   int // 1006 if there was no close frame
	reason string
}

// wsURL is where the WebSocket of a mount point is.
func wsURL(base string) string {
	return strings.Replace(base, "http", "ws", 1) + "/ws"
}

// openSocket opens a WebSocket and returns the answer of the server, also when
// that is a refusal; nil if there was none.
func openSocket(ctx context.Context, url string, header http.Header, trust *tls.Config) (*socket, *answer, error) {
	dialer := websocket.Dialer{HandshakeTimeout: waitTime, TLSClientConfig: trust}
	conn, response, err := dialer.DialContext(ctx, url, header)
	var got *answer
	if response != nil {
		got = &answer{status: response.StatusCode, header: response.Header}
		if err != nil {
			got.body, _ = io.ReadAll(response.Body) // as much as gorilla/websocket keeps
			_ = json.Unmarshal(got.body, &got.fields)
		}
		_ = response.Body.Close()
	}
	if err != nil {
		return nil, got, err
	}
	s := &socket{conn: conn, done: make(chan struct{}), changed: make(chan struct{})}
	// It ends when the connection does, which close sees to and waits for.
	go s.read()
	return s, got, nil
}

// dial opens a WebSocket that is closed with the test.
func dial(t *testing.T, base string) *socket {
	t.Helper()
	s, _, err := openSocket(t.Context(), wsURL(base), nil, nil)
	if err != nil {
		t.Fatalf("WebSocket to %s: %v", base, err)
	}
	t.Cleanup(s.close)
	return s
}

// enter opens a WebSocket, joins a room, and returns the welcome.
func enter(t *testing.T, base string, m *member) (*socket, frame) {
	t.Helper()
	s := dial(t, base)
	s.send(t, m.credentials("type", "join"))
	return s, s.await(t, "welcome")
}

// resume does the same for a member who was here before.
func resume(t *testing.T, base string, m *member, after uint64, epoch string) (*socket, frame) {
	t.Helper()
	s := dial(t, base)
	s.send(t, m.credentials("type", "join", "after", after, "epoch", epoch))
	return s, s.await(t, "welcome")
}

// close drops the connection without a word.
func (s *socket) close() {
	_ = s.conn.Close()
	<-s.done
}

func (s *socket) read() {
	defer close(s.done)
	for {
		_, data, err := s.conn.ReadMessage()
		now := time.Now()
		if err != nil {
			s.end(now, err)
			return
		}
		f := frame{at: now, size: len(data)}
		if err := json.Unmarshal(data, &f); err != nil {
			s.end(now, fmt.Errorf("frame does not decode: %w: %s", err, data))
			return
		}
		s.mu.Lock()
		s.frames = append(s.frames, f)
		close(s.changed)
		s.changed = make(chan struct{})
		s.mu.Unlock()
	}
}

func (s *socket) end(at time.Time, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = closing{at: at, code: websocket.CloseAbnormalClosure, reason: err.Error()}
	if e, ok := errors.AsType[*websocket.CloseError](err); ok {
		s.closed.code, s.closed.reason = e.Code, e.Text
	}
}

// write sends a frame.
func (s *socket) write(value any) error {
	if err := s.conn.SetWriteDeadline(time.Now().Add(waitTime)); err != nil {
		return err
	}
	return s.conn.WriteJSON(value)
}

func (s *socket) send(t *testing.T, value any) {
	t.Helper()
	if err := s.write(value); err != nil {
		t.Fatalf("sending: %v", err)
	}
}

// say sends a message.
func (s *socket) say(t *testing.T, text string) {
	t.Helper()
	s.send(t, fields{"type": "message", "message": text})
}

// expect waits for the next frame that is wanted, passing over others, or for
// the end.
func (s *socket) expect(within time.Duration, wanted func(*frame) bool) (frame, bool) {
	timer := time.NewTimer(within)
	defer timer.Stop()
	for ended := false; ; {
		s.mu.Lock()
		for s.next < len(s.frames) {
			f := s.frames[s.next]
			s.next++
			if wanted(&f) {
				s.mu.Unlock()
				return f, true
			}
		}
		changed := s.changed
		s.mu.Unlock()
		if ended {
			return frame{}, false
		}
		select {
		case <-changed:
		case <-s.done:
			ended = true
		case <-timer.C:
			ended = true
		}
	}
}

// await waits for the next frame of a type.
func (s *socket) await(t *testing.T, kind string) frame {
	t.Helper()
	return s.awaitThat(t, kind, func(f *frame) bool { return f.Type == kind })
}

// awaitText waits for the message with a text.
func (s *socket) awaitText(t *testing.T, text string) frame {
	t.Helper()
	return s.awaitThat(t, "message "+text, func(f *frame) bool { return f.Type == "message" && f.Message == text })
}

func (s *socket) awaitThat(t *testing.T, what string, wanted func(*frame) bool) frame {
	t.Helper()
	f, ok := s.expect(waitTime, wanted)
	if !ok {
		t.Fatalf("no %s; came: %s; closed: %+v", what, s.summary(), s.ending())
	}
	return f
}

// all returns the frames that have come so far.
func (s *socket) all() []frame {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clip(s.frames)
}

// change returns a channel that is closed when the next frame comes.
func (s *socket) change() <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.changed
}

// count returns how many frames of a type have come.
func (s *socket) count(kind string) int {
	n := 0
	for _, f := range s.all() {
		if f.Type == kind {
			n++
		}
	}
	return n
}

// summary names the last frames that have come.
func (s *socket) summary() string {
	var b strings.Builder
	frames := s.all()
	for _, f := range frames[max(0, len(frames)-20):] {
		fmt.Fprintf(&b, "%s ", f.Type)
		if f.Code != "" {
			fmt.Fprintf(&b, "(%s) ", f.Code)
		}
	}
	return b.String()
}

// ending returns how the connection ended, nothing if it is open.
func (s *socket) ending() closing {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.closed
}

func (s *socket) isOpen() bool {
	select {
	case <-s.done:
		return false
	default:
		return true
	}
}

// awaitClose waits for the end of the connection and fails the test if it ends
// with another code.
func (s *socket) awaitClose(t *testing.T, code int) closing {
	t.Helper()
	timer := time.NewTimer(waitTime)
	defer timer.Stop()
	select {
	case <-s.done:
	case <-timer.C:
		t.Fatalf("not closed; came: %s", s.summary())
	}
	end := s.ending()
	if end.code != code {
		t.Fatalf("closed with %d %q, not %d; came: %s", end.code, end.reason, code, s.summary())
	}
	return end
}

// openRaw opens a WebSocket with a bounded receive buffer, on which nothing is
// read but the answer to the upgrade.
func openRaw(t *testing.T, base string) *websocket.Conn {
	t.Helper()
	dialer := websocket.Dialer{
		HandshakeTimeout: waitTime,
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
	conn, _, err := dialer.DialContext(t.Context(), wsURL(base), nil) //nolint:bodyclose // the connection owns it
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return conn
}
