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

// entry is a message as it stands in welcome, replay and history.
type entry struct {
	Seq       uint64 `json:"seq"`
	Message   string `json:"message"`
	Timestamp string `json:"timestamp"`
	UserID    string `json:"userId"`
	ID        uint64 `json:"id"`
	Session   string `json:"session"`
	Retracted bool   `json:"retracted"`
}

// frame is any frame of the server's.
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

// seqs are the numbers that a welcome has under the name that in a message is a
// flag.
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

// client is a WebSocket client whose frames are read as they come.
type client struct {
	tb     testing.TB
	name   string
	socket *websocket.Conn

	mu       sync.Mutex
	deaf     bool    // does not answer pings
	frames   []frame // not yet taken
	pings    int
	pongs    []string
	err      error // of reading; set once
	changed  chan struct{}
	finished chan struct{} // closed when reading has ended
}

func newClient(tb testing.TB, name string, socket *websocket.Conn) *client {
	tb.Helper()
	c := &client{tb: tb, name: name, socket: socket, changed: make(chan struct{}, 1), finished: make(chan struct{})}
	answer := socket.PingHandler()
	socket.SetPingHandler(func(payload string) error {
		c.mu.Lock()
		c.pings++
		deaf := c.deaf
		c.mu.Unlock()
		c.wake()
		if deaf {
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
	// It ends when the connection does; the clean-up waits for it.
	go c.read()
	tb.Cleanup(func() {
		_ = socket.Close()
		<-c.finished
	})
	return c
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

// until waits until done, which is called with mu held, says so.
func (c *client) until(what string, done func() bool) {
	c.tb.Helper()
	timer := time.NewTimer(patience)
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
			c.tb.Fatalf("%s waited %v for %s", c.name, patience, what)
		}
	}
}

// next returns the next frame, whose type must be the wanted one.
func (c *client) next(want string) frame {
	c.tb.Helper()
	var f frame
	c.until("a frame of type "+want, func() bool {
		if len(c.frames) == 0 {
			if c.err != nil {
				c.tb.Fatalf("%s wants a frame of type %q, but: %v", c.name, want, c.err)
			}
			return false
		}
		f, c.frames = c.frames[0], c.frames[1:]
		return true
	})
	if f.Type != want {
		c.tb.Fatalf("%s wants a frame of type %q, got %.300s", c.name, want, f.raw)
	}
	return f
}

// take returns the next frame, whatever it is.
func (c *client) take() frame {
	c.tb.Helper()
	var f frame
	c.until("a frame", func() bool {
		if len(c.frames) == 0 {
			if c.err != nil {
				c.tb.Fatalf("%s wants a frame, but: %v", c.name, c.err)
			}
			return false
		}
		f, c.frames = c.frames[0], c.frames[1:]
		return true
	})
	return f
}

// await skips frames until one of the wanted type comes.
func (c *client) await(want string) frame {
	c.tb.Helper()
	var f frame
	c.until("a frame of type "+want, func() bool {
		i := slices.IndexFunc(c.frames, func(f frame) bool { return f.Type == want })
		if i < 0 {
			if c.err != nil {
				c.tb.Fatalf("%s wants a frame of type %q, but: %v", c.name, want, c.err)
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

// taken returns what has come and was not taken. In a bubble, after
// synctest.Wait, that is everything.
func (c *client) taken() []frame {
	c.mu.Lock()
	defer c.mu.Unlock()
	frames := c.frames
	c.frames = nil
	return frames
}

// types returns the types of what has come and was not taken.
func (c *client) types() []string {
	var types []string
	for _, f := range c.taken() {
		types = append(types, f.Type)
	}
	return types
}

// closed waits for the end of the connection, before which nothing else may
// come, checks the close code, and returns the reason.
func (c *client) closed(code int) (reason string) {
	c.tb.Helper()
	c.until("the end of the connection", func() bool { return c.err != nil })
	if frames := c.taken(); len(frames) > 0 {
		c.tb.Errorf("%s was told before the close: %.300s", c.name, frames[0].raw)
	}
	return c.closedWith(code)
}

// closedWith is closed, whatever comes before the close.
func (c *client) closedWith(code int) (reason string) {
	c.tb.Helper()
	c.until("the end of the connection", func() bool { return c.err != nil })
	end, ok := errors.AsType[*websocket.CloseError](c.err)
	if !ok || end.Code != code {
		c.tb.Fatalf("%s wants close code %d, got: %v", c.name, code, c.err)
	}
	return end.Text
}

// closeCode returns the close code that a reading has ended with, zero if none.
func closeCode(err error) int {
	if end, ok := errors.AsType[*websocket.CloseError](err); ok {
		return end.Code
	}
	return 0
}

// alive fails if the connection has ended.
func (c *client) alive() {
	c.tb.Helper()
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.err != nil {
		c.tb.Fatalf("%s has lost the connection: %v", c.name, c.err)
	}
}

// text sends a text frame as it is.
func (c *client) text(s string) {
	c.tb.Helper()
	if err := c.socket.WriteMessage(websocket.TextMessage, []byte(s)); err != nil {
		c.tb.Fatalf("%s sending: %v", c.name, err)
	}
}

// fields are those of a frame of a client's.
type fields map[string]any

func (c *client) send(f fields) {
	c.tb.Helper()
	b, err := json.Marshal(f)
	if err != nil {
		c.tb.Fatal(err)
	}
	c.text(string(b))
}

// say sends a message, with an id unless it is zero.
func (c *client) say(id uint64, text string) {
	c.tb.Helper()
	f := fields{"type": "message", "message": text}
	if id > 0 {
		f["id"] = id
	}
	c.send(f)
}

// leave closes the connection as a browser does and waits for its end.
func (c *client) leave() {
	c.tb.Helper()
	err := c.socket.WriteControl(websocket.CloseMessage,
		websocket.FormatCloseMessage(websocket.CloseNormalClosure, ""), time.Now().Add(patience))
	if err != nil {
		c.tb.Fatalf("%s leaving: %v", c.name, err)
	}
	c.closedWith(websocket.CloseNormalClosure)
}

// numbered returns texts that can be told apart.
func numbered(prefix string, n int) []string {
	all := make([]string, n)
	for i := range all {
		all[i] = prefix + strconv.Itoa(i+1)
	}
	return all
}
