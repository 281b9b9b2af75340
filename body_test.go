package ephemeralchat_test

import (
	"bytes"
	"io"
	"net/http"
	"strings"
	"testing"
)

// TestBody sends what is not one JSON object with the right fields.
func TestBody(t *testing.T) {
	s := serve(t, "ephemeral_chat {\ncreate_rate off\n}")
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
			got := s.post(t, test.path, test.body).refused(t, 400, "invalid_request")
			if want := "invalid request: " + test.detail; got != want {
				t.Errorf("detail %q, want %q", got, want)
			}
		})
	}
}

func TestMediaType(t *testing.T) {
	s := serve(t, "ephemeral_chat")
	body := object(t, "roomName", "x")
	for _, good := range []string{"application/json", "Application/JSON", "application/json; charset=utf-8", `application/json;charset="UTF-8"`, "application/json; profile=x"} {
		s.post(t, "/createRoom", body, header("Content-Type", good)).ok(t)
	}
	for _, bad := range []string{
		"text/plain", "application/json; charset=latin1", "application/x-www-form-urlencoded", "application/problem+json",
		"application/jsonx", "text/plain; application/json", "application/json; charset", "json",
	} {
		s.post(t, "/createRoom", body, header("Content-Type", bad)).refused(t, 415, "unsupported_media_type")
	}
	s.post(t, "/createRoom", body, func(r *http.Request) { r.Header.Del("Content-Type") }).refused(t, 415, "unsupported_media_type")
}

func TestBodySize(t *testing.T) {
	s := serve(t, "ephemeral_chat")
	sized := func(n int) string {
		head, tail := `{"roomName":"x","padding":"`, `"}`
		return head + strings.Repeat("x", n-len(head)-len(tail)) + tail
	}
	s.post(t, "/createRoom", sized(64<<10)).ok(t)
	s.post(t, "/createRoom", sized(64<<10+1)).refused(t, 413, "body_too_large")
	chunked := func(r *http.Request) {
		r.Body = io.NopCloser(io.MultiReader(bytes.NewBufferString(sized(64<<10)), bytes.NewBufferString(" ")))
		r.ContentLength = -1
	}
	s.post(t, "/createRoom", "", chunked).refused(t, 413, "body_too_large")
}

// TestOrderOfChecks sends requests that are wrong in several ways.
func TestOrderOfChecks(t *testing.T) {
	s := serve(t, "ephemeral_chat")
	foreign, text := header("Origin", "https://evil.example"), header("Content-Type", "text/plain")
	s.send(t, http.MethodPut, "/createRoom", "x", foreign, text).refused(t, 405, "method_not_allowed")
	s.post(t, "/createRoom", strings.Repeat("x", 70000), foreign, text).refused(t, 403, "origin_not_allowed")
	s.post(t, "/createRoom", strings.Repeat("x", 70000), text).refused(t, 415, "unsupported_media_type")
	s.post(t, "/createRoom", strings.Repeat("x", 70000)).refused(t, 413, "body_too_large")
	s.post(t, "/joinRoom", `{"roomId":"a b","username":7}`).refused(t, 400, "invalid_request")
}

func TestMethods(t *testing.T) {
	s := serve(t, "ephemeral_chat")
	for _, path := range []string{
		"/createRoom", "/joinRoom", "/startChat", "/deleteRoom", "/removeMember", "/lockRoom", "/leaveRoom", "/roomInfo",
	} {
		for _, method := range []string{"GET", "PUT", "DELETE", "PATCH", "OPTIONS", "BREW"} {
			got := s.send(t, method, path, "")
			got.refused(t, 405, "method_not_allowed")
			if allow := got.header.Get("Allow"); allow != "POST" {
				t.Errorf("%s %s: Allow %q", method, path, allow)
			}
		}
	}
	got := s.post(t, "/ws", "")
	got.refused(t, 405, "method_not_allowed")
	if allow := got.header.Get("Allow"); allow != "GET" {
		t.Errorf("Allow %q", allow)
	}
	got = s.post(t, "/", "{}")
	got.refused(t, 405, "method_not_allowed")
	if allow := got.header.Get("Allow"); allow != "GET, HEAD" {
		t.Errorf("Allow %q", allow)
	}
	if got := s.send(t, http.MethodHead, "/createRoom", ""); got.status != 405 || len(got.body) != 0 {
		t.Errorf("HEAD: %d %q", got.status, got.body)
	}
}
