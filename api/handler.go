// Package api serves the HTTP endpoints of a site: it decodes requests, limits their
// rates, calls package room and encodes the responses. It opens WebSockets, which
// package ws then serves. It does not know Caddy: Config has everything that it needs
// from there.
package api

import (
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"time"

	"go.uber.org/zap"

	"github.com/ephemeralchat/caddy-ephemeral-chat/internal/apierror"
	"github.com/ephemeralchat/caddy-ephemeral-chat/room"
	"github.com/ephemeralchat/caddy-ephemeral-chat/ws"
)

// Config has the dependencies and limits of a Handler. All functions are required and
// must be safe for concurrent use.
type Config struct {
	Rooms *room.Rooms
	Hub   *ws.Hub
	// Connections limits each WebSocket. The Handler sets Rooms, Client and UserID.
	Connections ws.Settings
	// Observer is called after a request has changed a room.
	Observer Observer
	// Refusals counts the requests that were answered with an error.
	Refusals *apierror.Counter
	Log      *zap.Logger

	// Identify returns the id of the user that the site has signed in, or an error
	// that wraps a sentinel of package room. An empty id means that clients choose
	// their own.
	Identify func(*http.Request) (userID string, err error)
	// ClientAddr returns the address by which rates and connections are limited. All
	// clients without a valid address count as one.
	ClientAddr func(*http.Request) netip.Addr
	// ParseDuration parses the durations of requests, such as "30m" or "1d".
	ParseDuration func(string) (time.Duration, error)

	// Origins may use the site besides its own pages.
	Origins Origins
	// CreateRate and JoinRate limit each client. PasswordRate limits the wrong
	// passwords of a client for one room, RoomPasswordRate those of all clients.
	CreateRate, JoinRate, PasswordRate, RoomPasswordRate Rate

	// ExtendedConnect allows WebSockets over streams of HTTP/2 and HTTP/3. Before a
	// stream is served, SuspendTimeouts turns the server's idle time-outs off for it.
	ExtendedConnect bool
	SuspendTimeouts func(*http.Request)
}

// Observer is called after a request has changed a room, once for each change. userID
// is the user that sent the request or, for MemberRemoved, the user that was removed.
// Methods must not block.
type Observer interface {
	RoomCreated(roomID, userID string, ttl time.Duration)
	RoomStarted(roomID, userID string, ttl time.Duration)
	RoomDeleted(roomID, userID string)
	MemberJoined(roomID, userID string)
	MemberRemoved(roomID, userID, by string)
}

// Handler serves the endpoints of one site. It is safe for concurrent use.
type Handler struct {
	// Fixed.
	config Config

	// The limiters lock themselves.
	creates, joins, passwords *limiter
	roomPasswords             *limiter // its keys have no client
}

// New returns a handler whose rate limits have counted nothing yet.
func New(config Config) *Handler {
	config.Connections.Rooms = config.Rooms
	return &Handler{
		config:        config,
		creates:       newLimiter(config.CreateRate),
		joins:         newLimiter(config.JoinRate),
		passwords:     newLimiter(config.PasswordRate),
		roomPasswords: newLimiter(config.RoomPasswordRate),
	}
}

// endpoint serves a request whose method, origin, user and body are valid. It returns
// the body of the 200 response.
type endpoint func(h *Handler, r *http.Request, b *body) (any, error)

// endpoints are the paths that take POST.
var endpoints = map[string]endpoint{
	"/createRoom":   (*Handler).createRoom,
	"/joinRoom":     (*Handler).joinRoom,
	"/startChat":    (*Handler).startChat,
	"/deleteRoom":   (*Handler).deleteRoom,
	"/removeMember": (*Handler).removeMember,
	"/lockRoom":     (*Handler).lockRoom,
	"/leaveRoom":    (*Handler).leaveRoom,
	"/roomInfo":     (*Handler).roomInfo,
}

// Serve serves a request if path, which is relative to the mount point, is an
// endpoint. It reports whether it is.
func (h *Handler) Serve(w http.ResponseWriter, r *http.Request, path string) bool {
	if path == "/ws" {
		h.serveWebSocket(w, r)
		return true
	}
	serve := endpoints[path]
	if serve == nil {
		return false
	}
	h.serveEndpoint(w, r, serve)
	return true
}

// serveEndpoint makes the checks that all endpoints have in common, in this order:
// method, origin, user, media type, size, JSON.
func (h *Handler) serveEndpoint(w http.ResponseWriter, r *http.Request, serve endpoint) {
	err := h.checkOrigin(w, r)
	preflight := isPreflight(r)
	if !preflight && !h.AllowMethod(w, r, http.MethodPost) {
		return
	}
	if err == nil && preflight {
		answerPreflight(w)
		return
	}
	var answer any
	if err == nil {
		answer, err = h.call(w, r, serve)
	}
	if err != nil {
		h.refuse(w, r, err)
		return
	}
	writeJSON(w, http.StatusOK, "application/json", answer)
}

// call identifies the user, decodes the body and calls the endpoint.
func (h *Handler) call(w http.ResponseWriter, r *http.Request, serve endpoint) (any, error) {
	userID, err := h.config.Identify(r)
	if err != nil {
		return nil, err
	}
	b, err := readBody(w, r)
	if err != nil {
		return nil, err
	}
	b.userID, b.parseDuration = userID, h.config.ParseDuration
	return serve(h, r, b)
}

// AllowMethod reports whether the request has one of the methods. If not, it answers
// with status 405 and the Allow header (RFC 9110, section 15.5.6).
func (h *Handler) AllowMethod(w http.ResponseWriter, r *http.Request, methods ...string) bool {
	if slices.Contains(methods, r.Method) {
		return true
	}
	w.Header().Set("Allow", strings.Join(methods, ", "))
	h.refuse(w, r, apierror.ErrMethodNotAllowed)
	return false
}
