package ws_test

import (
	"net/http"
	"net/http/httptest"
	"net/netip"
	"sync"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"github.com/ephemeralchat/caddy-ephemeral-chat/internal/apierror"
	"github.com/ephemeralchat/caddy-ephemeral-chat/room"
	"github.com/ephemeralchat/caddy-ephemeral-chat/ws"
)

// TestMaxConnections ends connections in every way, many at once, and then counts how
// many more the client may open: not fewer than at first, so each was given back, and
// not more, so none was given back twice.
func TestMaxConnections(t *testing.T) {
	t.Parallel()
	const most = 12
	s := newSite(t, settings(func(s *ws.Settings) { s.MaxConnections = most }))
	admin := s.create(t)

	ways := []func(){
		func() { // by a reset, before it has joined
			if c, status := s.tryOpen(t, nil); status == 0 {
				_ = c.UnderlyingConn().Close()
			}
		},
		func() { // by a close frame, or replaced by the next one of its session
			if c, status := s.tryOpen(t, joinQuery(admin)); status == 0 {
				_ = c.WriteControl(websocket.CloseMessage, websocket.FormatCloseMessage(1000, ""), time.Now().Add(waitLimit))
				drain(c)
			}
		},
		func() { // by the server, for its first frame
			if c, status := s.tryOpen(t, nil); status == 0 {
				_ = c.WriteMessage(websocket.BinaryMessage, nil)
				drain(c)
			}
		},
		func() { // by a refusal of the join, after it was counted
			s.tryOpen(t, joinQuery(admin, "sessionId", "forged"))
		},
		func() { // by a writer that cannot be hijacked
			r := s.upgradeRequest(t, nil)
			if err := s.hub.Serve(httptest.NewRecorder(), r, ws.Settings{Rooms: s.rooms, MaxConnections: most}); err == nil {
				t.Error("a recorder was hijacked")
			}
		},
	}
	var churn sync.WaitGroup
	for _, end := range ways {
		for range 4 {
			// It ends with its connections.
			churn.Go(func() {
				for range 10 {
					end()
				}
			})
		}
	}
	churn.Wait()
	eventually(t, func() bool { return s.hub.Stats().Connections == 0 })

	for range most {
		if c, status := s.tryOpen(t, nil); status != 0 {
			t.Fatalf("refused with %d", status)
		} else {
			defer func() { _ = c.Close() }()
		}
	}
	if _, status := s.tryOpen(t, nil); status != http.StatusTooManyRequests {
		t.Errorf("connection %d: %d", most+1, status)
	}
}

// TestMaxConnectionsOfSites checks that each address is counted by itself, for the whole
// hub, and against the limit of the site that it connects to.
func TestMaxConnectionsOfSites(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	serve := func(client string, most int) error {
		// A recorder cannot be hijacked, and a connection over the limit is refused
		// before that is tried.
		return s.hub.Serve(httptest.NewRecorder(), s.upgradeRequest(t, nil),
			ws.Settings{Rooms: s.rooms, Client: netip.MustParseAddr(client), MaxConnections: most})
	}
	taken := newSite(t, func(p *siteConfig) {
		p.settings.Client = netip.MustParseAddr("192.0.2.1")
		p.wrap = func(http.Handler) http.Handler {
			return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				settings := p.settings
				settings.Rooms = s.rooms
				_ = s.hub.Serve(w, r, settings) //nolint:contextcheck // a connection outlives its request
			})
		}
	})
	for range 2 {
		taken.connect(t)
	}
	for _, c := range []struct {
		client string
		most   int
		want   error
	}{
		{"192.0.2.1", 2, apierror.ErrTooManyConnections},
		{"192.0.2.1", 3, room.ErrInternal},
		{"192.0.2.1", 0, room.ErrInternal},
		{"192.0.2.2", 1, room.ErrInternal},
	} {
		if err := serve(c.client, c.most); apierror.Of(err) != apierror.Of(c.want) {
			t.Errorf("%s, %d: %v", c.client, c.most, err)
		}
	}
}

// drain reads until the connection ends.
func drain(c *websocket.Conn) {
	for {
		if _, _, err := c.ReadMessage(); err != nil {
			_ = c.Close()
			return
		}
	}
}
