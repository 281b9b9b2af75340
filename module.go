// Package ephemeralchat is a Caddy HTTP handler for chat rooms that vanish: when the
// time of a room is up, everything about it is gone.
//
// This package is the Caddy module: its configuration, Caddyfile grammar, lifecycle,
// metrics, events and admin API. Package api serves the HTTP endpoints, package ws the
// WebSockets, and package room has the rules of the chat.
package ephemeralchat

import (
	"encoding/json"
	"fmt"
	"net/http"
	"sync"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"go.uber.org/zap"

	"github.com/ephemeralchat/caddy-ephemeral-chat/api"
	"github.com/ephemeralchat/caddy-ephemeral-chat/room"
	"github.com/ephemeralchat/caddy-ephemeral-chat/web"
	"github.com/ephemeralchat/caddy-ephemeral-chat/ws"
)

const (
	moduleID       = "http.handlers.ephemeral_chat"
	storeNamespace = moduleID + ".stores"
)

func init() { caddy.RegisterModule(new(Handler)) }

// Handler serves chat rooms that vanish: a page at `/` to create, join and use them, an
// HTTP API, a WebSocket at `/ws`, and `/embed.js`, which shows a room in other pages.
// Other requests go on to the next handler.
//
// Rooms and open connections belong to the store. They survive a reload of the
// configuration as long as some handler uses the same store. Rate limits belong to the
// handler and start afresh with a reload.
type Handler struct {
	// The path at which the chat is mounted, such as `/chat`. It is stripped from the
	// path of a request for this handler only. Default: empty, for a chat at the root
	// of the site, or where a handler before this one strips the prefix.
	PathPrefix string `json:"path_prefix,omitempty"`

	// The store that keeps the rooms. Default: `memory`, in the process.
	StoreRaw json.RawMessage `json:"store,omitempty" caddy:"namespace=http.handlers.ephemeral_chat.stores inline_key=store"`

	// The lifetime of a room, from its start, unless its creator chooses another.
	// Whole seconds, from `1s` to `max_ttl`. Default: `1h`, or `max_ttl` if that is
	// shorter.
	TTL caddy.Duration `json:"ttl,omitempty"`

	// The longest lifetime that the creator of a room may choose. Whole seconds, from
	// `1s` to 10 years. Default: `24h`.
	MaxTTL caddy.Duration `json:"max_ttl,omitempty"`

	// The time after which a room that was never started is removed. Whole seconds,
	// from `1s` to 10 years. Default: `24h`.
	Lobby caddy.Duration `json:"lobby,omitempty"`

	// The number of messages that a room keeps for later members, from 1 to
	// 100000. Default: 1000.
	History int `json:"history,omitempty"`

	// The maximum length of a message in bytes of UTF-8, from 1 to 1048576 (1 MiB).
	// Default: 4096.
	MaxMessage int `json:"max_message,omitempty"`

	// The maximum number of online users of a room, from 1 to 1000000.
	// Default: 1000.
	MaxMembers int `json:"max_members,omitempty"`

	// The maximum number of rooms in the memory store, from 1 to 1000000000. Other
	// stores do not take this option. Default: 100000. With the default
	// `create_rate`, `lobby` and `max_ttl`, one client address cannot create that
	// many.
	MaxRooms int `json:"max_rooms,omitempty"`

	// Declared rooms: clients join them by their ids without creating them first.
	Rooms []DeclaredRoom `json:"rooms,omitempty"`

	// How many messages a connection may send. Default: 10 in `1s`.
	MessageRate *Rate `json:"message_rate,omitempty"`

	// How many times a client address may join or rejoin rooms. Default: 600 in
	// `1m`.
	JoinRate *Rate `json:"join_rate,omitempty"`

	// How many rooms a client address may create. Default: 20 in `1m`.
	CreateRate *Rate `json:"create_rate,omitempty"`

	// How many wrong passwords a client address may try on one room. Default: 10 in
	// `1m`.
	PasswordRate *Rate `json:"password_rate,omitempty"`

	// How many wrong passwords all clients together may try on one room, on each
	// node. When they are used up, new members cannot join with a password. Default:
	// 100 in `1m`.
	RoomPasswordRate *Rate `json:"room_password_rate,omitempty"`

	// The maximum number of WebSocket connections that a client address has open,
	// from 1 to 1000000. The handlers of a store count together, and go on counting
	// after a reload. Default: 1000, because the users of a school or an office may
	// share one address.
	MaxConnections int `json:"max_connections,omitempty"`

	// Origins of other sites whose pages may use the chat, such as
	// `https://www.example.com`: scheme, host, and port unless it is the default of
	// the scheme. Default: none; the pages of the site itself always may.
	Origins []string `json:"origins,omitempty"`

	// The user as the site knows it: a placeholder such as `{http.auth.user.id}`. A
	// value always stands for the same user of a room, and clients cannot choose
	// another name. Requests for which it is empty are refused. Rooms created with
	// this option can be entered only with it. Default: clients choose their own
	// names.
	User string `json:"user,omitempty"`

	// Whether the built-in page is off: requests for the mount point go on to the
	// next handler. `embed.js` and `client.js` are served in any case. Default:
	// false.
	DisablePage bool `json:"disable_page,omitempty"`

	// Whether to accept WebSockets over streams of HTTP/2 (RFC 8441) and HTTP/3 (RFC
	// 9220) as well. Default: false. HTTP/1.1 costs less, and browsers use it when a
	// server offers nothing else.
	ExtendedConnect bool `json:"extended_connect,omitempty"`

	// The interval at which connections are pinged, from `1s` to `1h`. A connection
	// that is silent for twice as long is closed. Default: `30s`.
	PingInterval caddy.Duration `json:"ping_interval,omitempty"`

	// In a room with more than 64 connections on a node: the least time between two
	// sends to all of them. Messages that arrive in between go out together, which
	// bounds the cost of a busy room. In a quiet or small room no message waits. From
	// `1ms` to `1s`, or -1 for off. Default: `25ms`.
	FlushInterval caddy.Duration `json:"flush_interval,omitempty"`

	// Set by Provision and fixed from then on. Requests use these fields also after
	// Cleanup, when a reload has replaced the handler.
	logger  *zap.Logger
	store   Store
	shared  *sharedStore
	api     *api.Handler
	page    func() *web.File // made for the first request
	emitter *emitter         // nil without an events app

	acquired bool // Cleanup must release shared
}

