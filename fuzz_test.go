package ephemeralchat_test

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	ephemeralchat "github.com/ephemeralchat/caddy-ephemeral-chat"
)

// FuzzRequestBody sends bodies to every endpoint. Whatever comes, the answer is
// a success or a problem document, and a success is only for a JSON object in
// UTF-8.
func FuzzRequestBody(f *testing.F) {
	ctx, cancel := caddy.NewContext(caddy.Context{Context: f.Context()})
	handler := &ephemeralchat.Handler{
		MaxRooms:   1000,
		CreateRate: &ephemeralchat.Rate{Off: true},
		JoinRate:   &ephemeralchat.Rate{Off: true},
	}
	f.Cleanup(func() {
		if err := handler.Cleanup(); err != nil {
			f.Error(err)
		}
		cancel()
	})
	if err := handler.Provision(ctx); err != nil {
		f.Fatal(err)
	}
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
	next := caddyhttp.HandlerFunc(func(http.ResponseWriter, *http.Request) error {
		f.Error("an endpoint was handed on")
		return nil
	})
	f.Fuzz(func(t *testing.T, which byte, body []byte) {
		path := paths[int(which)%len(paths)]
		request := httptest.NewRequestWithContext(t.Context(), http.MethodPost, path, bytes.NewReader(body))
		request.Header.Set("Content-Type", "application/json")
		request = request.WithContext(context.WithValue(t.Context(), caddyhttp.VarsCtxKey,
			map[string]any{caddyhttp.ClientIPVarKey: "192.0.2.1"}))
		recorder := httptest.NewRecorder()
		if err := handler.ServeHTTP(recorder, request, next); err != nil {
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
