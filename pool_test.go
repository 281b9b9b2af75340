package ephemeralchat_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/gorilla/websocket"

	ephemeralchat "github.com/ephemeralchat/caddy-ephemeral-chat"
	"github.com/ephemeralchat/caddy-ephemeral-chat/api/apitest"
)

// TestReload loads ten configurations while a connection is open, and a broken one after
// each.
func TestReload(t *testing.T) {
	forEachStore(t, func(t *testing.T, store string) {
		s := newSite(t)
		store += "\nmessage_rate off"
		load(t, s.block("ephemeral_chat {\n"+store+"\n}"))
		admin := s.Create(t)
		c := s.connect(t, "", admin)
		for i := range 10 {
			load(t, s.block(fmt.Sprintf("ephemeral_chat {\n%s\nttl %dm\n}", store, i+1)))
			c.echo(t, fmt.Sprint("after reload ", i))
			s.Post(t, "/joinRoom", admin.As(t)).OK(t)
			if ttl := s.Post(t, "/createRoom", apitest.Object(t, "roomName", "x")).OK(t)["ttl"]; ttl != float64(60*(i+1)) {
				t.Errorf("new rooms live for %v s", ttl)
			}
			// This one provisions the chat and then fails at another site.
			broken := newSite(t)
			err := tryLoad(t, "", s.block("ephemeral_chat {\n"+store+"\n}")+broken.block("ephemeral_chat {\nstore failing\n}"))
			if err == nil || !strings.Contains(err.Error(), "failing on purpose") {
				t.Fatalf("broken configuration: %v", err)
			}
			c.echo(t, fmt.Sprint("after failure ", i))
		}
		s.Join(t, admin.Room)
	})
}

// TestRemoval removes the directive, which ends rooms and connections, and adds it again.
func TestRemoval(t *testing.T) {
	s := newSite(t)
	load(t, s.block("ephemeral_chat"))
	admin := s.Create(t)
	c := s.connect(t, "", admin)
	load(t, s.block("respond gone 410"))
	code, reason := c.closed(t)
	if code != websocket.CloseGoingAway || !strings.HasPrefix(reason, "retry=") {
		t.Errorf("closed with %d %q", code, reason)
	}
	if got := s.Post(t, "/joinRoom", admin.As(t)); got.Status != http.StatusGone {
		t.Errorf("the directive is gone and answers %d", got.Status)
	}
	load(t, s.block("ephemeral_chat"))
	s.Post(t, "/joinRoom", admin.As(t)).Refused(t, 404, "room_not_found")
	s.Create(t)
}

// TestChangeOfStore moves a site to another store. Its connections end; those of a site
// that uses the other store stay.
func TestChangeOfStore(t *testing.T) {
	first, second := newSite(t), newSite(t)
	load(t, first.block("ephemeral_chat {\nstore memory a\n}")+second.block("ephemeral_chat {\nstore memory b\n}"))
	a, b := first.Create(t), second.Create(t)
	onA, onB := first.connect(t, "", a), second.connect(t, "", b)
	load(t, first.block("ephemeral_chat {\nstore memory b\n}")+second.block("ephemeral_chat {\nstore memory b\n}"))
	if code, _ := onA.closed(t); code != websocket.CloseGoingAway {
		t.Errorf("closed with %d", code)
	}
	onB.echo(t, "still here")
	first.Post(t, "/joinRoom", b.As(t)).OK(t)
	load(t, first.block("ephemeral_chat {\nstore memory b\n}"))
	onB.echo(t, "still here")
}

// TestStop checks that connections receive a close frame when Caddy stops.
func TestStop(t *testing.T) {
	s := serve(t, "ephemeral_chat")
	c := s.connect(t, "", s.Create(t))
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

// TestCleanupTwice checks that a handler releases the store only once. Otherwise another
// handler would lose its rooms.
func TestCleanupTwice(t *testing.T) {
	s := serve(t, "ephemeral_chat")
	admin := s.Create(t)
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
	s.Post(t, "/joinRoom", admin.As(t)).OK(t)
}
