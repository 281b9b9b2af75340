package harness

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gorilla/websocket"
)

// Socket is a WebSocket that keeps every frame of the server. One goroutine may send;
// all other methods are safe for concurrent use.
type Socket struct {
	conn    *websocket.Conn
	options ClientOptions // of reading
	done    chan struct{} // closed when reading has ended

	mu      sync.Mutex
	frames  []Frame
	next    int           // the first frame that Wait has not returned or skipped
	changed chan struct{} // closed and replaced with each new frame
	closing Closing       // set before done is closed
}

// Closing is the end of a connection.
type Closing struct {
	At     time.Time
	Code   int // 1006 without a close frame
	Reason string
}

// Close drops the connection without a close frame.
func (s *Socket) Close() {
	_ = s.conn.Close() // fails only if it is closed
	<-s.done
}

func (s *Socket) read() {
	defer close(s.done)
	for {
		if s.options.BeforeRead != nil {
			s.options.BeforeRead()
		}
		s.extendRead()
		_, data, err := s.conn.ReadMessage()
		now := time.Now()
		if err != nil {
			s.end(now, err)
			return
		}
		f := Frame{At: now, Size: len(data)}
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

// extendRead starts ClientOptions.ReadTimeout.
func (s *Socket) extendRead() {
	if s.options.ReadTimeout > 0 {
		_ = s.conn.SetReadDeadline(time.Now().Add(s.options.ReadTimeout)) // if that fails, reading does
	}
}

func (s *Socket) end(at time.Time, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closing = Closing{At: at, Code: websocket.CloseAbnormalClosure, Reason: err.Error()}
	if e, ok := errors.AsType[*websocket.CloseError](err); ok {
		s.closing.Code, s.closing.Reason = e.Code, e.Text
	}
}

// Write sends a frame.
func (s *Socket) Write(value any) error {
	if err := s.conn.SetWriteDeadline(time.Now().Add(WaitTime)); err != nil {
		return err
	}
	return s.conn.WriteJSON(value)
}

// Send sends a frame, and fails the test if it cannot.
func (s *Socket) Send(t *testing.T, value any) {
	t.Helper()
	if err := s.Write(value); err != nil {
		t.Fatalf("sending: %v", err)
	}
}

// SendRaw sends bytes as a message of a kind: 1 is text, 2 binary, 8 a close frame.
func (s *Socket) SendRaw(t *testing.T, kind int, data string) {
	t.Helper()
	if err := s.conn.WriteMessage(kind, []byte(data)); err != nil {
		t.Fatalf("sending: %v", err)
	}
}

// Publish sends a message without an id.
func (s *Socket) Publish(t *testing.T, text string) {
	t.Helper()
	s.Send(t, Fields{"type": "message", "message": text})
}

// Wait returns the next frame that is wanted, and skips others. It returns false when
// the connection or the time has ended.
func (s *Socket) Wait(within time.Duration, wanted func(*Frame) bool) (Frame, bool) {
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
			return Frame{}, false
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

// Await waits for the next frame of a type.
func (s *Socket) Await(t *testing.T, kind string) Frame {
	t.Helper()
	return s.AwaitFrame(t, kind, func(f *Frame) bool { return f.Type == kind })
}

// AwaitText waits for the message with a text.
func (s *Socket) AwaitText(t *testing.T, text string) Frame {
	t.Helper()
	return s.AwaitFrame(t, "message "+text, func(f *Frame) bool { return f.Type == "message" && f.Message == text })
}

// AwaitFrame waits for the next frame that is wanted.
func (s *Socket) AwaitFrame(t *testing.T, what string, wanted func(*Frame) bool) Frame {
	t.Helper()
	f, ok := s.Wait(WaitTime, wanted)
	if !ok {
		t.Fatalf("no %s; received: %s; closed: %+v", what, s.Summary(), s.Closing())
	}
	return f
}

// Frames returns the frames that were received so far.
func (s *Socket) Frames() []Frame {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clip(s.frames)
}

// Changed returns a channel that is closed with the next frame.
func (s *Socket) Changed() <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.changed
}

// Count returns the number of received frames of a type.
func (s *Socket) Count(kind string) int {
	n := 0
	for _, f := range s.Frames() {
		if f.Type == kind {
			n++
		}
	}
	return n
}

// Summary names the newest frames.
func (s *Socket) Summary() string {
	var b strings.Builder
	frames := s.Frames()
	for _, f := range frames[max(0, len(frames)-20):] {
		fmt.Fprintf(&b, "%s ", f.Type)
		if f.Code != "" {
			fmt.Fprintf(&b, "(%s) ", f.Code)
		}
	}
	return b.String()
}

// Done returns a channel that is closed when the connection has ended.
func (s *Socket) Done() <-chan struct{} { return s.done }

// IsOpen reports whether the connection has not ended.
func (s *Socket) IsOpen() bool {
	select {
	case <-s.done:
		return false
	default:
		return true
	}
}

// Closing returns the end of the connection, the zero value while it is open.
func (s *Socket) Closing() Closing {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.closing
}

// AwaitEnd waits for the end of the connection, and returns it. After WaitTime it
// returns the zero value.
func (s *Socket) AwaitEnd() Closing {
	timer := time.NewTimer(WaitTime)
	defer timer.Stop()
	select {
	case <-s.done:
	case <-timer.C:
	}
	return s.Closing()
}

// AwaitClose waits for the end of the connection, and fails the test if it ends with
// another code.
func (s *Socket) AwaitClose(t *testing.T, code int) Closing {
	t.Helper()
	end := s.AwaitEnd()
	if end.Code != code {
		t.Fatalf("closed with %d %q, not %d; received: %s", end.Code, end.Reason, code, s.Summary())
	}
	return end
}

// AwaitGoingAway waits for a node that stops, or no longer serves the chat, to close
// the connection: by 1001, with the time after which the client should return.
func (s *Socket) AwaitGoingAway(t *testing.T) {
	t.Helper()
	if end := s.AwaitClose(t, websocket.CloseGoingAway); !strings.HasPrefix(end.Reason, "retry=") {
		t.Errorf("closed: %+v", end)
	}
}
