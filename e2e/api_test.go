package e2e_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"time"
)

// api is a client of the HTTP endpoints below a mount point.
type api struct {
	base   string // such as http://127.0.0.1:8080/chat, without a slash at its end
	client *http.Client
}

// newAPI returns a client whose connections are closed with the test.
func newAPI(t *testing.T, base string) *api {
	t.Helper()
	transport := &http.Transport{MaxIdleConnsPerHost: 16}
	t.Cleanup(transport.CloseIdleConnections)
	return &api{base: base, client: &http.Client{Transport: transport, Timeout: 20 * time.Second}}
}

// fields are those of a JSON object.
type fields map[string]any

// answer is a response of an endpoint.
type answer struct {
	status int
	header http.Header
	body   []byte
	fields fields
}

// code is the code of a problem document, empty for any other body.
func (a *answer) code() string {
	if a.header.Get("Content-Type") != "application/problem+json" {
		return ""
	}
	code, _ := a.fields["code"].(string)
	return code
}

// decode fills value with the body.
func (a *answer) decode(t *testing.T, value any) {
	t.Helper()
	if err := json.Unmarshal(a.body, value); err != nil {
		t.Fatalf("%v: %s", err, a.body)
	}
}

// do sends a request as it is.
func (a *api) do(t *testing.T, method, path string, header http.Header, body io.Reader) *answer {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), method, a.base+path, body)
	if err != nil {
		t.Fatal(err)
	}
	maps.Copy(request.Header, header)
	got, err := a.send(request)
	// A server that a reload is about to stop may still take a connection, or have
	// one that is kept, which it then closes without having looked at the request.
	for try := 1; (errors.Is(err, io.EOF) || errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE)) && try < 5; try++ {
		if request.GetBody != nil {
			if request.Body, err = request.GetBody(); err != nil {
				t.Fatal(err)
			}
		}
		got, err = a.send(request)
	}
	if err != nil {
		t.Fatal(err)
	}
	return got
}

func (a *api) send(request *http.Request) (*answer, error) {
	response, err := a.client.Do(request)
	if err != nil {
		return nil, err
	}
	defer func() { _ = response.Body.Close() }()
	return answerOf(response)
}

// answerOf reads a response.
func answerOf(response *http.Response) (got *answer, err error) {
	got = &answer{status: response.StatusCode, header: response.Header}
	if got.body, err = io.ReadAll(response.Body); err != nil {
		return nil, err
	}
	_ = json.Unmarshal(got.body, &got.fields) // what is no JSON has no fields
	return got, nil
}

// jsonHeader is that of a request whose body is JSON.
func jsonHeader() http.Header { return http.Header{"Content-Type": {"application/json"}} }

// post calls an endpoint with a text as its body.
func (a *api) post(t *testing.T, endpoint, body string) *answer {
	t.Helper()
	return a.do(t, http.MethodPost, endpoint, jsonHeader(), strings.NewReader(body))
}

// call calls an endpoint with a value as its body.
func (a *api) call(t *testing.T, endpoint string, value any) *answer {
	t.Helper()
	body, err := json.Marshal(value)
	if err != nil {
		t.Fatal(err)
	}
	return a.do(t, http.MethodPost, endpoint, jsonHeader(), bytes.NewReader(body))
}

// succeed calls an endpoint and fails the test unless it answers 200.
func (a *api) succeed(t *testing.T, endpoint string, value any) *answer {
	t.Helper()
	got := a.call(t, endpoint, value)
	if got.status != http.StatusOK {
		t.Fatalf("%s: %d %s", endpoint, got.status, got.body)
	}
	return got
}

// member is what a client knows of itself after it has created or joined a
// room.
type member struct {
	RoomID    string  `json:"roomId"`
	RoomName  string  `json:"roomName"`
	UserID    string  `json:"userId"`
	SessionID string  `json:"sessionId"`
	Role      string  `json:"role"`
	TTL       int     `json:"ttl"`
	StartedAt *string `json:"startedAt"`
	ExpiresAt *string `json:"expiresAt"`
}

// credentials are the fields by which a member identifies itself, and more.
func (m *member) credentials(more ...any) fields {
	f := fields{"roomId": m.RoomID, "userId": m.UserID, "sessionId": m.SessionID}
	for i := 0; i < len(more); i += 2 {
		f[more[i].(string)] = more[i+1] //nolint:errcheck,forcetypeassert // names are strings
	}
	return f
}

// create makes a room with a time to live in seconds.
func (a *api) create(t *testing.T, ttl int) member {
	t.Helper()
	var m member
	a.succeed(t, "/createRoom", fields{"roomName": t.Name(), "username": "admin", "ttl": ttl}).decode(t, &m)
	return m
}

// join makes a new member.
func (a *api) join(t *testing.T, roomID, username string) member {
	t.Helper()
	var m member
	a.succeed(t, "/joinRoom", fields{"roomId": roomID, "username": username}).decode(t, &m)
	return m
}

// start starts the chat, and returns when it ends.
func (a *api) start(t *testing.T, admin *member) time.Time {
	t.Helper()
	var clock struct{ ExpiresAt string }
	a.succeed(t, "/startChat", admin.credentials()).decode(t, &clock)
	return parseTime(t, clock.ExpiresAt)
}

// parseTime reads a time of the API.
func parseTime(t *testing.T, text string) time.Time {
	t.Helper()
	at, err := time.Parse("2006-01-02T15:04:05.000Z", text)
	if err != nil {
		t.Fatal(err)
	}
	return at
}
