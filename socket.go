package ephemeralchat

import "net/http"

// serveSocket opens a WebSocket. It goes on when this has returned, without the
// request and without this handler.
func (h *Handler) serveSocket(w http.ResponseWriter, r *http.Request) {
	admitted := h.admitOrigin(w, r)
	if !h.allowMethod(w, r, http.MethodGet) {
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
	if err := h.chat.hub.Serve(w, r, settings); err != nil { //nolint:contextcheck // it outlives the request
		h.refuse(w, r, err)
	}
}
