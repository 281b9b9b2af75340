package ephemeralchat_test

import (
	"net/http"
	"testing"

	"github.com/gorilla/websocket"
)

// TestMaxConnections checks that connections are refused before the upgrade, with
// what says why and when to come again; that they are counted by client, IPv6 by
// /64; and that a reload forgets none and may change how many there may be.
func TestMaxConnections(t *testing.T) {
	s := newSite(t)
	configure := func(most string) {
		loadWith(t, "servers {\n\ttrusted_proxies static 127.0.0.0/8\n}", s.block(withMetrics("max_connections "+most)))
	}
	open := func(address string) *websocket.Conn {
		t.Helper()
		c, response, err := websocket.DefaultDialer.DialContext(t.Context(), "ws://"+s.address+"/ws",
			http.Header{"X-Forwarded-For": {address}})
		if err != nil {
			t.Fatalf("%s is refused: %v", address, err)
		}
		_ = response.Body.Close()
		t.Cleanup(func() { _ = c.Close() })
		return c
	}
	refused := func(address string) {
		t.Helper()
		answer := s.send(t, http.MethodGet, "/ws", "", upgrade, from(address))
		answer.refused(t, 429, "too_many_connections")
		if answer.header.Get("Retry-After") == "" {
			t.Error("no Retry-After")
		}
	}
	configure("2")
	first := open("2001:db8:0:1::1")
	last := open("2001:db8:0:1:ffff::2")
	refused("2001:db8:0:1::3")
	open("2001:db8:0:2::1")
	configure("3")
	open("2001:db8:0:1::1")
	configure("2")
	refused("2001:db8:0:1::1")
	_ = last.Close()
	awaitOpen := func(count float64) {
		t.Helper()
		waitUntil(t, func() bool { return s.scrape(t).sum(t, "connections") == count })
	}
	awaitOpen(3)
	refused("2001:db8:0:1::1")
	_ = first.Close()
	awaitOpen(2)
	open("2001:db8:0:1::1")
	s.scrape(t).expect(t, 3, "refusals_total", `code="too_many_connections"`, `via="http"`)
}
