package ephemeralchat_test

import (
	"encoding/json"
	"testing"

	"github.com/caddyserver/caddy/v2"

	ephemeralchat "github.com/ephemeralchat/caddy-ephemeral-chat"
)

func TestCommandURL(t *testing.T) {
	for _, test := range []struct{ domain, listen, want string }{
		{"", ":8080", "http://localhost:8080/"},
		{"", ":80", "http://localhost/"},
		{"", "127.0.0.1:8080", "http://127.0.0.1:8080/"},
		{"", "0.0.0.0:8080", "http://localhost:8080/"},
		{"", "[::]:8080", "http://localhost:8080/"},
		{"", "[::1]:8080", "http://[::1]:8080/"},
		{"chat.example.com", "", "https://chat.example.com/"},
		{"chat.example.com", ":443", "https://chat.example.com/"},
		{"chat.example.com", ":8443", "https://chat.example.com:8443/"},
	} {
		if got := ephemeralchat.CommandURL(test.domain, test.listen); got != test.want {
			t.Errorf("--domain %q --listen %q: %s, want %s", test.domain, test.listen, got, test.want)
		}
	}
}

// TestCommandConfig checks that Caddy accepts the configuration of the command, and that
// a domain has its own site on the HTTPS port, which automatic HTTPS needs.
func TestCommandConfig(t *testing.T) {
	for _, domain := range []string{"", "chat.example.com"} {
		handler, err := ephemeralchat.CommandHandler("rediss://redis.example.com", "48h")
		if err != nil {
			t.Fatal(err)
		}
		listen := ""
		if domain == "" {
			listen = ":8080"
		}
		config := ephemeralchat.CommandConfig(handler, domain, listen, true)
		raw := config.AppsRaw["http"] // which validation clears
		if err := caddy.Validate(config); err != nil {
			t.Fatalf("domain %q: %v", domain, err)
		}
		var app struct {
			Servers map[string]struct {
				Listen []string
				Routes []struct {
					Match []struct{ Host []string }
				}
			}
		}
		if err := json.Unmarshal(raw, &app); err != nil {
			t.Fatal(err)
		}
		server := app.Servers["chat"]
		if domain == "" {
			if server.Listen[0] != ":8080" || len(server.Routes[0].Match) > 0 {
				t.Errorf("without a domain: %+v", server)
			}
			continue
		}
		if server.Listen[0] != ":443" || len(server.Routes[0].Match) != 1 || server.Routes[0].Match[0].Host[0] != domain {
			t.Errorf("with a domain: %+v", server)
		}
	}
}

func TestCommandRefuses(t *testing.T) {
	for _, test := range []struct{ redis, ttl string }{
		{"http://localhost", ""},
		{"", "soon"},
		{"", "-1s"},
		{"", "0s"},
	} {
		if _, err := ephemeralchat.CommandHandler(test.redis, test.ttl); err == nil {
			t.Errorf("--redis %q --ttl %q is taken", test.redis, test.ttl)
		}
	}
}
