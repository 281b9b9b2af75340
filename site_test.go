package ephemeralchat_test

import (
	"bytes"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"syscall"
	"testing"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig"
	_ "github.com/caddyserver/caddy/v2/modules/standard"

	_ "github.com/ephemeralchat/caddy-ephemeral-chat"
)

// site is a server that the Caddy of this process runs.
type site struct {
	address string
}

// serve runs a Caddy with one site, until the end of the test. Only one can run
// in a process, so tests that serve don't run in parallel.
func serve(t *testing.T, directives string) *site {
	t.Helper()
	s := newSite(t)
	load(t, s.block(directives))
	return s
}

// newSite returns a site on a free port, which has to be loaded.
func newSite(t *testing.T) *site {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	return &site{address: listener.Addr().String()}
}

// block returns the site's block of a Caddyfile.
func (s *site) block(directives string) string {
	_, port, _ := net.SplitHostPort(s.address)
	return fmt.Sprintf("http://:%s {\n\tbind 127.0.0.1\n%s\n}\n", port, directives)
}

// serveTLS is serve for a site with a certificate of Caddy's own authority. Its
// requests are to be edited by overTLS.
func serveTLS(t *testing.T, directives string) *site {
	t.Helper()
	s := newSite(t)
	_, port, _ := net.SplitHostPort(s.address)
	load(t, fmt.Sprintf("https://127.0.0.1:%s, https://localhost:%[1]s {\n\tbind 127.0.0.1\n\ttls internal\n%s\n}\n", port, directives))
	// The certificates are made in the background.
	for _, name := range []string{"localhost", "127.0.0.1"} {
		waitUntil(t, func() bool {
			dialer := tls.Dialer{Config: &tls.Config{InsecureSkipVerify: true, ServerName: name}}
			connection, err := dialer.DialContext(t.Context(), "tcp", s.address)
			if err != nil {
				return false
			}
			connection.Close()
			return true
		})
	}
	return s
}

func overTLS(r *http.Request) { r.URL.Scheme = "https" }

// load makes the Caddy of this process run a Caddyfile.
func load(t *testing.T, caddyfile string) {
	t.Helper()
	loadWith(t, "", caddyfile)
}

// loadWith is load with more global options.
func loadWith(t *testing.T, options, caddyfile string) {
	t.Helper()
	if err := tryLoad(t, options, caddyfile); err != nil {
		t.Fatalf("loading: %v\n%s", err, caddyfile)
	}
}

func tryLoad(t *testing.T, options, caddyfile string) error {
	t.Helper()
	client.CloseIdleConnections() // the servers of the old configuration close them
	storage := t.TempDir()        // removed after Caddy, which writes to it, has stopped
	t.Cleanup(func() {
		client.CloseIdleConnections()
		if err := caddy.Stop(); err != nil {
			t.Errorf("stopping Caddy: %v", err)
		}
	})
	config, _, err := adapt("{\nadmin off\npersist_config off\ngrace_period 1s\nskip_install_trust\n" +
		"storage file_system " + storage + "\nlog {\noutput discard\n}\n" + options + "\n}\n" + caddyfile)
	if err != nil {
		return err
	}
	return caddy.Load(config, true)
}

func adapt(caddyfile string) ([]byte, []caddyconfig.Warning, error) {
	return caddyconfig.GetAdapter("caddyfile").Adapt([]byte(caddyfile), map[string]any{"filename": "Caddyfile"})
}

// client adds nothing to requests and takes nothing off responses.
var client = &http.Client{
	Transport: &http.Transport{
		DisableCompression: true,
		TLSClientConfig:    &tls.Config{InsecureSkipVerify: true},
	},
	CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
}

// reply is a response that has been read.
type reply struct {
	status int
	header http.Header
	body   []byte
}

