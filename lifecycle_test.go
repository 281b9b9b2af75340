package ephemeralchat_test

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/gorilla/websocket"

	ephemeralchat "github.com/ephemeralchat/caddy-ephemeral-chat"
)

// connection is a WebSocket of a member that has been welcomed.
type connection struct{ *websocket.Conn }

func (s *site) connect(t *testing.T, mount string, m member) *connection {
	t.Helper()
	socket, response, err := websocket.DefaultDialer.DialContext(t.Context(), "ws://"+s.address+mount+"/ws", nil)
	if err != nil {
		t.Fatalf("dialing: %v (%v)", err, response)
	}
	response.Body.Close()
	t.Cleanup(func() { socket.Close() })
	c := &connection{socket}
	c.say(t, "type", "join", "roomId", m.room, "userId", m.user, "sessionId", m.session)
	c.hear(t, "welcome")
	return c
}

func (c *connection) say(t *testing.T, pairs ...any) {
	t.Helper()
	if err := c.WriteMessage(websocket.TextMessage, []byte(object(t, pairs...))); err != nil {
		t.Fatalf("writing: %v", err)
	}
}

// hear reads until a frame of the type comes.
func (c *connection) hear(t *testing.T, kind string) map[string]any {
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

// echo says something and waits until it comes back.
func (c *connection) echo(t *testing.T, text string) {
	t.Helper()
	c.say(t, "type", "message", "message", text)
	if frame := c.hear(t, "message"); frame["message"] != text {
		t.Errorf("heard %v, said %q", frame, text)
	}
}

// closed reads until the connection is closed, and returns the code.
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

// TestReload changes the configuration ten times with a connection open, and
// breaks it in between.
func TestReload(t *testing.T) {
	forEachStore(t, func(t *testing.T, store string) {
		s := newSite(t)
		store += "\nmessage_rate off"
		load(t, s.block("ephemeral_chat {\n"+store+"\n}"))
		admin := s.create(t)
		c := s.connect(t, "", admin)
		for i := range 10 {
			load(t, s.block(fmt.Sprintf("ephemeral_chat {\n%s\nttl %dm\n}", store, i+1)))
			c.echo(t, fmt.Sprint("after reload ", i))
			s.post(t, "/joinRoom", admin.as(t)).ok(t)
			if ttl := s.post(t, "/createRoom", object(t, "roomName", "x")).ok(t)["ttl"]; ttl != float64(60*(i+1)) {
				t.Errorf("new rooms live for %v s", ttl)
			}
			// This one provisions the chat, then fails at its neighbor's.
			broken := newSite(t)
			err := tryLoad(t, "", s.block("ephemeral_chat {\n"+store+"\n}")+broken.block("ephemeral_chat {\nstore failing\n}"))
			if err == nil || !strings.Contains(err.Error(), "failing on purpose") {
				t.Fatalf("broken configuration: %v", err)
			}
			c.echo(t, fmt.Sprint("after failure ", i))
		}
		s.join(t, admin.room)
	})
}

// TestRemoval takes the directive out of the configuration, which ends what
// stands on it, and puts it back.
func TestRemoval(t *testing.T) {
	s := newSite(t)
	load(t, s.block("ephemeral_chat"))
	admin := s.create(t)
	c := s.connect(t, "", admin)
	load(t, s.block("respond gone 410"))
	code, reason := c.closed(t)
	if code != websocket.CloseGoingAway || !strings.HasPrefix(reason, "retry=") {
		t.Errorf("closed with %d %q", code, reason)
	}
	if got := s.post(t, "/joinRoom", admin.as(t)); got.status != http.StatusGone {
		t.Errorf("the directive is gone and answers %d", got.status)
	}
	load(t, s.block("ephemeral_chat"))
	s.post(t, "/joinRoom", admin.as(t)).refused(t, 404, "room_not_found")
	s.create(t)
}

// TestChangeOfStore moves a site to another store: old connections end, and a
// neighbor that still uses the old store is not disturbed.
func TestChangeOfStore(t *testing.T) {
	first, second := newSite(t), newSite(t)
	load(t, first.block("ephemeral_chat {\nstore memory a\n}")+second.block("ephemeral_chat {\nstore memory b\n}"))
	a, b := first.create(t), second.create(t)
	onA, onB := first.connect(t, "", a), second.connect(t, "", b)
	load(t, first.block("ephemeral_chat {\nstore memory b\n}")+second.block("ephemeral_chat {\nstore memory b\n}"))
	if code, _ := onA.closed(t); code != websocket.CloseGoingAway {
		t.Errorf("closed with %d", code)
	}
	onB.echo(t, "still here")
	first.post(t, "/joinRoom", b.as(t)).ok(t)
	load(t, first.block("ephemeral_chat {\nstore memory b\n}"))
	onB.echo(t, "still here")
}

// TestStop checks that connections are told when Caddy stops.
func TestStop(t *testing.T) {
	s := serve(t, "ephemeral_chat")
	c := s.connect(t, "", s.create(t))
	began := time.Now()
	if err := caddy.Stop(); err != nil {
		t.Fatal(err)
	}
	if code, _ := c.closed(t); code != websocket.CloseGoingAway {
		t.Errorf("closed with %d", code)
	}
	if took := time.Since(began); took > 3*time.Second {
		t.Errorf("stopping took %s", took)
	}
}

// TestCleanupTwice checks that a handler gives back no more than it took: the
// rooms of another handler would be gone.
func TestCleanupTwice(t *testing.T) {
	s := serve(t, "ephemeral_chat")
	admin := s.create(t)
	ctx, cancel := caddy.NewContext(caddy.Context{Context: t.Context()})
	defer cancel()
	failed := &ephemeralchat.Handler{MaxMembers: -1}
	if err := failed.Provision(ctx); err == nil {
		t.Error("max_members of -1 was provisioned")
	}
	good := new(ephemeralchat.Handler)
	if err := good.Provision(ctx); err != nil {
		t.Fatal(err)
	}
	for _, h := range []*ephemeralchat.Handler{failed, new(ephemeralchat.Handler), good, good, failed} {
		if err := h.Cleanup(); err != nil {
			t.Error(err)
		}
	}
	s.post(t, "/joinRoom", admin.as(t)).ok(t)
}

// TestMountedSocket opens connections where the chat can be mounted.
func TestMountedSocket(t *testing.T) {
	for name, test := range map[string]struct{ directives, mount string }{
		"root":         {"ephemeral_chat", ""},
		"path matcher": {"ephemeral_chat /chat/*", "/chat"},
		"handle_path":  {"handle_path /chat/* {\nephemeral_chat\n}", "/chat"},
		"encode":       {"encode\nephemeral_chat", ""},
		"access log":   {"log {\noutput discard\n}\nencode\nephemeral_chat", ""},
	} {
		t.Run(name, func(t *testing.T) {
			s := serve(t, test.directives)
			answer := s.post(t, test.mount+"/createRoom", object(t, "roomName", "x")).ok(t)
			text := func(name string) string { return fmt.Sprint(answer[name]) }
			s.connect(t, test.mount, member{text("roomId"), text("userId"), text("sessionId")}).echo(t, "hello")
		})
	}
}

// TestBadUpgrades sends what is no proper upgrade request.
func TestBadUpgrades(t *testing.T) {
	s := serve(t, "ephemeral_chat")
	upgrade := func(r *http.Request) {
		r.Header.Set("Connection", "Upgrade")
		r.Header.Set("Upgrade", "websocket")
		r.Header.Set("Sec-WebSocket-Version", "13")
		r.Header.Set("Sec-WebSocket-Key", "AAAAAAAAAAAAAAAAAAAAAA==")
	}
	for name, edit := range map[string]func(*http.Request){
		"no upgrade":      func(*http.Request) {},
		"another version": func(r *http.Request) { upgrade(r); r.Header.Set("Sec-WebSocket-Version", "8") },
		"no version":      func(r *http.Request) { upgrade(r); r.Header.Del("Sec-WebSocket-Version") },
	} {
		got := s.send(t, http.MethodGet, "/ws", "", edit)
		got.refused(t, 426, "upgrade_required")
		if got.header.Get("Sec-WebSocket-Version") != "13" || got.header.Get("Upgrade") != "websocket" || got.header.Get("Connection") != "Upgrade" {
			t.Errorf("%s: the head is %v", name, got.header)
		}
	}
	s.send(t, http.MethodGet, "/ws", "{}", upgrade).refused(t, 400, "invalid_request")
	s.send(t, http.MethodGet, "/ws", "", upgrade, func(r *http.Request) { r.Header.Del("Sec-WebSocket-Key") }).refused(t, 400, "invalid_request")
	s.send(t, http.MethodGet, "/ws", "", upgrade, header("Origin", "http://evil.example")).refused(t, 403, "origin_not_allowed")
	admin := s.create(t)
	query := "/ws?roomId=" + admin.room + "&userId=" + admin.user + "&sessionId="
	s.send(t, http.MethodGet, query+"x", "", upgrade).refused(t, 401, "invalid_session")
	s.send(t, http.MethodGet, "/ws?roomId=none&userId=x&sessionId=x", "", upgrade).refused(t, 404, "room_not_found")
}
