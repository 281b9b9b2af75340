package ephemeralchat

import (
	"fmt"
	"net/http"
	"net/url"
	"path"
	"strings"
	"time"

	"github.com/ephemeralchat/caddy-ephemeral-chat/web"
)

// trimPrefix strips the mount prefix from the path of a request. It reports whether the
// path has the prefix, followed by a slash. Like Caddy's path matcher it ignores case.
func trimPrefix(path, prefix string) (string, bool) {
	if len(path) <= len(prefix) || path[len(prefix)] != '/' || !strings.EqualFold(path[:len(prefix)], prefix) {
		return "", false
	}
	return path[len(prefix):], true
}

// prefixOfMatcher returns the mount prefix of a path matcher: `/chat/*` mounts at
// `/chat`.
func prefixOfMatcher(pattern string) (string, error) {
	prefix, ok := strings.CutSuffix(pattern, "/*")
	if !ok {
		return "", fmt.Errorf("path matcher %q must end in /*, because the chat is mounted there; "+
			"for any other match use a named matcher", pattern)
	}
	return prefix, checkPrefix(prefix)
}

// checkPrefix returns an error if a mount prefix is invalid.
func checkPrefix(prefix string) error {
	if prefix == "" {
		return nil
	}
	if prefix[0] != '/' || strings.HasSuffix(prefix, "/") || strings.Contains(prefix, "//") ||
		strings.ContainsAny(prefix, "*{}%?#") {
		return fmt.Errorf("path prefix %q must begin with a slash, must not end with one, "+
			"and is taken literally: no wildcards, placeholders or escapes", prefix)
	}
	return nil
}

// redirectMount redirects a request for the mount point without its final slash to the
// page, which has relative URLs. It reports whether the request is one.
func (h *Handler) redirectMount(w http.ResponseWriter, r *http.Request) bool {
	if h.DisablePage || h.PathPrefix == "" || !strings.EqualFold(r.URL.Path, h.PathPrefix) ||
		r.Method != http.MethodGet && r.Method != http.MethodHead {
		return false
	}
	// Relative, because a proxy in front may have stripped a prefix, too.
	page := url.URL{Path: path.Base(r.URL.Path) + "/", RawQuery: r.URL.RawQuery}
	w.Header().Set("Location", page.String())
	w.WriteHeader(http.StatusPermanentRedirect)
	return true
}

// serveWeb serves the page and its files. It reports whether the path is one of them.
func (h *Handler) serveWeb(w http.ResponseWriter, r *http.Request, path string) bool {
	file, ok := web.Find(path)
	if !ok || file.IsPage() && h.DisablePage {
		return false
	}
	if file.IsPage() {
		file = h.page()
	}
	if h.api.AllowMethod(w, r, http.MethodGet, http.MethodHead) {
		file.Serve(w, r)
	}
	return true
}

// makePage returns the page with the settings of this site.
func (h *Handler) makePage() *web.File {
	return web.Page(web.Settings{TTL: time.Duration(h.TTL), MaxTTL: time.Duration(h.MaxTTL), Named: h.User != ""})
}
