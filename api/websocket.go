package api

import (
	"errors"
	"net/http"

	"github.com/ephemeralchat/caddy-ephemeral-chat/internal/apierror"
	"github.com/ephemeralchat/caddy-ephemeral-chat/ws"
)

// serveWebSocket checks a request for a WebSocket and hands it to the hub. Over HTTP/1.1
// the connection outlives this call, the request and the handler. Over a stream of
// HTTP/2 or HTTP/3 this returns when the stream has ended.
func (h *Handler) serveWebSocket(w http.ResponseWriter, r *http.Request) {
	err := h.checkOrigin(w, r)
	streamed := h.config.ExtendedConnect && ws.IsExtendedConnect(r)
	if !streamed && !h.AllowMethod(w, r, http.MethodGet) {
		return
	}
	settings := h.config.Connections
	if err == nil {
		settings.UserID, err = h.config.Identify(r)
	}
	if err != nil {
		h.refuse(w, r, err)
		return
	}
	settings.Client = h.config.ClientAddr(r)
	serve := h.config.Hub.Serve
	if streamed {
		h.config.SuspendTimeouts(r)
		serve = h.config.Hub.ServeExtendedConnect
	}
	if err := serve(w, r, settings); err != nil {
		if errors.Is(err, apierror.ErrUpgradeRequired) {
			offerUpgrade(w, r)
		}
		h.refuse(w, r, err)
	}
}

// offerUpgrade sets the headers that name the supported protocol (RFC 9110, section
// 15.5.22; RFC 6455, section 4.4). Only HTTP/1.1 has upgrades.
func offerUpgrade(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Sec-WebSocket-Version", "13")
	if r.ProtoMajor == 1 {
		w.Header().Set("Connection", "Upgrade")
		w.Header().Set("Upgrade", "websocket")
	}
}
