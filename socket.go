package ephemeralchat

import (
	"errors"
	"net/http"

	"github.com/ephemeralchat/caddy-ephemeral-chat/internal/apierror"
)

// serveSocket opens a WebSocket. Over HTTP/1.1 it goes on when this has returned,
// without the request and without this handler; over a stream of HTTP/2 or HTTP/3 this
// returns when the stream has ended.
func (h *Handler) serveSocket(w http.ResponseWriter, r *http.Request) {
	admitted := h.admitOrigin(w, r)
	streamed := h.ExtendedConnect && isStream(r)
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
	if streamed {
		s, upgrade := asUpgrade(w, r)
		defer s.wait()
		w, r = &streamWriter{w, s}, upgrade
	}
	if err := h.chat.hub.Serve(w, r, settings); err != nil { //nolint:contextcheck // it outlives the request
		if errors.Is(err, apierror.ErrUpgradeRequired) {
			offerUpgrade(w, r)
		}
		h.refuse(w, r, err)
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
