package api

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"unicode"

	"github.com/ephemeralchat/caddy-ephemeral-chat/internal/apierror"
)

// defaultPorts are the ports that an origin omits.
var defaultPorts = map[string]string{"http": "80", "https": "443"}

// origin is the origin of a page (RFC 6454, section 4), in lower case and with the
// default port filled in.
type origin struct{ scheme, host, port string }

// Origins is a set of origins. The zero value is empty.
type Origins struct{ all map[origin]bool }

// ParseOrigins parses origins, each of them as browsers write it in Origin headers.
func ParseOrigins(texts []string) (Origins, error) {
	all := make(map[origin]bool, len(texts))
	for _, text := range texts {
		o, err := parseOrigin(text)
		if err != nil {
			return Origins{}, err
		}
		all[o] = true
	}
	return Origins{all}, nil
}

// parseOrigin parses scheme://host[:port]. Browsers write origins in ASCII, also for
// hosts with other letters (RFC 6454, section 6.2): anything else is a mistake or a
// disguise.
func parseOrigin(text string) (origin, error) {
	bad := fmt.Errorf("origin %q must be scheme://host or scheme://host:port, in ASCII (xn--…), and nothing else", text)
	beyondASCII := func(r rune) bool { return r > unicode.MaxASCII }
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

func originOf(scheme, host, port string) origin {
	if port == "" {
		port = defaultPorts[scheme]
	}
	return origin{scheme: scheme, host: strings.ToLower(host), port: port}
}

// checkOrigin returns an error if the page that sent the request may not use the site.
// A page of a listed origin may read the response (CORS protocol of the Fetch
// standard). A request without an origin is not from a page and passes.
func (h *Handler) checkOrigin(w http.ResponseWriter, r *http.Request) error {
	// A cache must not send the response for one origin to another.
	w.Header().Add("Vary", "Origin")
	values := r.Header.Values("Origin")
	if len(values) == 0 {
		return nil
	}
	from, err := parseOrigin(values[0])
	if err != nil || len(values) > 1 {
		return apierror.ErrOriginNotAllowed // the opaque origin "null" ends here, too
	}
	if h.config.Origins.all[from] {
		w.Header().Set("Access-Control-Allow-Origin", values[0])
		w.Header().Set("Access-Control-Expose-Headers", "Retry-After")
		return nil
	}
	if !sameOrigin(r, from) {
		return apierror.ErrOriginNotAllowed
	}
	return nil
}

// sameOrigin reports whether an origin is that of the requested site. Behind a proxy
// that ends TLS the site does not know its own scheme; the origin's is then believed.
func sameOrigin(r *http.Request, from origin) bool {
	scheme := from.scheme
	if r.TLS != nil {
		scheme = "https"
	}
	site := url.URL{Host: r.Host}
	return defaultPorts[from.scheme] != "" && from == originOf(scheme, site.Hostname(), site.Port())
}

// isPreflight reports whether a browser asks for permission to send a request
// (CORS-preflight request of the Fetch standard).
func isPreflight(r *http.Request) bool {
	return r.Method == http.MethodOptions && r.Header.Get("Origin") != "" &&
		r.Header.Get("Access-Control-Request-Method") != ""
}

// answerPreflight allows a page of a listed origin to send JSON.
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
