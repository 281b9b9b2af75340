package harness

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

// Endpoints are the paths that take POST, with /createRoom first.
var Endpoints = []string{
	"/createRoom", "/joinRoom", "/startChat", "/deleteRoom", "/removeMember", "/lockRoom", "/leaveRoom", "/roomInfo",
}

// API is a client of the HTTP endpoints below a mount point.
type API struct {
	Base   string // such as http://127.0.0.1:8080/chat, without a slash at its end
	Client *http.Client
}

// NewAPI returns a client whose connections are closed with the test.
func NewAPI(t *testing.T, base string) *API {
	t.Helper()
	transport := &http.Transport{MaxIdleConnsPerHost: 16}
	t.Cleanup(transport.CloseIdleConnections)
	return &API{Base: base, Client: &http.Client{Transport: transport, Timeout: 20 * time.Second}}
}

// WithHeader returns a client that sends a header with each request.
func (a *API) WithHeader(t *testing.T, name, value string) *API {
	t.Helper()
	other := NewAPI(t, a.Base)
	inner := other.Client.Transport
	other.Client.Transport = RoundTripper(func(r *http.Request) (*http.Response, error) {
		r = r.Clone(r.Context())
		r.Header.Set(name, value)
		return inner.RoundTrip(r)
	})
	return other
}

// RoundTripper is a function that implements http.RoundTripper.
type RoundTripper func(*http.Request) (*http.Response, error)

// RoundTrip implements http.RoundTripper.
func (f RoundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// Fields are the fields of a JSON object.
type Fields map[string]any

// Response is a response with its whole body.
type Response struct {
	Status int
	Header http.Header
	Body   []byte
	Fields Fields // of the body; nil unless that is a JSON object
}

// Code returns the code of a problem document, "" for any other body.
func (r *Response) Code() string {
	if r.Header.Get("Content-Type") != "application/problem+json" {
		return ""
	}
	code, _ := r.Fields["code"].(string)
	return code
}

// Decode fills value with the body.
func (r *Response) Decode(t *testing.T, value any) {
	t.Helper()
	if err := json.Unmarshal(r.Body, value); err != nil {
		t.Fatalf("%v: %s", err, r.Body)
	}
}

// ReadResponse reads a response to its end and closes it.
func ReadResponse(response *http.Response) (r *Response, err error) {
	defer func() { _ = response.Body.Close() }()
	r = &Response{Status: response.StatusCode, Header: response.Header}
	r.Body, err = io.ReadAll(response.Body)
	_ = json.Unmarshal(r.Body, &r.Fields) // a body that is not JSON has no fields
	return r, err
}

// Do sends a request and returns the response.
//
// A server that a reload is about to stop may accept a connection, or keep one, and
// close it without reading the request. Do retries then.
func (a *API) Do(t *testing.T, method, path string, header http.Header, body io.Reader) *Response {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), method, a.Base+path, body)
	if err != nil {
		t.Fatal(err)
	}
	maps.Copy(request.Header, header)
	r, err := a.send(request)
	for try := 1; (errors.Is(err, io.EOF) || errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE)) && try < 5; try++ {
		if request.GetBody != nil {
			if request.Body, err = request.GetBody(); err != nil {
				t.Fatal(err)
			}
		}
		r, err = a.send(request)
	}
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func (a *API) send(request *http.Request) (*Response, error) {
	response, err := a.Client.Do(request) //nolint:bodyclose // ReadResponse closes it
	if err != nil {
		return nil, err
	}
	return ReadResponse(response)
}

// Get sends a GET request.
func (a *API) Get(t *testing.T, path string) *Response {
	t.Helper()
	return a.Do(t, http.MethodGet, path, nil, http.NoBody)
}

// JSONHeader returns the header of a request with a JSON body.
func JSONHeader() http.Header { return http.Header{"Content-Type": {"application/json"}} }

// Post calls an endpoint with a text as its body.
func (a *API) Post(t *testing.T, endpoint, body string) *Response {
	t.Helper()
	return a.Do(t, http.MethodPost, endpoint, JSONHeader(), strings.NewReader(body))
}

// Call calls an endpoint with a value as its JSON body.
func (a *API) Call(t *testing.T, endpoint string, value any) *Response {
	t.Helper()
	body, err := json.Marshal(value)
	if err != nil {
		t.Fatal(err)
	}
	return a.Do(t, http.MethodPost, endpoint, JSONHeader(), bytes.NewReader(body))
}

// Succeed calls an endpoint and fails the test unless the status is 200.
func (a *API) Succeed(t *testing.T, endpoint string, value any) *Response {
	t.Helper()
	r := a.Call(t, endpoint, value)
	if r.Status != http.StatusOK {
		t.Fatalf("%s: %d %s", endpoint, r.Status, r.Body)
	}
	return r
}

// Member is the response to a client that has created or joined a room.
type Member struct {
	RoomID    string  `json:"roomId"`
	RoomName  string  `json:"roomName"`
	UserID    string  `json:"userId"`
	SessionID string  `json:"sessionId"`
	Role      string  `json:"role"`
	TTL       int     `json:"ttl"`
	StartedAt *string `json:"startedAt"`
	ExpiresAt *string `json:"expiresAt"`
}

// Credentials returns the fields by which a member identifies itself, and more of
// them, given as names and values.
func (m *Member) Credentials(more ...any) Fields {
	f := Fields{"roomId": m.RoomID, "userId": m.UserID, "sessionId": m.SessionID}
	for i := 0; i < len(more); i += 2 {
		f[more[i].(string)] = more[i+1] //nolint:errcheck,forcetypeassert // names are strings
	}
	return f
}

// CreateRoom creates a room.
func (a *API) CreateRoom(t *testing.T, request Fields) (m Member) {
	t.Helper()
	a.Succeed(t, "/createRoom", request).Decode(t, &m)
	return m
}

// JoinRoom joins a room.
func (a *API) JoinRoom(t *testing.T, request Fields) (m Member) {
	t.Helper()
	a.Succeed(t, "/joinRoom", request).Decode(t, &m)
	return m
}

// Create creates a room with a time to live in seconds.
func (a *API) Create(t *testing.T, ttl int) Member {
	t.Helper()
	return a.CreateRoom(t, Fields{"roomName": t.Name(), "username": "admin", "ttl": ttl})
}

// Join joins a room as a new member.
func (a *API) Join(t *testing.T, roomID, username string) Member {
	t.Helper()
	return a.JoinRoom(t, Fields{"roomId": roomID, "username": username})
}

// Rejoin joins a room again as a member, and returns another session of the user.
func (a *API) Rejoin(t *testing.T, m *Member) Member {
	t.Helper()
	return a.JoinRoom(t, m.Credentials())
}

// Start starts the chat, and returns the room's deadline.
func (a *API) Start(t *testing.T, admin *Member) time.Time {
	t.Helper()
	var started struct{ ExpiresAt string }
	a.Succeed(t, "/startChat", admin.Credentials()).Decode(t, &started)
	return ParseTime(t, started.ExpiresAt)
}
