package ws_test

import (
	"encoding/json"
	"errors"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/gorilla/websocket"
)

// entry is a message of a welcome, replay or history frame.
type entry struct {
	Seq       uint64 `json:"seq"`
	Message   string `json:"message"`
	Timestamp string `json:"timestamp"`
	UserID    string `json:"userId"`
	ID        uint64 `json:"id"`
	Session   string `json:"session"`
	Retracted bool   `json:"retracted"`
}

// frame is any frame of the server.
type frame struct {
	entry
	Type        string         `json:"type"`
	SocketID    string         `json:"socketId"`
	Role        string         `json:"role"`
	Room        map[string]any `json:"room"`
	Now         string         `json:"now"`
	Epoch       string         `json:"epoch"`
	LastID      uint64         `json:"lastId"`
	Online      []string       `json:"online"`
	OnlineCount int            `json:"onlineCount"`
	Messages    []entry        `json:"messages"`
	More        bool           `json:"more"`
	Gap         bool           `json:"gap"`
	Retracted   seqs           `json:"retracted"` // of a welcome
	StartedAt   string         `json:"startedAt"`
	ExpiresAt   string         `json:"expiresAt"`
	Locked      bool           `json:"locked"`
	Code        string         `json:"code"`
	Reason      string         `json:"reason"`

	raw []byte
}

// seqs are the numbers in the field retracted of a welcome. In a message, the field is
// a flag.
type seqs []uint64

func (s *seqs) UnmarshalJSON(b []byte) error {
	if string(b) == "true" {
		return nil
	}
	return json.Unmarshal(b, (*[]uint64)(s))
}

func decodeEntries(tb testing.TB, raw [][]byte) []entry {
	tb.Helper()
	entries := make([]entry, len(raw))
	for i := range raw {
		if err := json.Unmarshal(raw[i], &entries[i]); err != nil {
			tb.Fatalf("entry %q: %v", raw[i], err)
		}
	}
	return entries
}

func decodeFrame(tb testing.TB, raw []byte) frame {
	tb.Helper()
	f := frame{raw: raw}
	if err := json.Unmarshal(raw, &f); err != nil {
		tb.Fatalf("frame %q: %v", raw, err)
	}
	return f
}

func texts(entries []entry) []string {
	all := make([]string, len(entries))
	for i, e := range entries {
		all[i] = e.Message
	}
	return all
}

// client is a WebSocket client. After start, a goroutine reads its frames as they
// arrive.
type client struct {
	tb     testing.TB
	name   string
	socket *websocket.Conn

	mu           sync.Mutex
	ignoresPings bool
	frames       []frame // not yet returned
	pings        int
	pongs        []string
	err          error // of reading; set once
	changed      chan struct{}
	finished     chan struct{} // closed when reading has ended
}

// newClient returns a client that reads nothing until start or readOne.
func newClient(tb testing.TB, name string, socket *websocket.Conn) *client {
	tb.Helper()
	c := &client{tb: tb, name: name, socket: socket, changed: make(chan struct{}, 1), finished: make(chan struct{})}
	answer := socket.PingHandler()
	socket.SetPingHandler(func(payload string) error {
		c.mu.Lock()
		c.pings++
		ignore := c.ignoresPings
		c.mu.Unlock()
		c.wake()
		if ignore {
			return nil
		}
		return answer(payload)
	})
	socket.SetPongHandler(func(payload string) error {
		c.mu.Lock()
		c.pongs = append(c.pongs, payload)
		c.mu.Unlock()
		c.wake()
		return nil
	})
	tb.Cleanup(func() { _ = socket.Close() })
	return c
}

// start begins to read.
func (c *client) start() *client {
	_ = c.socket.SetReadDeadline(time.Time{}) // of readOne
	// It ends when the connection does; the clean-up waits for it.
	go c.read()
	c.tb.Cleanup(func() {
		_ = c.socket.Close()
		<-c.finished
	})
	return c
}

// readOne reads the next frame, before start.
func (c *client) readOne() frame {
	c.tb.Helper()
	if err := c.socket.SetReadDeadline(time.Now().Add(waitLimit)); err != nil {
		c.tb.Fatal(err)
	}
	_, data, err := c.socket.ReadMessage()
	if err != nil {
		c.tb.Fatalf("%s reading: %v", c.name, err)
	}
	return decodeFrame(c.tb, data)
}

func (c *client) read() {
	defer close(c.finished)
	for {
		kind, data, err := c.socket.ReadMessage()
		f := frame{raw: data}
		if err == nil && kind != websocket.TextMessage {
			err = errors.New("the server sent a frame that is no text")
		}
		if err == nil {
			err = json.Unmarshal(data, &f)
		}
		c.mu.Lock()
		if err != nil {
			c.err = err
		} else {
			c.frames = append(c.frames, f)
		}
		c.mu.Unlock()
		c.wake()
		if err != nil {
			return
		}
	}
}

func (c *client) wake() {
	select {
	case c.changed <- struct{}{}:
	default:
	}
}

// until waits until done, which is called with mu held, returns true.
func (c *client) until(what string, done func() bool) {
	c.tb.Helper()
	timer := time.NewTimer(waitLimit)
	defer timer.Stop()
	for {
		c.mu.Lock()
		ok := done()
		c.mu.Unlock()
		if ok {
			return
		}
		select {
		case <-c.changed:
		case <-timer.C:
			c.tb.Fatalf("%s waited %v for %s", c.name, waitLimit, what)
		}
	}
}

