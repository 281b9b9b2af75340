package ephemeralchat

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"unicode"

	"github.com/ephemeralchat/caddy-ephemeral-chat/internal/apierror"
)

// defaultPorts are the ports that an origin does not mention.
var defaultPorts = map[string]string{"http": "80", "https": "443"}

// origin is where a page comes from (RFC 6454, section 4), with the default
// port filled in and in lower case.
type origin struct{ scheme, host, port string }

// origins are those besides the site's own whose pages may use the chat.
type origins map[origin]bool

// parseOrigins reads the origins of a configuration.
func parseOrigins(texts []string) (origins, error) {
	listed := make(origins, len(texts))
	for _, text := range texts {
		o, err := parseOrigin(text)
		if err != nil {
			return nil, err
		}
		listed[o] = true
	}
	return listed, nil
}

// parseOrigin reads what stands in an Origin header: scheme://host[:port]. Browsers
// write it in ASCII (RFC 6454, section 6.2), also where a host has other letters, so
// that what is not can only be a mistake or a disguise.
func parseOrigin(text string) (origin, error) {
	bad := fmt.Errorf("origin %q must be scheme://host or scheme://host:port, in ASCII (xn--…), and nothing else", text)
	scheme, host, ok := strings.Cut(text, "://")
	if !ok || scheme == "" || host == "" || strings.ContainsAny(host, "*/?#@%\\ {}") || strings.ContainsFunc(host, beyondASCII) {
		return origin{}, bad
	}
	u, err := url.Parse(text)
	if err != nil || u.Hostname() == "" || strings.HasSuffix(u.Host, ":") {
		return origin{}, bad
	}
	return originOf(strings.ToLower(u.Scheme), u.Hostname(), u.Port()), nil
}

func beyondASCII(r rune) bool { return r > unicode.MaxASCII }

func originOf(scheme, host, port string) origin {
	if port == "" {
		port = defaultPorts[scheme]
	}
	return origin{scheme: scheme, host: strings.ToLower(host), port: port}
}

// admitOrigin decides whether the page that a request comes from may use the
// chat, and if it is a listed one lets it read the response (the CORS protocol
// of the Fetch standard). A request without an origin is not from a page.
func (h *Handler) admitOrigin(w http.ResponseWriter, r *http.Request) error {
	// Caches must not give one origin what another was answered.
	w.Header().Add("Vary", "Origin")
	values := r.Header.Values("Origin")
	if len(values) == 0 {
		return nil
	}
	from, err := parseOrigin(values[0])
	if err != nil || len(values) > 1 {
		return apierror.ErrOriginNotAllowed // an opaque origin, "null", is one of these
	}
	if h.origins[from] {
		w.Header().Set("Access-Control-Allow-Origin", values[0])
		w.Header().Set("Access-Control-Expose-Headers", "Retry-After")
		return nil
	}
	if !sameOrigin(r, from) {
		return apierror.ErrOriginNotAllowed
	}
	return nil
}

// sameOrigin reports whether a page from there is one of the site that the
// request is for. Behind a proxy that speaks TLS for it, the site doesn't see
// its own scheme; then the page's word is taken for it.
func sameOrigin(r *http.Request, from origin) bool {
	scheme := from.scheme
	if r.TLS != nil {
		scheme = "https"
	}
	site := url.URL{Host: r.Host}
	return defaultPorts[from.scheme] != "" && from == originOf(scheme, site.Hostname(), site.Port())
}

// isPreflight reports whether a browser asks whether it may send a request
// (the CORS-preflight request of the Fetch standard).
func isPreflight(r *http.Request) bool {
	return r.Method == http.MethodOptions && r.Header.Get("Origin") != "" &&
		r.Header.Get("Access-Control-Request-Method") != ""
}

// answerPreflight lets a page of a listed origin send JSON.
func answerPreflight(w http.ResponseWriter) {
	header := w.Header()
	setPrivate(header)
	if header.Get("Access-Control-Allow-Origin") != "" {
		header.Set("Access-Control-Allow-Methods", http.MethodPost)
		header.Set("Access-Control-Allow-Headers", "Content-Type")
		header.Set("Access-Control-Max-Age", "7200")
	}
	w.WriteHeader(http.StatusNoContent)
}
