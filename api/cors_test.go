package api_test

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/ephemeralchat/caddy-ephemeral-chat/api"
	"github.com/ephemeralchat/caddy-ephemeral-chat/api/apitest"
)

func host(name string) func(*http.Request) { return func(r *http.Request) { r.Host = name } }

func origins(tb testing.TB, texts ...string) api.Origins {
	tb.Helper()
	parsed, err := api.ParseOrigins(texts)
	if err != nil {
		tb.Fatal(err)
	}
	return parsed
}

func TestOrigin(t *testing.T) {
	s := serve(t, func(o *options) {
		o.Origins = origins(t, "https://app.example", "http://Dev.example:8080", "https://other.example:443", "capacitor://localhost")
	})
	body := apitest.Object(t, "roomName", "x")
	for _, test := range []struct {
		host, origin string
		own, listed  bool
	}{
		{"chat.example", "http://chat.example", true, false},
		{"chat.example", "http://CHAT.example", true, false},
		{"chat.example", "http://chat.example:80", true, false},
		{"chat.example:80", "http://chat.example", true, false},
		// Behind a proxy that ends TLS.
		{"chat.example", "https://chat.example", true, false},
		{"chat.example:8080", "http://chat.example:8080", true, false},
		{"[::1]:8080", "http://[::1]:8080", true, false},
		{"chat.example", "http://chat.example:8080", false, false},
		{"chat.example:8080", "http://chat.example", false, false},
		{"chat.example", "http://sub.chat.example", false, false},
		{"chat.example", "http://chat.example.evil", false, false},
		{"chat.example", "http://chat.example@evil", false, false},
		{"chat.example", "http://chat.example/", false, false},
		{"chat.example", "http://chat.example evil", false, false},
		{"chat.example", "capacitor://chat.example", false, false},
		{"chat.example", "http://chat.e%78ample", false, false},
		{"kit.example", "http://\u212ait.example", false, false},
		{"chat.example", "null", false, false},
		{"chat.example", "chat.example", false, false},
		{"chat.example", "//chat.example", false, false},
		{"chat.example", "*", false, false},
		{"chat.example", "https://app.example", false, true},
		{"chat.example", "https://app.example:443", false, true},
		{"chat.example", "http://app.example", false, false},
		{"chat.example", "https://app.example:8443", false, false},
		{"chat.example", "https://app.example.evil", false, false},
		{"chat.example", "http://dev.example:8080", false, true},
		{"chat.example", "https://other.example", false, true},
		{"chat.example", "capacitor://localhost", false, true},
	} {
		t.Run(test.origin+" at "+test.host, func(t *testing.T) {
			got := s.Post(t, "/createRoom", body, host(test.host), apitest.Header("Origin", test.origin))
			preflight := s.Send(t, http.MethodOptions, "/createRoom", "", host(test.host), apitest.Header("Origin", test.origin),
				apitest.Header("Access-Control-Request-Method", "POST"), apitest.Header("Access-Control-Request-Headers", "content-type"))
			socket := s.Send(t, http.MethodGet, "/ws", "", host(test.host), apitest.Header("Origin", test.origin))
			if test.own || test.listed {
				got.OK(t)
				if preflight.Status != http.StatusNoContent {
					t.Errorf("preflight: %d %s", preflight.Status, preflight.Body)
				}
				socket.Refused(t, 426, "upgrade_required")
			} else {
				got.Refused(t, 403, "origin_not_allowed")
				preflight.Refused(t, 403, "origin_not_allowed")
				socket.Refused(t, 403, "origin_not_allowed")
			}
			allowed := ""
			if test.listed {
				allowed = test.origin
			}
			for what, r := range map[string]apitest.Reply{"response": got, "preflight": preflight, "socket": socket} {
				if cors := r.Header.Get("Access-Control-Allow-Origin"); cors != allowed {
					t.Errorf("%s: Access-Control-Allow-Origin %q, want %q", what, cors, allowed)
				}
				if !slices.Contains(r.Header.Values("Vary"), "Origin") {
					t.Errorf("%s: Vary %q", what, r.Header.Values("Vary"))
				}
			}
			if methods := preflight.Header.Get("Access-Control-Allow-Methods"); (methods == "POST") != test.listed {
				t.Errorf("Access-Control-Allow-Methods %q", methods)
			}
			if headers := preflight.Header.Get("Access-Control-Allow-Headers"); (headers == "Content-Type") != test.listed {
				t.Errorf("Access-Control-Allow-Headers %q", headers)
			}
		})
	}
	t.Run("two origins", func(t *testing.T) {
		s.Post(t, "/createRoom", body, func(r *http.Request) {
			r.Header["Origin"] = []string{"https://app.example", "https://evil.example"}
		}).Refused(t, 403, "origin_not_allowed")
	})
	t.Run("errors can be read", func(t *testing.T) {
		got := s.Post(t, "/createRoom", "{}", apitest.Header("Origin", "https://app.example"))
		got.Refused(t, 400, "invalid_request")
		if got.Header.Get("Access-Control-Allow-Origin") != "https://app.example" ||
			!strings.Contains(got.Header.Get("Access-Control-Expose-Headers"), "Retry-After") {
			t.Errorf("headers %v", got.Header)
		}
	})
}