// nextAny returns the next frame, of any type.
func (c *client) nextAny() frame {
	c.tb.Helper()
	return c.nextOf("a frame", func(frame) bool { return true })
}

// next returns the next frame, whose type must be the wanted one.
func (c *client) next(want string) frame {
	c.tb.Helper()
	f := c.nextOf("a frame of type "+want, func(frame) bool { return true })
	if f.Type != want {
		c.tb.Fatalf("%s wants a frame of type %q, got %.300s", c.name, want, f.raw)
	}
	return f
}

// await skips frames until one of the wanted type arrives.
func (c *client) await(want string) frame {
	c.tb.Helper()
	return c.nextOf("a frame of type "+want, func(f frame) bool { return f.Type == want })
}

// nextOf skips frames until one is wanted.
func (c *client) nextOf(what string, wanted func(frame) bool) (f frame) {
	c.tb.Helper()
	c.until(what, func() bool {
		i := slices.IndexFunc(c.frames, wanted)
		if i < 0 {
			if c.err != nil {
				c.tb.Fatalf("%s wants %s, but: %v", c.name, what, c.err)
			}
			c.frames = nil
			return false
		}
		f, c.frames = c.frames[i], c.frames[i+1:]
		return true
	})
	return f
}

// nextMessage returns the next frame, which must be a message with this text.
func (c *client) nextMessage(text string) frame {
	c.tb.Helper()
	f := c.next("message")
	if f.Message != text {
		c.tb.Fatalf("%s wants the message %q, got %.300s", c.name, text, f.raw)
	}
	return f
}

// nextError returns the next frame, which must be an error with this code and
// id.
func (c *client) nextError(code string, id uint64) {
	c.tb.Helper()
	f := c.next("error")
	if f.Code != code || f.ID != id || f.Message == "" {
		c.tb.Fatalf("%s wants error %s of id %d with a text, got %s", c.name, code, id, f.raw)
	}
}

// received returns the frames that have arrived and were not returned yet. In a bubble,
// after synctest.Wait, these are all frames sent.
func (c *client) received() []frame {
	c.mu.Lock()
	defer c.mu.Unlock()
	frames := c.frames
	c.frames = nil
	return frames
}

// types returns the types of the received frames.
func (c *client) types() []string {
	var types []string
	for _, f := range c.received() {
		types = append(types, f.Type)
	}
	return types
}

// expectClosed waits for the end of the connection, before which no other frame may
// arrive, checks the close code, and returns the reason.
func (c *client) expectClosed(code int) (reason string) {
	c.tb.Helper()
	c.until("the end of the connection", func() bool { return c.err != nil })
	if frames := c.received(); len(frames) > 0 {
		c.tb.Errorf("%s received before the close: %.300s", c.name, frames[0].raw)
	}
	return c.awaitClosed(code)
}

// awaitClosed is expectClosed, whatever precedes the close.
func (c *client) awaitClosed(code int) (reason string) {
	c.tb.Helper()
	c.until("the end of the connection", func() bool { return c.err != nil })
	end, ok := errors.AsType[*websocket.CloseError](c.err)
	if !ok || end.Code != code {
		c.tb.Fatalf("%s wants close code %d, got: %v", c.name, code, c.err)
	}
	return end.Text
}

// closeCode returns the close code of an error of reading, zero if it has none.
func closeCode(err error) int {
	if end, ok := errors.AsType[*websocket.CloseError](err); ok {
		return end.Code
	}
	return 0
}

// expectOpen fails if the connection has ended.
func (c *client) expectOpen() {
	c.tb.Helper()
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.err != nil {
		c.tb.Fatalf("%s has lost the connection: %v", c.name, c.err)
	}
}

// sendText sends a text frame as it is.
func (c *client) sendText(s string) {
	c.tb.Helper()
	if err := c.socket.WriteMessage(websocket.TextMessage, []byte(s)); err != nil {
		c.tb.Fatalf("%s sending: %v", c.name, err)
	}
}

// fields are the fields of a client's frame.
type fields map[string]any

func (c *client) send(f fields) {
	c.tb.Helper()
	b, err := json.Marshal(f)
	if err != nil {
		c.tb.Fatal(err)
	}
	c.sendText(string(b))
}

// post sends a message, with an id unless it is zero.
func (c *client) post(id uint64, text string) {
	c.tb.Helper()
	f := fields{"type": "message", "message": text}
	if id > 0 {
		f["id"] = id
	}
	c.send(f)
}

// leave closes the connection as a browser does, and waits for its end.
func (c *client) leave() {
	c.tb.Helper()
	err := c.socket.WriteControl(websocket.CloseMessage,
		websocket.FormatCloseMessage(websocket.CloseNormalClosure, ""), time.Now().Add(waitLimit))
	if err != nil {
		c.tb.Fatalf("%s leaving: %v", c.name, err)
	}
	c.awaitClosed(websocket.CloseNormalClosure)
}

// numbered returns n different texts.
func numbered(prefix string, n int) []string {
	all := make([]string, n)
	for i := range all {
		all[i] = prefix + strconv.Itoa(i+1)
	}
	return all
}
