// Package ephemeralchat is a Caddy HTTP handler that gives a site chat rooms
// which vanish: when the time of a room is up, everything about it is gone.
//
// This package holds the configuration, its Caddyfile grammar, the life of the
// module within Caddy, and the HTTP endpoints. The rules of the chat are in
// package room, the WebSocket in package ws.
package ephemeralchat

import (
	"encoding/json"
	"fmt"
	"net/http"
	"sync"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"go.uber.org/zap"

	"github.com/ephemeralchat/caddy-ephemeral-chat/room"
	"github.com/ephemeralchat/caddy-ephemeral-chat/web"
	"github.com/ephemeralchat/caddy-ephemeral-chat/ws"
)

const (
	moduleID       = "http.handlers.ephemeral_chat"
	storeNamespace = moduleID + ".stores"
)

func init() { caddy.RegisterModule(new(Handler)) }

// Handler serves chat rooms that vanish: a page at `/` on which people create,
// join and use them, an HTTP API and a WebSocket at `/ws` for programs, and
// `/embed.js`, with which other pages show a room. Requests that are not for
// one of these go on to the next handler.
//
// Rooms and open connections belong to the store, not to the handler: they
// survive a reload of the configuration for as long as some handler uses the
// same store. Rate limits belong to the handler and start afresh with a reload.
type Handler struct {
	// The path under which the endpoints are found, such as `/chat`: it is taken
	// off the path of a request for this handler only. Empty where the handler
	// is mounted at the root, or where the prefix has been stripped before.
	PathPrefix string `json:"path_prefix,omitempty"`

	// Where rooms are kept. The default is `memory`: in the process.
	StoreRaw json.RawMessage `json:"store,omitempty" caddy:"namespace=http.handlers.ephemeral_chat.stores inline_key=store"`

	// How long a room lives, from its start, if its creator does not say. Whole
	// seconds. Default: `1h`, or `max_ttl` if that is less.
	TTL caddy.Duration `json:"ttl,omitempty"`

	// The longest life that the creator of a room may ask for. Whole seconds.
	// Default: `24h`.
	MaxTTL caddy.Duration `json:"max_ttl,omitempty"`

	// How long a room may wait to be started before it is removed. Whole
	// seconds. Default: `24h`.
	Lobby caddy.Duration `json:"lobby,omitempty"`

	// How many messages a room keeps for those who come later, from 1 to
	// 100000. Default: 1000.
	History int `json:"history,omitempty"`

	// How long a message may be, in bytes of UTF-8, from 1 byte to 1 MiB.
	// Default: 4096.
	MaxMessage int `json:"max_message,omitempty"`

	// How many users may be online in a room. Default: 1000.
	MaxMembers int `json:"max_members,omitempty"`

	// How many rooms the memory store may hold; not for other stores. Default:
	// 100000, which one client address cannot fill at the default `create_rate`
	// in the longest life of a room at the default `lobby` and `max_ttl`.
	MaxRooms int `json:"max_rooms,omitempty"`

	// Rooms that anybody may join without anybody having created them.
	Rooms []DeclaredRoom `json:"rooms,omitempty"`

	// How many messages a connection may send. Default: 10 in `1s`.
	MessageRate *Rate `json:"message_rate,omitempty"`

	// How many times a client address may join rooms or come back to them.
	// Default: 600 in `1m`.
	JoinRate *Rate `json:"join_rate,omitempty"`

	// How many rooms a client address may create. Default: 20 in `1m`.
	CreateRate *Rate `json:"create_rate,omitempty"`

	// How many wrong passwords a client address may try on one room. Default: 10
	// in `1m`.
	PasswordRate *Rate `json:"password_rate,omitempty"`

	// How many wrong passwords all clients together may try on one room, at one node.
	// While they are used up, nobody new gets in by a password. Default: 100 in `1m`.
	RoomPasswordRate *Rate `json:"room_password_rate,omitempty"`

	// How many WebSocket connections a client address may have open at a time, from
	// 1 to 1000000. They are counted for each store, also across a reload. Default:
	// 1000, as many as people may share one address at a school or in an office.
	MaxConnections int `json:"max_connections,omitempty"`

	// Origins whose pages may use the chat besides those of the site itself,
	// such as `https://www.example.com`: scheme, host, and port unless it is the
	// scheme's default.
	Origins []string `json:"origins,omitempty"`

	// Who the user is, by what the site knows: a placeholder such as
	// `{http.auth.user.id}`, of which each value is always the same user in a room,
	// whatever clients say. Where it is empty, requests are refused. Its rooms can
	// be entered only where users are known in this way. Default: clients choose
	// their own names.
	User string `json:"user,omitempty"`

	// Whether GET on the mount point goes on to the next handler, rather than
	// being answered with the built-in page. What pages of the site import,
	// `embed.js` and `client.js`, is served in any case.
	DisablePage bool `json:"disable_page,omitempty"`

	// Whether WebSockets are taken over streams of HTTP/2 (RFC 8441) and HTTP/3 (RFC
	// 9220) as well. Default: over HTTP/1.1 only, which costs less and is what
	// browsers use when nothing else is offered.
	ExtendedConnect bool `json:"extended_connect,omitempty"`

	// How often connections are pinged. One that gives no answer of any kind for
	// twice this time is closed. At least `1s`. Default: `30s`.
	PingInterval caddy.Duration `json:"ping_interval,omitempty"`

	// In a room with more than 64 connections on a node, how long to wait after a
	// message has gone out to all of them before the next ones do, together. It
	// bounds what a busy room costs; a message into a quiet room, or a small one,
	// never waits. From `1ms` to `1s`, or -1 for off. Default: `25ms`.
	FlushInterval caddy.Duration `json:"flush_interval,omitempty"`

	// Set by Provision and fixed from then on: requests are served from these,
	// also after Cleanup, when a reload has overtaken them.
	logger         *zap.Logger
	store          Store
	origins        origins
	chat           *chat
	rooms          *room.Rooms
	settings       ws.Settings
	createLimiter  *limiter
	joinLimiter    *limiter
	passwordLimits *limiter
	// roomPasswordLimits has keys without a client.
	roomPasswordLimits *limiter
	page               func() *web.File // made when it is first asked for

	// held is the store that Provision took and Cleanup has to give back, nil if
	// there is none; and voice what the chat tells its events by.
	held  *poolKey
	voice *voice
}

