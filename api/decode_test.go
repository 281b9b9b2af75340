package api_test

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/ephemeralchat/caddy-ephemeral-chat/api/apitest"
)

// TestBody sends bodies that are not one JSON object with the right fields.
func TestBody(t *testing.T) {
	s := serve(t, nil)
	for name, test := range map[string]struct {
		path, body, detail string
	}{
		"nothing":             {"/createRoom", "", "the body is empty; a JSON object is expected"},
		"white space":         {"/createRoom", " \r\n\t", "the body is empty; a JSON object is expected"},
		"not JSON":            {"/createRoom", "roomName=Tea", "the body is not a JSON object"},
		"array":               {"/createRoom", `["roomName"]`, "the body is not a JSON object"},
		"null":                {"/createRoom", `null`, "the body is not a JSON object"},
		"string":              {"/createRoom", `"roomName"`, "the body is not a JSON object"},
		"byte order mark":     {"/createRoom", "\ufeff" + `{"roomName":"x"}`, "the body is not a JSON object"},
		"cut short":           {"/createRoom", `{"roomName":"x"`, "the body is not valid JSON"},
		"trailing comma":      {"/createRoom", `{"roomName":"x",}`, "the body is not valid JSON"},
		"two objects":         {"/createRoom", `{"roomName":"x"}{}`, "something follows the JSON object"},
		"trailing brace":      {"/createRoom", `{"roomName":"x"}}`, "something follows the JSON object"},
		"trailing text":       {"/createRoom", `{"roomName":"x"} x`, "something follows the JSON object"},
		"not UTF-8":           {"/createRoom", "{\"roomName\":\"\xff\"}", "the body is not valid UTF-8"},
		"not UTF-8 elsewhere": {"/createRoom", "{\"roomName\":\"x\",\"\xc3\":1}", "the body is not valid UTF-8"},
		"surrogate in UTF-8":  {"/createRoom", "{\"roomName\":\"\xed\xa0\x80\"}", "the body is not valid UTF-8"},
		"deep":                {"/createRoom", `{"roomName":` + strings.Repeat("[", 30000), "the body is not valid JSON"},
		"missing":             {"/createRoom", `{}`, "roomName is missing"},
		"null for missing":    {"/createRoom", `{"roomName":null}`, "roomName is missing"},
		"other case":          {"/createRoom", `{"RoomName":"x"}`, "roomName is missing"},
		"number for text":     {"/createRoom", `{"roomName":7}`, "roomName must be a string"},
		"object for text":     {"/createRoom", `{"roomName":{}}`, "roomName must be a string"},
		"wrong optional":      {"/createRoom", `{"roomName":"x","password":1}`, "password must be a string"},
		"ttl with a fraction": {"/createRoom", `{"roomName":"x","ttl":1.5}`, `ttl must be a whole number of seconds or a duration such as "30m"`},
		"ttl with an exponent": {
			"/createRoom", `{"roomName":"x","ttl":1e3}`,
			`ttl must be a whole number of seconds or a duration such as "30m"`,
		},
		"ttl in no unit": {"/createRoom", `{"roomName":"x","ttl":"60"}`, `ttl must be a whole number of seconds or a duration such as "30m"`},
		"ttl beyond bounds": {
			"/createRoom", `{"roomName":"x","ttl":9223372037}`,
			`ttl must be a whole number of seconds or a duration such as "30m"`,
		},
		"ttl true":           {"/createRoom", `{"roomName":"x","ttl":true}`, `ttl must be a whole number of seconds or a duration such as "30m"`},
		"join without room":  {"/joinRoom", `{"username":"x"}`, "roomId is missing"},
		"half a return":      {"/joinRoom", `{"roomId":"x","userId":"x"}`, "sessionId is missing"},
		"other half":         {"/joinRoom", `{"roomId":"x","sessionId":"x"}`, "userId is missing"},
		"no member":          {"/removeMember", `{"roomId":"x","userId":"x","sessionId":"x"}`, "memberId is missing"},
		"no lock":            {"/lockRoom", `{"roomId":"x","userId":"x","sessionId":"x"}`, "locked is missing"},
		"lock that is text":  {"/lockRoom", `{"roomId":"x","userId":"x","sessionId":"x","locked":"true"}`, "locked must be true or false"},
		"no user to start":   {"/startChat", `{"roomId":"x"}`, "userId is missing"},
		"no user to delete":  {"/deleteRoom", `{"roomId":"x"}`, "userId is missing"},
		"no session to go":   {"/leaveRoom", `{"roomId":"x","userId":"x"}`, "sessionId is missing"},
		"no room to look up": {"/roomInfo", `{}`, "roomId is missing"},
	} {
		t.Run(name, func(t *testing.T) {
			got := s.Post(t, test.path, test.body).Refused(t, 400, "invalid_request")
			if want := "invalid request: " + test.detail; got != want {
				t.Errorf("detail %q, want %q", got, want)
			}
		})
	}
}

