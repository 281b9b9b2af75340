package api_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"
	"sync"
	"testing"
	"time"

	"github.com/ephemeralchat/caddy-ephemeral-chat/api/apitest"
)

// TestBadUpgrades sends requests that are no valid upgrades.
func TestBadUpgrades(t *testing.T) {
	s := serve(t, nil)
	upgrade := func(r *http.Request) {
		r.Header.Set("Connection", "Upgrade")
		r.Header.Set("Upgrade", "websocket")
		r.Header.Set("Sec-WebSocket-Version", "13")
		r.Header.Set("Sec-WebSocket-Key", "AAAAAAAAAAAAAAAAAAAAAA==")
	}
	for name, edit := range map[string]func(*http.Request){
		"no upgrade":      func(*http.Request) {},
		"another version": func(r *http.Request) { upgrade(r); r.Header.Set("Sec-WebSocket-Version", "8") },
		"no version":      func(r *http.Request) { upgrade(r); r.Header.Del("Sec-WebSocket-Version") },
	} {
		got := s.Send(t, http.MethodGet, "/ws", "", edit)
		got.Refused(t, 426, "upgrade_required")
		if got.Header.Get("Sec-WebSocket-Version") != "13" || got.Header.Get("Upgrade") != "websocket" || got.Header.Get("Connection") != "Upgrade" {
			t.Errorf("%s: the head is %v", name, got.Header)
		}
	}
	s.Send(t, http.MethodGet, "/ws", "{}", upgrade).Refused(t, 400, "invalid_request")
	s.Send(t, http.MethodGet, "/ws", "", upgrade, func(r *http.Request) { r.Header.Del("Sec-WebSocket-Key") }).Refused(t, 400, "invalid_request")
	s.Send(t, http.MethodGet, "/ws", "", upgrade, apitest.Header("Origin", "http://evil.example")).Refused(t, 403, "origin_not_allowed")
	admin := s.Create(t)
	query := "/ws?roomId=" + admin.Room + "&userId=" + admin.User + "&sessionId="
	s.Send(t, http.MethodGet, query+"x", "", upgrade).Refused(t, 401, "invalid_session")
	s.Send(t, http.MethodGet, "/ws?roomId=none&userId=x&sessionId=x", "", upgrade).Refused(t, 404, "room_not_found")
}

// streamResponse is the response of an HTTP/2 server on a stream. It fails the test if it
// is used after the handler has returned.
type streamResponse struct {
	tb     testing.TB
	header http.Header

	mu     sync.Mutex
	status int
	body   bytes.Buffer
	over   bool // the handler has returned
}

func (s *streamResponse) Header() http.Header { return s.header }

func (s *streamResponse) WriteHeader(status int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.inUse()
	if s.status == 0 {
		s.status = status
	}
}

func (s *streamResponse) Write(p []byte) (int, error) {
	s.WriteHeader(http.StatusOK)
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.body.Write(p)
}

// FlushError is a method for http.ResponseController, like the next two.
func (s *streamResponse) FlushError() error { return s.use() }

func (s *streamResponse) SetReadDeadline(time.Time) error { return s.use() }

func (s *streamResponse) SetWriteDeadline(time.Time) error { return s.use() }

func (s *streamResponse) use() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.inUse()
	return nil
}

func (s *streamResponse) inUse() {
	if s.over {
		s.tb.Error("the response is used when the handler has returned")
	}
}

// FuzzStream opens a WebSocket over a stream with any query, version and bytes. The handler
// returns when the bytes end, and uses neither the request nor the response after that. A
// refusal is a problem document.
func FuzzStream(f *testing.F) {
	frame := func(first byte, payload string) []byte {
		return append([]byte{first, 0x80 | byte(len(payload)), 0, 0, 0, 0}, payload...)
	}
	for _, seed := range []struct {
		query, version string
		frames         []byte
	}{
		{"", "13", frame(0x81, `{"type":"join","roomId":"x","userId":"y","sessionId":"z"}`)},
		{"", "13", append(frame(0x89, "ping"), frame(0x88, "\x03\xe8")...)},
		{"", "13", frame(0x01, `{"type":`)},
		{"", "13", []byte{0x81, 2, '{', '}'}},
		{"", "13", frame(0xc1, "{}")},
		{"", "13", nil},
		{"", "8", nil},
		{"", "", nil},
		{"", "13, 8", nil},
		{"roomId=x", "13", nil},
		{"roomId=x&userId=y&sessionId=z&after=0&epoch=e", "13", nil},
		{"roomId=x&after=-1", "13", nil},
		{"roomId=AAAAAAAAAAAAAAAAAAAAAA&after=9007199254740992", "13", nil},
		{"roomId", "13", nil},
		{"%zz", "13", nil},
		{"a;b", "13", nil},
		{"userId=x", "13", frame(0x81, "null")},
	} {
		f.Add(seed.query, seed.version, seed.frames, false)
		f.Add(seed.query, seed.version, seed.frames, true)
	}
	o := configure(func(o *options) { o.ExtendedConnect = true })
	handler := o.handler(f)
	f.Fuzz(func(t *testing.T, query, version string, frames []byte, newest bool) {
		r := (&http.Request{
			Method: http.MethodConnect, URL: &url.URL{Path: "/ws", RawQuery: query}, Host: "chat.example", RemoteAddr: "192.0.2.1:1",
			Proto: "HTTP/2.0", ProtoMajor: 2, Header: http.Header{":protocol": {"websocket"}, "Sec-Websocket-Version": {version}},
			Body: io.NopCloser(bytes.NewReader(frames)), ContentLength: -1,
		}).WithContext(t.Context())
		if newest {
			r.Proto, r.ProtoMajor = "websocket", 3
			r.Header.Del(":protocol")
		}
		w := &streamResponse{tb: t, header: make(http.Header)}
		done := make(chan struct{})
		// It ends when the handler returns, which the test waits for.
		go func() {
			handler.Serve(w, r, r.URL.Path)
			close(done)
		}()
		select {
		case <-done:
		case <-time.After(time.Minute):
			t.Fatal("the handler does not return")
		}
		w.mu.Lock()
		defer w.mu.Unlock()
		w.over = true
		if err := w.check(); err != nil {
			t.Errorf("%v: %d %q", err, w.status, w.body.Bytes())
		}
	})
}

// check checks the response: frames, or a problem document.
func (s *streamResponse) check() error {
	if s.status != http.StatusOK {
		var problem struct {
			Status int
			Code   string
		}
		if err := json.Unmarshal(s.body.Bytes(), &problem); err != nil {
			return err
		}
		if problem.Status != s.status || problem.Code == "" || s.status < 400 {
			return errors.New("no problem document")
		}
		return nil
	}
	for rest := s.body.Bytes(); len(rest) > 0; {
		if len(rest) < 2 || rest[0]&0x70 != 0 || rest[0]&0x80 == 0 || rest[1] >= 126 || len(rest) < 2+int(rest[1]) {
			return errors.New("not a frame of a server") // without a session, no frame is long
		}
		rest = rest[2+int(rest[1]):]
	}
	return nil
}
