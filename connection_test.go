package ephemeralchat_test

import (
	"errors"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"github.com/ephemeralchat/caddy-ephemeral-chat/api/apitest"
)

// connection is the WebSocket of a member that has joined.
type connection struct{ *websocket.Conn }

func (s *site) connect(t *testing.T, mount string, m apitest.Member) *connection {
	t.Helper()
	socket, response, err := websocket.DefaultDialer.DialContext(t.Context(), "ws://"+s.Address+mount+"/ws", nil)
	if err != nil {
		t.Fatalf("dialing: %v (%v)", err, response)
	}
	response.Body.Close()
	t.Cleanup(func() { socket.Close() })
	c := &connection{socket}
	c.send(t, "type", "join", "roomId", m.Room, "userId", m.User, "sessionId", m.Session)
	c.receive(t, "welcome")
	return c
}

func (c *connection) send(t *testing.T, pairs ...any) {
	t.Helper()
	if err := c.WriteMessage(websocket.TextMessage, []byte(apitest.Object(t, pairs...))); err != nil {
		t.Fatalf("writing: %v", err)
	}
}

// receive reads until a frame of the type arrives.
func (c *connection) receive(t *testing.T, kind string) map[string]any {
	t.Helper()
	if err := c.SetReadDeadline(time.Now().Add(10 * time.Second)); err != nil {
		t.Fatal(err)
	}
	for {
		var frame map[string]any
		if err := c.ReadJSON(&frame); err != nil {
			t.Fatalf("waiting for %s: %v", kind, err)
		}
		switch frame["type"] {
		case kind:
			return frame
		case "error":
			t.Fatalf("waiting for %s: %v", kind, frame)
		}
	}
}

// echo sends a message and waits for its echo.
func (c *connection) echo(t *testing.T, text string) {
	t.Helper()
	c.send(t, "type", "message", "message", text)
	if frame := c.receive(t, "message"); frame["message"] != text {
		t.Errorf("received %v, sent %q", frame, text)
	}
}

// closed reads until the connection is closed, and returns the close code.
func (c *connection) closed(t *testing.T) (code int, reason string) {
	t.Helper()
	if err := c.SetReadDeadline(time.Now().Add(10 * time.Second)); err != nil {
		t.Fatal(err)
	}
	for {
		_, _, err := c.ReadMessage()
		if closed, ok := errors.AsType[*websocket.CloseError](err); ok {
			return closed.Code, closed.Text
		}
		if err != nil {
			t.Fatalf("not closed properly: %v", err)
		}
	}
}

// expectError reads until an error frame arrives, which must have this code.
func (c *connection) expectError(t *testing.T, code string) {
	t.Helper()
	if err := c.SetReadDeadline(time.Now().Add(10 * time.Second)); err != nil {
		t.Fatal(err)
	}
	for {
		var frame map[string]any
		if err := c.ReadJSON(&frame); err != nil {
			t.Fatalf("waiting for an error: %v", err)
		}
		if frame["type"] == "error" {
			if frame["code"] != code {
				t.Errorf("error %v, want %s", frame, code)
			}
			return
		}
	}
}

// refusedSocket joins by a WebSocket, which the server must refuse. It returns the close
// code.
func (s *site) refusedSocket(t *testing.T, m apitest.Member) (code int, reason string) {
	t.Helper()
	return s.refusedSocketAt(t, "/ws", m)
}

func (s *site) refusedSocketAt(t *testing.T, path string, m apitest.Member) (code int, reason string) {
	t.Helper()
	socket, response, err := websocket.DefaultDialer.DialContext(t.Context(), "ws://"+s.Address+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	response.Body.Close()
	defer socket.Close()
	c := &connection{socket}
	c.send(t, "type", "join", "roomId", m.Room, "userId", m.User, "sessionId", m.Session)
	return c.closed(t)
}