func TestMediaType(t *testing.T) {
	s := serve(t, nil)
	body := apitest.Object(t, "roomName", "x")
	for _, good := range []string{"application/json", "Application/JSON", "application/json; charset=utf-8", `application/json;charset="UTF-8"`, "application/json; profile=x"} {
		s.Post(t, "/createRoom", body, apitest.Header("Content-Type", good)).OK(t)
	}
	for _, bad := range []string{
		"text/plain", "application/json; charset=latin1", "application/x-www-form-urlencoded", "application/problem+json",
		"application/jsonx", "text/plain; application/json", "application/json; charset", "json",
	} {
		s.Post(t, "/createRoom", body, apitest.Header("Content-Type", bad)).Refused(t, 415, "unsupported_media_type")
	}
	s.Post(t, "/createRoom", body, func(r *http.Request) { r.Header.Del("Content-Type") }).Refused(t, 415, "unsupported_media_type")
}

func TestBodySize(t *testing.T) {
	s := serve(t, nil)
	sized := func(n int) string {
		head, tail := `{"roomName":"x","padding":"`, `"}`
		return head + strings.Repeat("x", n-len(head)-len(tail)) + tail
	}
	s.Post(t, "/createRoom", sized(64<<10)).OK(t)
	s.Post(t, "/createRoom", sized(64<<10+1)).Refused(t, 413, "body_too_large")
	chunked := func(r *http.Request) {
		r.Body = io.NopCloser(io.MultiReader(bytes.NewBufferString(sized(64<<10)), bytes.NewBufferString(" ")))
		r.ContentLength = -1
	}
	s.Post(t, "/createRoom", "", chunked).Refused(t, 413, "body_too_large")
}

// TestOrderOfChecks sends requests with several mistakes.
func TestOrderOfChecks(t *testing.T) {
	s := serve(t, nil)
	foreign, text := apitest.Header("Origin", "https://evil.example"), apitest.Header("Content-Type", "text/plain")
	s.Send(t, http.MethodPut, "/createRoom", "x", foreign, text).Refused(t, 405, "method_not_allowed")
	s.Post(t, "/createRoom", strings.Repeat("x", 70000), foreign, text).Refused(t, 403, "origin_not_allowed")
	s.Post(t, "/createRoom", strings.Repeat("x", 70000), text).Refused(t, 415, "unsupported_media_type")
	s.Post(t, "/createRoom", strings.Repeat("x", 70000)).Refused(t, 413, "body_too_large")
	s.Post(t, "/joinRoom", `{"roomId":"a b","username":7}`).Refused(t, 400, "invalid_request")
}

func TestMethods(t *testing.T) {
	s := serve(t, nil)
	for _, path := range []string{
		"/createRoom", "/joinRoom", "/startChat", "/deleteRoom", "/removeMember", "/lockRoom", "/leaveRoom", "/roomInfo",
	} {
		for _, method := range []string{"GET", "PUT", "DELETE", "PATCH", "OPTIONS", "BREW"} {
			got := s.Send(t, method, path, "")
			got.Refused(t, 405, "method_not_allowed")
			if allow := got.Header.Get("Allow"); allow != "POST" {
				t.Errorf("%s %s: Allow %q", method, path, allow)
			}
		}
	}
	got := s.Post(t, "/ws", "")
	got.Refused(t, 405, "method_not_allowed")
	if allow := got.Header.Get("Allow"); allow != "GET" {
		t.Errorf("Allow %q", allow)
	}
	if got := s.Send(t, http.MethodHead, "/createRoom", ""); got.Status != 405 || len(got.Body) != 0 {
		t.Errorf("HEAD: %d %q", got.Status, got.Body)
	}
}

// FuzzRequestBody sends bodies to all endpoints. Each answer is a success or a problem
// document, and only a JSON object in UTF-8 succeeds.
func FuzzRequestBody(f *testing.F) {
	o := configure(func(o *options) { o.MaxRooms = 1000 })
	handler := o.handler(f)
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
		if !handler.Serve(recorder, request, path) {
			t.Fatalf("%s is not an endpoint", path)
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
				t.Fatalf("%s accepted %q", path, body) // no room exists
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
