package ephemeralchat

import (
	"net/http"
	"net/url"
	"path"
	"strings"

	"github.com/ephemeralchat/caddy-ephemeral-chat/web"
)

// serveWeb answers requests for the page and for what it consists of, and
// reports whether this was one.
func (h *Handler) serveWeb(w http.ResponseWriter, r *http.Request, below string) bool {
	file, ok := web.Find(below)
	if !ok || file.IsPage() && h.DisablePage {
		return false
	}
	if file.IsPage() {
		file = h.page()
	}
	if h.allowMethod(w, r, http.MethodGet, http.MethodHead) {
		file.Serve(w, r)
	}
	return true
}

// makePage returns the page of this chat.
func (h *Handler) makePage() *web.File {
	return web.Page(web.Settings{TTL: timeOf(h.TTL), MaxTTL: timeOf(h.MaxTTL), Named: h.User != ""})
}

// serveMount sends who asks for the mount point without the slash at its end to
// the page, whose relative URLs need it. It reports whether this was one.
func (h *Handler) serveMount(w http.ResponseWriter, r *http.Request) bool {
	if h.DisablePage || h.PathPrefix == "" || !strings.EqualFold(r.URL.Path, h.PathPrefix) ||
		r.Method != http.MethodGet && r.Method != http.MethodHead {
		return false
	}
	// Relative, because something in front may have taken off a prefix too.
	page := url.URL{Path: path.Base(r.URL.Path) + "/", RawQuery: r.URL.RawQuery}
	w.Header().Set("Location", page.String())
	w.WriteHeader(http.StatusPermanentRedirect)
	return true
}
