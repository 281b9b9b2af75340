package e2e_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
)

// badRequests are requests that are wrong in themselves.
func badRequests(t *testing.T, s *site) {
	a := s.api(0)
	admin := a.create(t, 60)
	before := s.fingerprint(t, &admin)
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
	for _, endpoint := range endpointNames {
		for name, body := range bodies {
			if got := a.post(t, endpoint, body); got.status != 400 || got.code() != "invalid_request" {
				t.Errorf("%s, %s: %d %s", endpoint, name, got.status, got.body)
			}
		}
		badHeads(t, a, endpoint, `{`+valid+`}`)
	}
	wrongTypes(t, a, &admin)
	s.expectUnchanged(t, before, &admin)
}

// badHeads sends a body that is right with a head that is wrong.
func badHeads(t *testing.T, a *api, endpoint, body string) {
	t.Helper()
	for _, method := range []string{http.MethodGet, http.MethodPut, http.MethodDelete, http.MethodPatch, http.MethodOptions} {
		got := a.do(t, method, endpoint, jsonHeader(), strings.NewReader(body))
		expectRefusal(t, got, 405, "method_not_allowed")
		if got.header.Get("Allow") != http.MethodPost {
			t.Errorf("%s %s: Allow is %q", method, endpoint, got.header.Get("Allow"))
		}
	}
	for _, contentType := range []string{"", "text/plain", "application/x-www-form-urlencoded", "application/jsonx", "application/json; charset=latin1", ";"} {
		got := a.do(t, http.MethodPost, endpoint, http.Header{"Content-Type": {contentType}}, strings.NewReader(body))
		expectRefusal(t, got, 415, "unsupported_media_type")
	}
	long := `{"filler":"` + strings.Repeat("x", 64<<10) + `",` + body[1:]
	expectRefusal(t, a.post(t, endpoint, long), 413, "body_too_large")
	// Without a length in its head.
	got := a.do(t, http.MethodPost, endpoint, jsonHeader(), struct{ *strings.Reader }{strings.NewReader(long)})
	expectRefusal(t, got, 413, "body_too_large")
}

// wrongTypes puts every wrong value into every field.
func wrongTypes(t *testing.T, a *api, admin *member) {
	t.Helper()
	texts := []any{1, true, []string{"x"}, fields{}, nil}
	wrong := map[string]map[string][]any{
		"/createRoom": {
			"roomName": append(texts, "", "  ", strings.Repeat("ä", 101), "a\nb", "a\x00b", "a\u0085b"),
			"password": {1, false, []string{}, fields{}, strings.Repeat("x", 1025)},
			"username": {1, false, fields{}, "  ", strings.Repeat("ä", 33), "a\tb"},
			"ttl":      {0, -1, 1.5, "", "0s", "-5s", "1.5s", "x", "10", true, 86401, 1e30, "25h", []int{60}, fields{}},
		},
		"/joinRoom": {
			"roomId":   texts,
			"username": {1, fields{}, "  ", strings.Repeat("x", 33), "a\u0000"},
			"password": {1, fields{}, strings.Repeat("x", 1025)},
		},
		"/roomInfo":     {"roomId": texts},
		"/startChat":    {"roomId": texts, "userId": texts, "sessionId": texts},
		"/deleteRoom":   {"roomId": texts, "userId": texts, "sessionId": texts},
		"/leaveRoom":    {"roomId": texts, "userId": texts, "sessionId": texts},
		"/removeMember": {"roomId": texts, "userId": texts, "sessionId": texts, "memberId": texts},
		"/lockRoom":     {"roomId": texts, "userId": texts, "sessionId": texts, "locked": {nil, 1, 0, "true", fields{}}},
	}
	for endpoint, named := range wrong {
		for name, values := range named {
			for _, value := range values {
				request := admin.credentials("memberId", "x", "locked", true)
				switch endpoint {
				case "/createRoom":
					request = fields{"roomName": "n"}
				case "/joinRoom":
					request = fields{"roomId": admin.RoomID}
				}
				request[name] = value
				if got := a.call(t, endpoint, request); got.status != 400 || got.code() != "invalid_request" {
					t.Errorf("%s with %s %v: %d %s", endpoint, name, value, got.status, got.body)
				}
			}
		}
	}
	// Half of what one needs to come back as oneself.
	for _, name := range []string{"userId", "sessionId"} {
		request := admin.credentials()
		delete(request, name)
		expectRefusal(t, a.call(t, "/joinRoom", request), 400, "invalid_request")
	}
}

// otherOrigins are requests from pages elsewhere.
func otherOrigins(t *testing.T, s *site) {
	a := s.api(0)
	admin := a.create(t, 60)
	before := s.fingerprint(t, &admin)
	body := fmt.Sprintf(`{"roomId":%q,"userId":%q,"sessionId":%q,"memberId":"x","locked":true,"roomName":"n"}`,
		admin.RoomID, admin.UserID, admin.SessionID)
	for _, origin := range []string{"https://evil.example", "null", a.base + ".evil.example", "http://127.0.0.1:1", "x", a.base + "/"} {
		header := jsonHeader()
		header.Set("Origin", origin)
		for _, endpoint := range endpointNames {
			got := a.do(t, http.MethodPost, endpoint, header, strings.NewReader(body))
			expectRefusal(t, got, 403, "origin_not_allowed")
			if allowed := got.header.Get("Access-Control-Allow-Origin"); allowed != "" {
				t.Errorf("origin %s may read: %s", origin, allowed)
			}
		}
		_, got, err := openSocket(t.Context(), wsURL(a.base), http.Header{"Origin": {origin}}, nil)
		if err == nil || got == nil {
			t.Fatalf("WebSocket from %s: %v, %v", origin, got, err)
		}
		expectRefusal(t, got, 403, "origin_not_allowed")
	}
	s.expectUnchanged(t, before, &admin)

	header := jsonHeader()
	header.Set("Origin", a.base)
	if got := a.do(t, http.MethodPost, "/roomInfo", header, strings.NewReader(body)); got.status != http.StatusOK {
		t.Errorf("from the site itself: %d %s", got.status, got.body)
	}
	k, _, err := openSocket(t.Context(), wsURL(a.base), http.Header{"Origin": {a.base}}, nil)
	if err != nil {
		t.Fatalf("WebSocket from the site itself: %v", err)
	}
	k.close()
}
