package api_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/ephemeralchat/caddy-ephemeral-chat/e2e/harness"
)

// badRequests sends requests that are malformed.
func badRequests(t *testing.T, s *harness.Site) {
	a := s.API(0)
	admin := a.Create(t, 60)
	before := s.State(t, &admin)
	valid := fmt.Sprintf(`"roomId":%q,"userId":%q,"sessionId":%q,"memberId":"x","locked":true,"roomName":"n"`,
		admin.RoomID, admin.UserID, admin.SessionID)

	bodies := map[string]string{
		"nothing":       "",
		"blank":         " \n",
		"no JSON":       "roomId=1",
		"cut off":       `{` + valid,
		"an array":      `[{` + valid + `}]`,
		"a string":      `"x"`,
		"null":          "null",
		"trailing":      `{` + valid + `} {}`,
		"trailing text": `{` + valid + `}x`,
		"invalid UTF-8": `{` + valid + ",\"x\":\"\xff\xfe\"}",
		"empty object":  `{}`,
		"NUL":           "{" + valid + "}\x00",
	}
	for _, endpoint := range harness.Endpoints {
		for name, body := range bodies {
			if got := a.Post(t, endpoint, body); got.Status != 400 || got.Code() != "invalid_request" {
				t.Errorf("%s, %s: %d %s", endpoint, name, got.Status, got.Body)
			}
		}
		badHeads(t, a, endpoint, `{`+valid+`}`)
	}
	wrongTypes(t, a, &admin)
	s.ExpectUnchanged(t, before, &admin)
}

// badHeads sends a valid body with a wrong method, type or length.
func badHeads(t *testing.T, a *harness.API, endpoint, body string) {
	t.Helper()
	for _, method := range []string{http.MethodGet, http.MethodPut, http.MethodDelete, http.MethodPatch, http.MethodOptions} {
		got := a.Do(t, method, endpoint, harness.JSONHeader(), strings.NewReader(body))
		harness.ExpectProblem(t, got, 405, "method_not_allowed")
		if got.Header.Get("Allow") != http.MethodPost {
			t.Errorf("%s %s: Allow is %q", method, endpoint, got.Header.Get("Allow"))
		}
	}
	for _, contentType := range []string{"", "text/plain", "application/x-www-form-urlencoded", "application/jsonx", "application/json; charset=latin1", ";"} {
		got := a.Do(t, http.MethodPost, endpoint, http.Header{"Content-Type": {contentType}}, strings.NewReader(body))
		harness.ExpectProblem(t, got, 415, "unsupported_media_type")
	}
	long := `{"filler":"` + strings.Repeat("x", 64<<10) + `",` + body[1:]
	harness.ExpectProblem(t, a.Post(t, endpoint, long), 413, "body_too_large")
	// Without a length in its head.
	got := a.Do(t, http.MethodPost, endpoint, harness.JSONHeader(), struct{ *strings.Reader }{strings.NewReader(long)})
	harness.ExpectProblem(t, got, 413, "body_too_large")
}

// wrongTypes sends wrong values in every field.
func wrongTypes(t *testing.T, a *harness.API, admin *harness.Member) {
	t.Helper()
	texts := []any{1, true, []string{"x"}, harness.Fields{}, nil}
	wrong := map[string]map[string][]any{
		"/createRoom": {
			"roomName": append(texts, "", "  ", strings.Repeat("ä", 101), "a\nb", "a\x00b", "a\u0085b"),
			"password": {1, false, []string{}, harness.Fields{}, strings.Repeat("x", 1025)},
			"username": {1, false, harness.Fields{}, "  ", strings.Repeat("ä", 33), "a\tb"},
			"ttl":      {0, -1, 1.5, "", "0s", "-5s", "1.5s", "x", "10", true, 86401, 1e30, "25h", []int{60}, harness.Fields{}},
		},
		"/joinRoom": {
			"roomId":   texts,
			"username": {1, harness.Fields{}, "  ", strings.Repeat("x", 33), "a\u0000"},
			"password": {1, harness.Fields{}, strings.Repeat("x", 1025)},
		},
		"/roomInfo":     {"roomId": texts},
		"/startChat":    {"roomId": texts, "userId": texts, "sessionId": texts},
		"/deleteRoom":   {"roomId": texts, "userId": texts, "sessionId": texts},
		"/leaveRoom":    {"roomId": texts, "userId": texts, "sessionId": texts},
		"/removeMember": {"roomId": texts, "userId": texts, "sessionId": texts, "memberId": texts},
		"/lockRoom":     {"roomId": texts, "userId": texts, "sessionId": texts, "locked": {nil, 1, 0, "true", harness.Fields{}}},
	}
	for endpoint, named := range wrong {
		for name, values := range named {
			for _, value := range values {
				request := admin.Credentials("memberId", "x", "locked", true)
				switch endpoint {
				case "/createRoom":
					request = harness.Fields{"roomName": "n"}
				case "/joinRoom":
					request = harness.Fields{"roomId": admin.RoomID}
				}
				request[name] = value
				if got := a.Call(t, endpoint, request); got.Status != 400 || got.Code() != "invalid_request" {
					t.Errorf("%s with %s %v: %d %s", endpoint, name, value, got.Status, got.Body)
				}
			}
		}
	}
	// A member rejoins with a name and a session, not with one of them.
	for _, name := range []string{"userId", "sessionId"} {
		request := admin.Credentials()
		delete(request, name)
		harness.ExpectProblem(t, a.Call(t, "/joinRoom", request), 400, "invalid_request")
	}
}

// otherOrigins sends requests as from pages of other origins.
func otherOrigins(t *testing.T, s *harness.Site) {
	a := s.API(0)
	admin := a.Create(t, 60)
	before := s.State(t, &admin)
	body := fmt.Sprintf(`{"roomId":%q,"userId":%q,"sessionId":%q,"memberId":"x","locked":true,"roomName":"n"}`,
		admin.RoomID, admin.UserID, admin.SessionID)
	for _, origin := range []string{"https://evil.example", "null", a.Base + ".evil.example", "http://127.0.0.1:1", "x", a.Base + "/"} {
		header := harness.JSONHeader()
		header.Set("Origin", origin)
		for _, endpoint := range harness.Endpoints {
			got := a.Do(t, http.MethodPost, endpoint, header, strings.NewReader(body))
			harness.ExpectProblem(t, got, 403, "origin_not_allowed")
			if allowed := got.Header.Get("Access-Control-Allow-Origin"); allowed != "" {
				t.Errorf("origin %s may read: %s", origin, allowed)
			}
		}
		_, got, err := harness.OpenSocket(t.Context(), harness.WebSocketURL(a.Base), http.Header{"Origin": {origin}}, nil)
		if err == nil || got == nil {
			t.Fatalf("WebSocket from %s: %v, %v", origin, got, err)
		}
		harness.ExpectProblem(t, got, 403, "origin_not_allowed")
	}
	s.ExpectUnchanged(t, before, &admin)

	header := harness.JSONHeader()
	header.Set("Origin", a.Base)
	harness.ExpectStatus(t, "from the site itself", a.Do(t, http.MethodPost, "/roomInfo", header, strings.NewReader(body)), http.StatusOK)
	k, _, err := harness.OpenSocket(t.Context(), harness.WebSocketURL(a.Base), http.Header{"Origin": {a.Base}}, nil)
	if err != nil {
		t.Fatalf("WebSocket from the site itself: %v", err)
	}
	k.Close()
}
