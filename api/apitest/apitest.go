// Package apitest sends requests to the endpoints, for tests of package api by itself
// and of the module in Caddy.
package apitest

import (
	"bytes"
	"crypto/tls"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"time"
)

// Site is a server whose endpoints are at the root of an address.
type Site struct{ Address string }

// Client adds nothing to requests and removes nothing from responses.
var Client = &http.Client{
	Transport: &http.Transport{
		DisableCompression: true,
		TLSClientConfig:    &tls.Config{InsecureSkipVerify: true},
	},
	CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
}

// Reply is a response with its whole body.
type Reply struct {
	Status int
	Header http.Header
	Body   []byte
}

// Send sends a request after each edit has changed it. A POST request has JSON.
func (s *Site) Send(t *testing.T, method, path, body string, edit ...func(*http.Request)) Reply {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), method, "http://"+s.Address+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if method == http.MethodPost {
		request.Header.Set("Content-Type", "application/json")
	}
	for _, change := range edit {
		change(request)
	}
	response, err := Client.Do(request)
	// A server that a reload is about to stop may accept a connection and close it
	// without a response. It has not served the request.
	for try := 1; (errors.Is(err, io.EOF) || errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE)) && request.GetBody != nil && try < 5; try++ {
		if request.Body, err = request.GetBody(); err != nil {
			t.Fatal(err)
		}
		response, err = Client.Do(request)
	}
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	content, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return Reply{response.StatusCode, response.Header, content}
}

// Post sends a POST request.
func (s *Site) Post(t *testing.T, path, body string, edit ...func(*http.Request)) Reply {
	t.Helper()
	return s.Send(t, http.MethodPost, path, body, edit...)
}

// Header returns an edit that sets a header.
func Header(name, value string) func(*http.Request) {
	return func(r *http.Request) { r.Header.Set(name, value) }
}

// OK checks that the response is a success, and returns its object.
func (r Reply) OK(t *testing.T) map[string]any {
	t.Helper()
	if r.Status != http.StatusOK {
		t.Fatalf("status %d, want 200: %s", r.Status, r.Body)
	}
	r.checkHeader(t, "application/json")
	return r.object(t)
}

// Refused checks that the response is a complete problem document with this status and
// code, and returns its detail.
func (r Reply) Refused(t *testing.T, status int, code string) string {
	t.Helper()
	if r.Status != status {
		t.Fatalf("status %d, want %d %s: %s", r.Status, status, code, r.Body)
	}
	r.checkHeader(t, "application/problem+json")
	object := r.object(t)
	for member, want := range map[string]any{
		"type": "about:blank", "title": http.StatusText(status), "status": float64(status), "code": code,
	} {
		if object[member] != want {
			t.Errorf("%s is %v, want %v", member, object[member], want)
		}
	}
	detail, _ := object["detail"].(string)
	if detail == "" || len(object) != 5 {
		t.Errorf("problem document %s", r.Body)
	}
	if retry := r.Header.Get("Retry-After"); (retry != "") != (status == 429 || status == 503) {
		t.Errorf("Retry-After %q with status %d", retry, status)
	}
	return detail
}

func (r Reply) checkHeader(t *testing.T, mediaType string) {
	t.Helper()
	if r.Header.Get("Cache-Control") != "no-store" || r.Header.Get("X-Content-Type-Options") != "nosniff" {
		t.Errorf("headers %v", r.Header)
	}
	if got := r.Header.Get("Content-Type"); got != mediaType {
		t.Errorf("Content-Type %q", got)
	}
}

func (r Reply) object(t *testing.T) map[string]any {
	t.Helper()
	var object map[string]any
	if err := json.NewDecoder(bytes.NewReader(r.Body)).Decode(&object); err != nil || object == nil {
		t.Fatalf("body is not an object: %q", r.Body)
	}
	return object
}

// Object encodes a JSON object of alternating names and values.
func Object(t *testing.T, pairs ...any) string {
	t.Helper()
	members := make(map[string]any)
	for i := 0; i < len(pairs); i += 2 {
		name, ok := pairs[i].(string)
		if !ok {
			t.Fatalf("%v is not a name", pairs[i])
		}
		members[name] = pairs[i+1]
	}
	text, err := json.Marshal(members)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// Member is a user that was admitted to a room.
type Member struct{ Room, User, Session string }

// MemberOf returns the member that an answer has admitted.
func MemberOf(t *testing.T, answer map[string]any) Member {
	t.Helper()
	text := func(name string) string {
		value, ok := answer[name].(string)
		if !ok || value == "" {
			t.Fatalf("%s is %v", name, answer[name])
		}
		return value
	}
	return Member{text("roomId"), text("userId"), text("sessionId")}
}

// Admit sends a request that admits a member.
func (s *Site) Admit(t *testing.T, path string, pairs ...any) Member {
	t.Helper()
	return MemberOf(t, s.Post(t, path, Object(t, pairs...)).OK(t))
}

// Create creates a room.
func (s *Site) Create(t *testing.T, pairs ...any) Member {
	t.Helper()
	return s.Admit(t, "/createRoom", append([]any{"roomName", "Room"}, pairs...)...)
}

// Join joins a room.
func (s *Site) Join(t *testing.T, room string, pairs ...any) Member {
	t.Helper()
	return s.Admit(t, "/joinRoom", append([]any{"roomId", room}, pairs...)...)
}

// As encodes a request of the member, with more fields.
func (m Member) As(t *testing.T, pairs ...any) string {
	t.Helper()
	return Object(t, append([]any{"roomId", m.Room, "userId", m.User, "sessionId", m.Session}, pairs...)...)
}

// Info returns the answer of roomInfo.
func (s *Site) Info(t *testing.T, room string) map[string]any {
	t.Helper()
	return s.Post(t, "/roomInfo", Object(t, "roomId", room)).OK(t)
}

// WaitUntil polls a condition and returns the time at which it was first seen to hold.
func WaitUntil(t *testing.T, holds func() bool) time.Time {
	t.Helper()
	deadline := time.Now().Add(10 * time.Second)
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for time.Now().Before(deadline) {
		if holds() {
			return time.Now()
		}
		<-tick.C
	}
	t.Fatal("condition did not come to hold in 10 s")
	return time.Time{}
}