// send sends a request with a JSON body, changed as edit likes.
func (s *site) send(t *testing.T, method, path, body string, edit ...func(*http.Request)) reply {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), method, "http://"+s.address+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if method == http.MethodPost {
		request.Header.Set("Content-Type", "application/json")
	}
	for _, change := range edit {
		change(request)
	}
	response, err := client.Do(request)
	// A server that a reload is about to stop may still accept a connection, which
	// it then closes without an answer and without having served the request.
	for try := 1; (errors.Is(err, io.EOF) || errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE)) && request.GetBody != nil && try < 5; try++ {
		if request.Body, err = request.GetBody(); err != nil {
			t.Fatal(err)
		}
		response, err = client.Do(request)
	}
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	content, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return reply{response.StatusCode, response.Header, content}
}

func (s *site) post(t *testing.T, path, body string, edit ...func(*http.Request)) reply {
	t.Helper()
	return s.send(t, http.MethodPost, path, body, edit...)
}

func header(name, value string) func(*http.Request) {
	return func(r *http.Request) { r.Header.Set(name, value) }
}

// ok returns the object of a successful response.
func (r reply) ok(t *testing.T) map[string]any {
	t.Helper()
	if r.status != http.StatusOK {
		t.Fatalf("status %d, want 200: %s", r.status, r.body)
	}
	r.isPrivate(t)
	if got := r.header.Get("Content-Type"); got != "application/json" {
		t.Errorf("Content-Type %q", got)
	}
	return r.object(t)
}

func (r reply) object(t *testing.T) map[string]any {
	t.Helper()
	decoder := json.NewDecoder(bytes.NewReader(r.body))
	var object map[string]any
	if err := decoder.Decode(&object); err != nil || object == nil {
		t.Fatalf("body is not an object: %q", r.body)
	}
	return object
}

// refused checks that the response is a whole problem document with this status
// and code, and returns its detail.
func (r reply) refused(t *testing.T, status int, code string) string {
	t.Helper()
	if r.status != status {
		t.Fatalf("status %d, want %d %s: %s", r.status, status, code, r.body)
	}
	r.isPrivate(t)
	if got := r.header.Get("Content-Type"); got != "application/problem+json" {
		t.Errorf("Content-Type %q", got)
	}
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
		t.Errorf("problem document %s", r.body)
	}
	if retry := r.header.Get("Retry-After"); (retry != "") != (status == 429 || status == 503) {
		t.Errorf("Retry-After %q with status %d", retry, status)
	}
	return detail
}

func (r reply) isPrivate(t *testing.T) {
	t.Helper()
	if r.header.Get("Cache-Control") != "no-store" || r.header.Get("X-Content-Type-Options") != "nosniff" {
		t.Errorf("headers %v", r.header)
	}
}

// object writes a JSON object of names and values that alternate.
func object(t *testing.T, pairs ...any) string {
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

// member is somebody who was let into a room.
type member struct {
	room, user, session string
}

func (s *site) admit(t *testing.T, path string, pairs ...any) member {
	t.Helper()
	answer := s.post(t, path, object(t, pairs...)).ok(t)
	text := func(name string) string {
		value, ok := answer[name].(string)
		if !ok || value == "" {
			t.Fatalf("%s is %v", name, answer[name])
		}
		return value
	}
	return member{text("roomId"), text("userId"), text("sessionId")}
}

func (s *site) create(t *testing.T, pairs ...any) member {
	t.Helper()
	return s.admit(t, "/createRoom", append([]any{"roomName", "Room"}, pairs...)...)
}

func (s *site) join(t *testing.T, room string, pairs ...any) member {
	t.Helper()
	return s.admit(t, "/joinRoom", append([]any{"roomId", room}, pairs...)...)
}

// as writes a request of the member, with more fields.
func (m member) as(t *testing.T, pairs ...any) string {
	t.Helper()
	return object(t, append([]any{"roomId", m.room, "userId", m.user, "sessionId", m.session}, pairs...)...)
}

func (s *site) info(t *testing.T, room string) map[string]any {
	t.Helper()
	return s.post(t, "/roomInfo", object(t, "roomId", room)).ok(t)
}