// CaddyModule returns the Caddy module information. It is asked for it while the
// handler may be changing: a receiver that is no pointer would be a copy of that.
func (*Handler) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{
		ID:  moduleID,
		New: func() caddy.Module { return new(Handler) },
	}
}

// Provision prepares the handler and takes hold of its store. It does not wait
// for a store that is elsewhere to answer.
func (h *Handler) Provision(ctx caddy.Context) error {
	h.logger = ctx.Logger()
	if err := h.loadStore(ctx); err != nil {
		return err
	}
	h.setDefaults()
	// Caddy validates only what has been provisioned; a wrong configuration
	// should not open a store at all.
	if err := h.Validate(); err != nil {
		return err
	}
	var err error
	if h.origins, err = parseOrigins(h.Origins); err != nil {
		return err
	}
	standing, err := h.standingRooms(caddy.NewReplacer())
	if err != nil {
		return err
	}
	h.createLimiter = newLimiter(*h.CreateRate)
	h.joinLimiter = newLimiter(*h.JoinRate)
	h.passwordLimits = newLimiter(*h.PasswordRate)
	h.roomPasswordLimits = newLimiter(*h.RoomPasswordRate)
	h.page = sync.OnceValue(h.makePage)

	chat, key, err := takeChat(h.store)
	if err != nil {
		return fmt.Errorf("opening the store: %w", err)
	}
	h.held, h.chat = &key, chat
	if h.voice, err = chat.herald.join(ctx); err != nil {
		return fmt.Errorf("events: %w", err)
	}
	if err := h.closeOnExit(ctx); err != nil {
		return fmt.Errorf("events: %w", err)
	}
	if err := registerMetrics(ctx); err != nil {
		return fmt.Errorf("metrics: %w", err)
	}
	h.rooms = room.NewRooms(chat.store, h.limits(), standing...)
	h.settings = ws.Settings{
		Rooms:          h.rooms,
		PingInterval:   timeOf(h.PingInterval),
		MessageRate:    h.MessageRate.perSecond(),
		MessageBurst:   h.MessageRate.Count,
		FlushInterval:  max(0, timeOf(h.FlushInterval)),
		MaxConnections: h.MaxConnections,
	}
	return nil
}

// Validate reports what is wrong with the configuration.
func (h *Handler) Validate() error {
	if err := h.checkValues(); err != nil {
		return err
	}
	return h.checkTogether()
}

// Cleanup gives back the store that Provision took, if it did: Caddy calls it
// after a failed Provision as well.
func (h *Handler) Cleanup() error {
	if h.held == nil {
		return nil
	}
	key := *h.held
	h.held = nil
	h.chat.herald.leave(h.voice)
	return releaseChat(key)
}

// loadStore provisions the guest module that the configuration names, or the
// memory store if it names none.
func (h *Handler) loadStore(ctx caddy.Context) error {
	var (
		guest any
		err   error
	)
	if len(h.StoreRaw) == 0 {
		guest, err = ctx.LoadModuleByID(storeNamespace+".memory", nil)
	} else {
		guest, err = ctx.LoadModule(h, "StoreRaw")
	}
	if err != nil {
		return fmt.Errorf("loading the store: %w", err)
	}
	store, ok := guest.(Store)
	if !ok {
		return fmt.Errorf("store module %T cannot hold rooms", guest)
	}
	h.store = store
	return nil
}

// ServeHTTP serves the endpoints of the chat and hands everything else on.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request, next caddyhttp.Handler) error {
	path, ok := trimPrefix(r.URL.Path, h.PathPrefix)
	switch {
	case !ok:
		if h.serveMount(w, r) {
			return nil
		}
	case path == "/ws":
		h.serveSocket(w, r)
		return nil
	case endpoints[path] != nil:
		h.serveEndpoint(w, r, endpoints[path])
		return nil
	case h.serveWeb(w, r, path):
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
