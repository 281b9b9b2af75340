package ephemeralchat_test

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	ephemeralchat "github.com/ephemeralchat/caddy-ephemeral-chat"
	"github.com/ephemeralchat/caddy-ephemeral-chat/api/apitest"
)

// provisioned provisions a handler without rate limits until the end of the test.
func provisioned(tb testing.TB, handler *ephemeralchat.Handler) *ephemeralchat.Handler {
	tb.Helper()
	handler.CreateRate, handler.JoinRate = &ephemeralchat.Rate{Off: true}, &ephemeralchat.Rate{Off: true}
	ctx, cancel := caddy.NewContext(caddy.Context{Context: context.WithoutCancel(tb.Context())})
	tb.Cleanup(func() {
		if err := handler.Cleanup(); err != nil {
			tb.Error(err)
		}
		cancel()
	})
	if err := handler.Provision(ctx); err != nil {
		tb.Fatal(err)
	}
	return handler
}

// asInCaddy sets the context values that Caddy sets before it calls a handler.
func asInCaddy(r *http.Request) *http.Request {
	ctx := context.WithValue(r.Context(), caddyhttp.VarsCtxKey, map[string]any{caddyhttp.ClientIPVarKey: "192.0.2.1"})
	r = r.WithContext(ctx)
	return r.WithContext(context.WithValue(ctx, caddy.ReplacerCtxKey, caddyhttp.NewTestReplacer(r)))
}

// noNext returns a next handler that must not be called.
func noNext(tb testing.TB) caddyhttp.Handler {
	tb.Helper()
	return caddyhttp.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) error {
		tb.Errorf("%s was handed on", r.URL)
		return nil
	})
}

// FuzzConfig provisions a handler from JSON. Accepted options are in the documented
// ranges, and Cleanup releases the store.
func FuzzConfig(f *testing.F) {
	for _, config := range []string{
		`{}`, `{"ttl":"1h","max_ttl":"1d","lobby":"5m","history":10,"max_message":4096,"max_members":5,"max_rooms":7}`,
		`{"ttl":-1}`, `{"ttl":9223372036854775807}`, `{"history":100001}`, `{"ping_interval":"1ns"}`, `{"flush_interval":-1}`,
		`{"message_rate":{"count":1,"window":"1s"},"join_rate":{"off":true}}`, `{"create_rate":{"count":9223372036854775807,"window":1}}`,
		`{"store":{"store":"redis","address":"127.0.0.1:1","db":3,"key_prefix":"x:"}}`, `{"store":{"store":"redis","cluster":true,"nodes":["a"]}}`,
		`{"store":{"store":"memory","name":"x"}}`, `{"store":null}`, `{"store":[]}`, `{"store":{"store":"x"}}`, `{"store":{"store":""}}`,
		`{"origins":["https://a.example","http://[::1]:80"],"user":"{http.auth.user.id}","path_prefix":"/chat"}`, `{"origins":["null"]}`,
		`{"rooms":[{"id":"lounge","name":"Lounge","password":"x","admin_password":"y"}]}`, `{"rooms":[{"id":"a"},{"id":"a"}]}`, `{"rooms":[{}]}`,
		`{"path_prefix":"//x"}`, `{"path_prefix":"/{x}"}`, `{"user":"anna"}`, `[]`, `null`, `{"extended_connect":true,"disable_page":true}`,
	} {
		f.Add([]byte(config))
	}
	f.Fuzz(func(t *testing.T, config []byte) {
		if bytes.Contains(config, []byte(`\u`)) || bytes.Contains(config, []byte("{file")) || bytes.Contains(config, []byte("{env")) || bytes.ContainsRune(config, '/') && bytes.Contains(bytes.ToLower(config), []byte("tls")) {
			t.Skip("of the machine: its files, and its environment")
		}
		handler := new(ephemeralchat.Handler)
		if json.Unmarshal(config, handler) != nil {
			return
		}
		handler.ExtendedConnect = false // needs a running Caddy
		ctx, cancel := caddy.NewContext(caddy.Context{Context: t.Context()})
		defer cancel()
		err := handler.Provision(ctx)
		if err == nil {
			ttl, most := time.Duration(handler.TTL), time.Duration(handler.MaxTTL)
			if ttl < time.Second || ttl > most || handler.Lobby < caddy.Duration(time.Second) || handler.PingInterval < caddy.Duration(time.Second) ||
				handler.History < 1 || handler.History > 100_000 || handler.MaxMessage < 1 || handler.MaxMessage > 1<<20 || handler.MaxMembers < 1 {
				t.Errorf("accepted: %s", config)
			}
		}
		if err := handler.Cleanup(); err != nil {
			t.Errorf("%s: %v", config, err)
		}
	})
}

// TestOptionsOfEndpoints checks that each option reaches the endpoint that it limits.
func TestOptionsOfEndpoints(t *testing.T) {
	s := serve(t, "ephemeral_chat {\ncreate_rate 2 1h\njoin_rate 6 1h\npassword_rate 2 1h\nroom_password_rate 3 1h\norigins https://app.example\n}")
	first, second := s.Create(t, "password", "tea"), s.Create(t)
	s.Post(t, "/createRoom", apitest.Object(t, "roomName", "x")).Refused(t, 429, "rate_limited")
	guess := apitest.Object(t, "roomId", first.Room, "password", "coffee")
	for range 2 {
		s.Post(t, "/joinRoom", guess).Refused(t, 403, "wrong_password")
	}
	detail := s.Post(t, "/joinRoom", guess).Refused(t, 429, "rate_limited")
	if !strings.HasSuffix(detail, "too many wrong passwords") {
		t.Errorf("detail %q", detail)
	}
	for range 3 {
		s.Join(t, second.Room)
	}
	s.Post(t, "/joinRoom", apitest.Object(t, "roomId", second.Room)).Refused(t, 429, "rate_limited")
	listed := s.Post(t, "/roomInfo", apitest.Object(t, "roomId", first.Room), apitest.Header("Origin", "https://app.example"))
	listed.OK(t)
	if got := listed.Header.Get("Access-Control-Allow-Origin"); got != "https://app.example" {
		t.Errorf("Access-Control-Allow-Origin %q", got)
	}

	s = serve(t, "ephemeral_chat {\nroom_password_rate 1 1h\n}")
	room := s.Create(t, "password", "tea").Room
	guess = apitest.Object(t, "roomId", room, "password", "coffee")
	s.Post(t, "/joinRoom", guess).Refused(t, 403, "wrong_password")
	if detail := s.Post(t, "/joinRoom", guess).Refused(t, 429, "rate_limited"); !strings.HasSuffix(detail, "for this room") {
		t.Errorf("detail %q", detail)
	}
}
