package ephemeralchat

import (
	"errors"
	"math"
	"net/http"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/ephemeralchat/caddy-ephemeral-chat/internal/apierror"
	"github.com/ephemeralchat/caddy-ephemeral-chat/ws"
)

// serveSocket opens a WebSocket. Over HTTP/1.1 it goes on when this has returned,
// without the request and without this handler; over a stream of HTTP/2 or HTTP/3 this
// returns when the stream has ended.
func (h *Handler) serveSocket(w http.ResponseWriter, r *http.Request) {
	admitted := h.admitOrigin(w, r)
	streamed := h.ExtendedConnect && ws.IsExtendedConnect(r)
	if !streamed && !h.allowMethod(w, r, http.MethodGet) {
		return
	}
	if admitted != nil {
		h.refuse(w, r, admitted)
		return
	}
	settings := h.settings
	var err error
	if settings.UserID, err = h.identify(r); err != nil {
		h.refuse(w, r, err)
		return
	}
	settings.Client = clientOf(r)
	serve := h.chat.hub.Serve
	if streamed {
		suspendIdleTimeouts(r)
		serve = h.chat.hub.ServeExtendedConnect
	}
	if err := serve(w, r, settings); err != nil { //nolint:contextcheck // it outlives the request
		if errors.Is(err, apierror.ErrUpgradeRequired) {
			offerUpgrade(w, r)
		}
		h.refuse(w, r, err)
	}
}

// suspendIdleTimeouts turns Caddy's idle time-outs off for a request. They are for
// requests that end; a WebSocket's own pings find out whether its client lives.
func suspendIdleTimeouts(r *http.Request) {
	reader, writer := caddyhttp.IdleTimeoutsFromContext(r.Context())
	if reader != nil {
		reader.Override(math.MaxInt64/2, 0)
	}
	if writer != nil {
		writer.Override(math.MaxInt64/2, 0, math.MaxInt32)
	}
}

// offerUpgrade says in the head of a response what would be served (RFC 9110, section
// 15.5.22; RFC 6455, section 4.4). Beyond HTTP/1.1 nothing is upgraded.
func offerUpgrade(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Sec-WebSocket-Version", "13")
	if r.ProtoMajor == 1 {
		w.Header().Set("Connection", "Upgrade")
		w.Header().Set("Upgrade", "websocket")
	}
}
