package api_test

import (
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strconv"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
	"go.uber.org/zap"

	"github.com/ephemeralchat/caddy-ephemeral-chat/api"
	"github.com/ephemeralchat/caddy-ephemeral-chat/api/apitest"
	"github.com/ephemeralchat/caddy-ephemeral-chat/internal/apierror"
	"github.com/ephemeralchat/caddy-ephemeral-chat/redisstore"
	"github.com/ephemeralchat/caddy-ephemeral-chat/redisstore/redistest"
	"github.com/ephemeralchat/caddy-ephemeral-chat/room"
	"github.com/ephemeralchat/caddy-ephemeral-chat/room/memstore"
	"github.com/ephemeralchat/caddy-ephemeral-chat/ws"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m, goleak.IgnoreCurrent()) }

// options are those of a test's site.
type options struct {
	api.Config
	room.Limits
	store room.Store // nil is a new memory store
}

// configure returns the options of a site without limits on rates, changed by edit.
func configure(edit func(*options)) options {
	o := options{
		Config: api.Config{
			Connections:     ws.Settings{PingInterval: time.Minute, MessageRate: 1000, MessageBurst: 1000},
			Observer:        discard{},
			Refusals:        apierror.NewCounter(),
			Log:             zap.NewNop(),
			Identify:        func(*http.Request) (string, error) { return "", nil },
			ClientAddr:      clientAddr,
			ParseDuration:   parseDuration,
			SuspendTimeouts: func(*http.Request) {},
		},
		Limits: room.Limits{
			TTL: time.Hour, MaxTTL: 24 * time.Hour, Lobby: time.Hour,
			History: 1000, MaxMessage: 4096, MaxMembers: 1000, MaxRooms: 100_000,
		},
	}
	if edit != nil {
		edit(&o)
	}
	return o
}

// handler returns the handler of a site until the end of the test.
func (o *options) handler(tb testing.TB) *api.Handler {
	tb.Helper()
	if o.store == nil {
		o.store = memstore.New()
	}
	store := o.store
	log := func() *zap.Logger { return zap.NewNop() }
	o.Hub = ws.NewHub(store, log)
	o.Rooms = room.NewRooms(store, o.Limits)
	tb.Cleanup(func() {
		o.Hub.Close()
		if err := store.Close(); err != nil {
			tb.Error(err)
		}
	})
	return api.New(o.Config)
}

// serve serves a site until the end of the test. edit, unless it is nil, changes its
// options.
func serve(t *testing.T, edit func(*options)) *apitest.Site {
	t.Helper()
	return serveOn(t, httptest.NewServer, edit)
}

func serveOn(t *testing.T, listen func(http.Handler) *httptest.Server, edit func(*options)) *apitest.Site {
	t.Helper()
	o := configure(edit)
	handler := o.handler(t)
	server := listen(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !handler.Serve(w, r, r.URL.Path) {
			http.NotFound(w, r)
		}
	}))
	t.Cleanup(server.Close)
	t.Cleanup(apitest.Client.CloseIdleConnections)
	return &apitest.Site{Address: server.Listener.Addr().String()}
}

// forEachStore runs a test with the memory store and with Redis. The test calls open
// for each site.
func forEachStore(t *testing.T, test func(t *testing.T, open func() room.Store)) {
	t.Run("memory", func(t *testing.T) { test(t, func() room.Store { return memstore.New() }) })
	t.Run("redis", func(t *testing.T) {
		address := redistest.Start(t, redistest.Options{}).Addr()
		test(t, func() room.Store {
			store, err := redisstore.New(redisstore.Options{Addrs: []string{address}})
			if err != nil {
				t.Fatal(err)
			}
			return store
		})
	})
}

// clientAddr returns the address in the header X-Forwarded-For.
func clientAddr(r *http.Request) netip.Addr {
	addr, _ := netip.ParseAddr(r.Header.Get("X-Forwarded-For"))
	return addr
}

// parseDuration parses days as well, like Caddy.
func parseDuration(text string) (time.Duration, error) {
	if days, err := strconv.Atoi(strings.TrimSuffix(text, "d")); err == nil && strings.HasSuffix(text, "d") {
		return time.Duration(days) * 24 * time.Hour, nil
	}
	return time.ParseDuration(text)
}

// discard is an observer that ignores everything.
type discard struct{}

func (discard) RoomCreated(string, string, time.Duration) {}
func (discard) RoomStarted(string, string, time.Duration) {}
func (discard) RoomDeleted(string, string)                {}
func (discard) MemberJoined(string, string)               {}
func (discard) MemberRemoved(string, string, string)      {}
