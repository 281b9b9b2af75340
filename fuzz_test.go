package ephemeralchat_test

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	ephemeralchat "github.com/ephemeralchat/caddy-ephemeral-chat"
)

// provisioned prepares a handler, without limits on what a client may do. It is
// cleaned up with the test.
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

// asInCaddy gives a request what Caddy gives it before a handler sees it.
func asInCaddy(r *http.Request) *http.Request {
	ctx := context.WithValue(r.Context(), caddyhttp.VarsCtxKey, map[string]any{caddyhttp.ClientIPVarKey: "192.0.2.1"})
	r = r.WithContext(ctx)
	return r.WithContext(context.WithValue(ctx, caddy.ReplacerCtxKey, caddyhttp.NewTestReplacer(r)))
}

// noNext is for requests that are a handler's own.
func noNext(tb testing.TB) caddyhttp.Handler {
	tb.Helper()
	return caddyhttp.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) error {
		tb.Errorf("%s was handed on", r.URL)
		return nil
	})
}

// FuzzRequestBody sends bodies to every endpoint. Whatever comes, the answer is
// a success or a problem document, and a success is only for a JSON object in
// UTF-8.
func FuzzRequestBody(f *testing.F) {
	handler := provisioned(f, &ephemeralchat.Handler{MaxRooms: 1000})
	paths := []string{
		"/createRoom", "/joinRoom", "/startChat", "/deleteRoom", "/removeMember", "/lockRoom", "/leaveRoom", "/roomInfo",
	}
	for i := range paths {
		for _, body := range []string{
			`{"roomName":"x","username":"y","ttl":60}`, `{"roomName":"x","ttl":"1d"}`, `{"roomName":"\ud800"}`, `{"roomName":"x","ttl":1e2}`,
			`{"roomId":"AAAAAAAAAAAAAAAAAAAAAA","userId":"x","sessionId":"y","memberId":"z","locked":true}`,
			`{"roomId":"AAAAAAAAAAAAAAAAAAAAAA"}`, `{"roomId":null}`, `{}{}`, `[]`, "{\"roomName\":\"\xff\"}", "\ufeff{}", " {} ",
		} {
			f.Add(byte(i), []byte(body))
		}
	}
	f.Fuzz(func(t *testing.T, which byte, body []byte) {
		path := paths[int(which)%len(paths)]
		request := httptest.NewRequestWithContext(t.Context(), http.MethodPost, path, bytes.NewReader(body))
		request.Header.Set("Content-Type", "application/json")
		recorder := httptest.NewRecorder()
		if err := handler.ServeHTTP(recorder, asInCaddy(request), noNext(t)); err != nil {
			t.Fatal(err)
		}
		var answer map[string]any
		if err := json.Unmarshal(recorder.Body.Bytes(), &answer); err != nil || !utf8.Valid(recorder.Body.Bytes()) {
			t.Fatalf("answer %q: %v", recorder.Body, err)
		}
		switch recorder.Code {
		case http.StatusOK:
			var fields map[string]any
			if json.Unmarshal(body, &fields) != nil || fields == nil || !utf8.Valid(body) {
				t.Fatalf("%s accepted %q", path, body)
			}
			if path != "/createRoom" {
				t.Fatalf("%s accepted %q", path, body) // nobody can know of a room
			}
			name, isText := fields["roomName"].(string)
			if got, _ := answer["roomName"].(string); !isText || strings.TrimSpace(name) == "" || got == "" || utf8.RuneCountInString(got) > 100 {
				t.Fatalf("room %q of %q", answer["roomName"], body)
			}
			if ttl, ok := answer["ttl"].(float64); !ok || ttl < 1 || ttl > 86400 || ttl != float64(int(ttl)) {
				t.Fatalf("ttl %v of %q", answer["ttl"], body)
			}
		case 400, 401, 404, 413, 503:
			if code, ok := answer["code"].(string); !ok || code == "" || answer["status"] != float64(recorder.Code) {
				t.Fatalf("problem %s", recorder.Body)
			}
		default:
			t.Fatalf("%s answers %d to %q", path, recorder.Code, body)
		}
	})
}

// FuzzCaddyfile reads options. What is accepted comes out as JSON that stands for
// the same, and as nothing that the module does not know.
func FuzzCaddyfile(f *testing.F) {
	for _, options := range []string{
		"ttl 1h\nmax_ttl 1d", "redis a:1 {\npassword x\ntls {\nca y\n}\n}", "store memory x", "join_rate off\ncreate_rate 5 1m",
		"origins https://a.example http://[::1]:80", "page off", "max_message 4KiB", "redis {\nsentinel x\n}", "lobby", "history 1 2", "{", "}", "ttl {\n}",
	} {
		f.Add(options)
	}
	f.Fuzz(func(t *testing.T, options string) {
		if strings.Contains(options, "import") {
			t.Skip("imports read files") // of the machine, which are none of this test's business
		}
		config, _, err := adapt(":80 {\nephemeral_chat {\n" + options + "\n}\n}\n")
		if err != nil {
			return
		}
		var parsed struct {
			Apps struct {
				HTTP struct {
					Servers map[string]struct {
						Routes []struct{ Handle []json.RawMessage }
					}
				}
			}
		}
		if err := json.Unmarshal(config, &parsed); err != nil {
			t.Fatalf("%v: %s", err, config)
		}
		for _, server := range parsed.Apps.HTTP.Servers {
			for _, route := range server.Routes {
				for _, raw := range route.Handle {
					if !bytes.Contains(raw, []byte(`"handler":"ephemeral_chat"`)) {
						continue // closing the block, the options may go on with other directives
					}
					var handler struct {
						Module string `json:"handler"`
						ephemeralchat.Handler
					}
					decoder := json.NewDecoder(bytes.NewReader(raw))
					decoder.DisallowUnknownFields()
					if err := decoder.Decode(&handler); err != nil {
						t.Fatalf("%v: %s", err, raw)
					}
					if handler.TTL < 0 || handler.MaxTTL != 0 && handler.TTL > handler.MaxTTL || handler.History > 100_000 || handler.MaxMessage > 1<<20 {
						t.Fatalf("accepted %s", raw)
					}
				}
			}
		}
	})
}

// FuzzConfig provisions a handler from JSON. What is accepted is within what the
// documentation says, and gives back all that it takes.
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
		handler.ExtendedConnect = false // is for a Caddy that runs
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
