package ephemeralchat_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"
)

func host(name string) func(*http.Request) { return func(r *http.Request) { r.Host = name } }

func TestOrigin(t *testing.T) {
	s := serve(t, "ephemeral_chat {\ncreate_rate off\norigins https://app.example http://Dev.example:8080 https://other.example:443 capacitor://localhost\n}")
	body := object(t, "roomName", "x")
	for _, test := range []struct {
		host, origin string
		own, listed  bool
	}{
		{"chat.example", "http://chat.example", true, false},
		{"chat.example", "http://CHAT.example", true, false},
		{"chat.example", "http://chat.example:80", true, false},
		{"chat.example:80", "http://chat.example", true, false},
		// Behind a proxy that speaks TLS for the site.
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
			got := s.post(t, "/createRoom", body, host(test.host), header("Origin", test.origin))
			preflight := s.send(t, http.MethodOptions, "/createRoom", "", host(test.host), header("Origin", test.origin),
				header("Access-Control-Request-Method", "POST"), header("Access-Control-Request-Headers", "content-type"))
			socket := s.send(t, http.MethodGet, "/ws", "", host(test.host), header("Origin", test.origin))
			if test.own || test.listed {
				got.ok(t)
				if preflight.status != http.StatusNoContent {
					t.Errorf("preflight: %d %s", preflight.status, preflight.body)
				}
				socket.refused(t, 400, "invalid_request") // no upgrade
			} else {
				got.refused(t, 403, "origin_not_allowed")
				preflight.refused(t, 403, "origin_not_allowed")
				socket.refused(t, 403, "origin_not_allowed")
			}
			allowed := ""
			if test.listed {
				allowed = test.origin
			}
			for what, r := range map[string]reply{"response": got, "preflight": preflight, "socket": socket} {
				if cors := r.header.Get("Access-Control-Allow-Origin"); cors != allowed {
					t.Errorf("%s: Access-Control-Allow-Origin %q, want %q", what, cors, allowed)
				}
				if !slices.Contains(r.header.Values("Vary"), "Origin") {
					t.Errorf("%s: Vary %q", what, r.header.Values("Vary"))
				}
			}
			if methods := preflight.header.Get("Access-Control-Allow-Methods"); (methods == "POST") != test.listed {
				t.Errorf("Access-Control-Allow-Methods %q", methods)
			}
			if headers := preflight.header.Get("Access-Control-Allow-Headers"); (headers == "Content-Type") != test.listed {
				t.Errorf("Access-Control-Allow-Headers %q", headers)
			}
		})
	}
	t.Run("two origins", func(t *testing.T) {
		s.post(t, "/createRoom", body, func(r *http.Request) {
			r.Header["Origin"] = []string{"https://app.example", "https://evil.example"}
		}).refused(t, 403, "origin_not_allowed")
	})
	t.Run("errors can be read", func(t *testing.T) {
		got := s.post(t, "/createRoom", "{}", header("Origin", "https://app.example"))
		got.refused(t, 400, "invalid_request")
		if got.header.Get("Access-Control-Allow-Origin") != "https://app.example" ||
			!strings.Contains(got.header.Get("Access-Control-Expose-Headers"), "Retry-After") {
			t.Errorf("headers %v", got.header)
		}
	})
}

// TestOriginOverTLS checks that a page that came without encryption is not one
// of a site that has it.
func TestOriginOverTLS(t *testing.T) {
	s := serveTLS(t, "ephemeral_chat")
	body := object(t, "roomName", "x")
	s.post(t, "/createRoom", body, overTLS, header("Origin", "https://"+s.address)).ok(t)
	s.post(t, "/createRoom", body, overTLS, host("localhost"), header("Origin", "https://localhost")).ok(t)
	for _, origin := range []string{"http://" + s.address, "http://localhost", "http://localhost:443"} {
		s.post(t, "/createRoom", body, overTLS, host("localhost"), header("Origin", origin)).refused(t, 403, "origin_not_allowed")
	}
}