// CaddyModule returns the Caddy module information.
//
// Pointer receiver: Caddy may call this during provisioning, and copying the struct
// would be a data race.
func (*Handler) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: moduleID, New: func() caddy.Module { return new(Handler) }}
}

// Provision prepares the handler and acquires its store. It does not wait for a remote
// store to answer.
func (h *Handler) Provision(ctx caddy.Context) error {
	h.logger = ctx.Logger()
	if err := h.loadStore(ctx); err != nil {
		return err
	}
	h.setDefaults()
	// Caddy validates only after provisioning, but an invalid configuration should
	// not open a store.
	if err := h.Validate(); err != nil {
		return err
	}
	origins, err := api.ParseOrigins(h.Origins)
	if err != nil {
		return err
	}
	replacer := caddy.NewReplacer()
	declared, err := h.declaredRooms(h.limits(), func(text string) (string, error) {
		return replacer.ReplaceOrErr(text, true, true)
	})
	if err != nil {
		return err
	}
	h.page = sync.OnceValue(h.makePage)

	if h.shared, err = acquireStore(h.store); err != nil {
		return fmt.Errorf("opening the store: %w", err)
	}
	h.acquired = true
	if h.emitter, err = h.shared.events.attach(ctx); err != nil {
		return fmt.Errorf("events: %w", err)
	}
	if h.ExtendedConnect {
		if err := h.shared.closeOnExit(ctx); err != nil {
			return fmt.Errorf("extended_connect: %w", err)
		}
	}
	if err := registerMetrics(ctx); err != nil {
		return fmt.Errorf("metrics: %w", err)
	}
	h.api = api.New(h.apiConfig(origins, declared))
	return nil
}

// apiConfig returns the configuration of the endpoints.
func (h *Handler) apiConfig(origins api.Origins, declared []*room.DeclaredRoom) api.Config {
	return api.Config{
		Rooms: room.NewRooms(h.shared.store, h.limits(), declared...),
		Hub:   h.shared.hub,
		Connections: ws.Settings{
			PingInterval:   time.Duration(h.PingInterval),
			MessageRate:    h.MessageRate.perSecond(),
			MessageBurst:   h.MessageRate.Count,
			FlushInterval:  max(0, time.Duration(h.FlushInterval)),
			MaxConnections: h.MaxConnections,
		},
		Observer:         h.shared,
		Refusals:         h.shared.refusals,
		Log:              h.logger,
		Identify:         h.identify,
		ClientAddr:       clientAddr,
		ParseDuration:    caddy.ParseDuration,
		Origins:          origins,
		CreateRate:       h.CreateRate.limit(),
		JoinRate:         h.JoinRate.limit(),
		PasswordRate:     h.PasswordRate.limit(),
		RoomPasswordRate: h.RoomPasswordRate.limit(),
		ExtendedConnect:  h.ExtendedConnect,
		SuspendTimeouts:  suspendIdleTimeouts,
	}
}

// Validate returns an error if the configuration is invalid.
func (h *Handler) Validate() error {
	if err := h.checkValues(); err != nil {
		return err
	}
	return h.checkTogether()
}

// Cleanup releases the store if Provision has acquired it: Caddy calls Cleanup after a
// failed Provision as well.
func (h *Handler) Cleanup() error {
	if !h.acquired {
		return nil
	}
	h.acquired = false
	h.shared.events.detach(h.emitter)
	return h.shared.release()
}

// loadStore provisions the store module of the configuration, or the memory store.
func (h *Handler) loadStore(ctx caddy.Context) error {
	if len(h.StoreRaw) == 0 {
		h.StoreRaw = json.RawMessage(`{"store": "memory"}`)
	}
	module, err := ctx.LoadModule(h, "StoreRaw")
	if err != nil {
		return fmt.Errorf("loading the store: %w", err)
	}
	store, ok := module.(Store)
	if !ok {
		return fmt.Errorf("store: module %T does not implement Store", module)
	}
	h.store = store
	return nil
}

// ServeHTTP serves the endpoints and the page. Other requests go on to next.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request, next caddyhttp.Handler) error {
	path, below := trimPrefix(r.URL.Path, h.PathPrefix)
	if !below && h.redirectMount(w, r) ||
		below && (h.api.Serve(w, r, path) || h.serveWeb(w, r, path)) {
		return nil
	}
	return next.ServeHTTP(w, r)
}

// Interface guards
var (
	_ caddy.Module                = (*Handler)(nil)
	_ caddy.Provisioner           = (*Handler)(nil)
	_ caddy.Validator             = (*Handler)(nil)
	_ caddy.CleanerUpper          = (*Handler)(nil)
	_ caddyhttp.MiddlewareHandler = (*Handler)(nil)
)
