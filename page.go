package ephemeralchat

import (
	_ "embed"
	"net/http"
	"strconv"
)

// page is what a browser is shown at the mount point.
//
//go:embed page.html
var page []byte

// servePage answers GET on the mount point. The policy allows the page nothing
// at all: it consists of text.
func (h *Handler) servePage(w http.ResponseWriter, r *http.Request) {
	if !h.allowMethod(w, r, http.MethodGet, http.MethodHead) {
		return
	}
	header := w.Header()
	setPrivate(header)
	header.Set("Content-Security-Policy", "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'")
	header.Set("Referrer-Policy", "no-referrer")
	header.Set("Content-Type", "text/html; charset=utf-8")
	header.Set("Content-Length", strconv.Itoa(len(page)))
	w.WriteHeader(http.StatusOK)
	if r.Method == http.MethodGet {
		_, _ = w.Write(page) // an error means that the client has gone
	}
}