// TestOriginOverTLS checks that an http page is not of the same origin as an https site.
func TestOriginOverTLS(t *testing.T) {
	s := serveOn(t, httptest.NewTLSServer, nil)
	overTLS := func(r *http.Request) { r.URL.Scheme = "https" }
	body := apitest.Object(t, "roomName", "x")
	s.Post(t, "/createRoom", body, overTLS, apitest.Header("Origin", "https://"+s.Address)).OK(t)
	s.Post(t, "/createRoom", body, overTLS, host("localhost"), apitest.Header("Origin", "https://localhost")).OK(t)
	for _, origin := range []string{"http://" + s.Address, "http://localhost", "http://localhost:443"} {
		s.Post(t, "/createRoom", body, overTLS, host("localhost"), apitest.Header("Origin", origin)).Refused(t, 403, "origin_not_allowed")
	}
}

// FuzzOrigin sends requests of pages with any origin to a site with any name. Only pages
// of the site itself and of listed origins are answered, and only listed origins may read
// the response from another site.
func FuzzOrigin(f *testing.F) {
	const listed = "https://app.example"
	for _, seed := range [][2]string{
		{"chat.example", "http://chat.example"},
		{"chat.example:8080", "https://CHAT.example:8080"},
		{"[::1]:80", "http://[::1]"},
		{"chat.example", listed},
		{"chat.example", "https://app.example:443"},
		{"chat.example", "https://app.example:"},
		{"chat.example", "http://chat.example@evil.example"},
		{"chat.example", "http://evil.example#chat.example"},
		{"chat.example", "http://chat.example\\.evil.example"},
		{"chat.example", "http://chat.example%00.evil"},
		{"chat.example", "null"},
		{"", "http://"},
		{"[::1", "http://[::1"},
		{"[fe80::1%25eth0]", "http://[fe80::1%25eth0]"},
		{"chat.example", "javascript://chat.example"},
		{":80", "http://:80"},
		{"chat.example:80:80", "http://chat.example:80:80"},
		{"K.example", "http://\u212a.example"},
	} {
		f.Add(seed[0], seed[1], false)
		f.Add(seed[0], seed[1], true)
	}
	o := configure(func(o *options) { o.Origins = origins(f, listed) })
	handler := o.handler(f)
	f.Fuzz(func(t *testing.T, site, origin string, secure bool) {
		request := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/roomInfo", strings.NewReader(`{"roomId":"x"}`))
		if !secure {
			request.TLS = nil
		} else {
			request = httptest.NewRequestWithContext(t.Context(), http.MethodPost, "https://x/roomInfo", strings.NewReader(`{"roomId":"x"}`))
		}
		request.Host = site
		request.Header.Set("Content-Type", "application/json")
		request.Header.Set("Origin", origin)
		w := httptest.NewRecorder()
		handler.Serve(w, request, request.URL.Path)
		from, err := url.Parse(origin)
		plain := err == nil && from.User == nil && from.Path == "" && from.RawQuery == "" && from.Fragment == "" && from.Opaque == ""
		// The listed origin, in any case and with or without the default port.
		isListed := plain && strings.EqualFold(from.Scheme, "https") && lower(from.Hostname()) == "app.example" && (from.Port() == "" || from.Port() == "443")
		isOwn := plain && (strings.EqualFold(from.Scheme, "http") && !secure || strings.EqualFold(from.Scheme, "https")) &&
			lower(from.Hostname()) == lower((&url.URL{Host: site}).Hostname())
		switch allowed := w.Header().Get("Access-Control-Allow-Origin"); {
		case w.Code == http.StatusForbidden && allowed == "":
		case w.Code != http.StatusNotFound:
			t.Errorf("status %d: %s", w.Code, w.Body)
		case allowed != "" && (!isListed || allowed != origin):
			t.Errorf("%q may read the response to %q", allowed, origin)
		case allowed == "" && !isOwn:
			t.Errorf("%q uses the chat of %q", origin, site)
		}
	})
}

// lower returns the name of a host in lower case.
func lower(host string) string {
	return strings.Map(func(r rune) rune {
		if 'A' <= r && r <= 'Z' {
			return r - 'A' + 'a'
		}
		return r
	}, host)
}
