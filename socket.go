package ephemeralchat

import "net/http"

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
	if streamed {
		s, upgrade := asUpgrade(w, r)
		defer s.wait()
		w, r = &streamWriter{w, s}, upgrade
	}
	if err := h.chat.hub.Serve(w, r, settings); err != nil { //nolint:contextcheck // it outlives the request
		h.refuse(w, r, err)
	}
}
