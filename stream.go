package ephemeralchat

import (
	"bufio"
	"bytes"
	"context"
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"io"
	"math"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyevents"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/ephemeralchat/caddy-ephemeral-chat/ws"
)

// isStream reports whether a request asks for a WebSocket over a stream of HTTP/2 (RFC
// 8441) or HTTP/3 (RFC 9220): by extended CONNECT, of which the two servers tell in
// different places.
func isStream(r *http.Request) bool {
	if r.Method != http.MethodConnect {
		return false
	}
	return r.ProtoMajor == 2 && r.Header.Get(":protocol") == "websocket" ||
		r.ProtoMajor == 3 && r.Proto == "websocket"
}

// stream is a connection over one stream: what the client sends is the body of its
// request, and what it is sent the body of the response. It looks like a connection
// that was taken over from HTTP/1.1, so that the rest need not know of it.
type stream struct {
	body   io.ReadCloser
	writer http.ResponseWriter // for the head, of which others take note
	// reads controls it, and sets the deadline of reads: Caddy's time-out of reads must
	// know of it.
	reads *http.ResponseController
	// bottom is the writer that the server made, and writes controls it. Not what
	// Caddy puts around it: a connection has its deadline set while something is
	// written, and Caddy's time-out of writes is not made for that.
	bottom http.ResponseWriter
	writes *http.ResponseController
	local  net.Addr
	remote net.Addr
	ended  chan struct{} // closed by Close

	closing sync.Once

	// Neither the writers nor their controllers may be used once the handler has
	// returned. Close takes both locks.
	writing   sync.Mutex // held while something is written
	deadlines sync.Mutex // held while a deadline is set
	closed    bool       // guarded by either
	answered  bool       // the head of the response has been written; guarded by writing
}

// asUpgrade makes of a request for a WebSocket over a stream one for an upgrade of
// HTTP/1.1 (RFC 6455, section 4.1), whose response is the stream. If it is upgraded,
// the caller must wait for the stream before it returns.
func asUpgrade(w http.ResponseWriter, r *http.Request) (*stream, *http.Request) {
	// Time-outs are for requests that end; whether this client is there, its pings
	// tell.
	reader, writer := caddyhttp.IdleTimeoutsFromContext(r.Context())
	if reader != nil {
		reader.Override(math.MaxInt64/2, 0)
	}
	if writer != nil {
		writer.Override(math.MaxInt64/2, 0, math.MaxInt32)
	}
	bottom := ws.Bottom(w)
	s := &stream{
		body: r.Body, writer: w, reads: http.NewResponseController(w),
		bottom: bottom, writes: http.NewResponseController(bottom),
		remote: streamAddr(r.RemoteAddr), ended: make(chan struct{}),
	}
	s.local, _ = r.Context().Value(http.LocalAddrContextKey).(net.Addr)

	var key [16]byte
	_, _ = rand.Read(key[:]) // never fails
	upgrade := r.Clone(r.Context())
	upgrade.Method, upgrade.Body, upgrade.ContentLength = http.MethodGet, http.NoBody, 0
	upgrade.Header.Del(":protocol")
	upgrade.Header.Set("Connection", "Upgrade")
	upgrade.Header.Set("Upgrade", "websocket")
	upgrade.Header.Set("Sec-Websocket-Key", base64.StdEncoding.EncodeToString(key[:]))
	return s, upgrade
}

// wait waits until the stream is closed, if it was taken over.
func (s *stream) wait() {
	s.writing.Lock()
	answered := s.answered
	s.writing.Unlock()
	if answered {
		<-s.ended
	}
}

// streamWriter is the response before the stream is taken over. It does not unwrap:
// what is below it cannot be taken over.
type streamWriter struct {
	http.ResponseWriter
	stream *stream
}

// Hijack implements http.Hijacker.
func (w *streamWriter) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	return w.stream, bufio.NewReadWriter(bufio.NewReader(w.stream), bufio.NewWriter(w.stream)), nil
}

// Read implements net.Conn.
func (s *stream) Read(p []byte) (int, error) { return s.body.Read(p) }

// Write implements net.Conn. The first thing that is written is the head of a
// response to an upgrade, ending with an empty line. Here it is the status 200.
func (s *stream) Write(p []byte) (int, error) {
	s.writing.Lock()
	defer s.writing.Unlock()
	if s.closed {
		return 0, net.ErrClosed
	}
	if !s.answered {
		if !bytes.HasSuffix(p, []byte("\r\n\r\n")) {
			return 0, io.ErrUnexpectedEOF
		}
		s.answered = true
		s.writer.WriteHeader(http.StatusOK)
		return len(p), s.reads.Flush()
	}
	n, err := s.bottom.Write(p)
	if err == nil {
		err = s.writes.Flush()
	}
	return n, err
}

// Close implements net.Conn. The stream ends when the handler returns.
func (s *stream) Close() error {
	s.closing.Do(func() {
		s.deadlines.Lock()
		defer s.deadlines.Unlock()
		if !s.writing.TryLock() {
			// It may be stalled. Otherwise the stream is to end cleanly, which a
			// deadline would prevent.
			_ = s.writes.SetWriteDeadline(time.Unix(1, 0))
			s.writing.Lock()
		}
		s.closed = true
		s.writing.Unlock()
		close(s.ended)
	})
	return nil
}

// LocalAddr implements net.Conn.
func (s *stream) LocalAddr() net.Addr { return s.local }

// RemoteAddr implements net.Conn.
func (s *stream) RemoteAddr() net.Addr { return s.remote }

// SetDeadline implements net.Conn.
func (s *stream) SetDeadline(t time.Time) error {
	if err := s.SetReadDeadline(t); err != nil {
		return err
	}
	return s.SetWriteDeadline(t)
}

// SetReadDeadline implements net.Conn.
func (s *stream) SetReadDeadline(t time.Time) error {
	return s.setDeadline(s.reads.SetReadDeadline, t)
}

// SetWriteDeadline implements net.Conn.
func (s *stream) SetWriteDeadline(t time.Time) error {
	return s.setDeadline(s.writes.SetWriteDeadline, t)
}

func (s *stream) setDeadline(set func(time.Time) error, t time.Time) error {
	s.deadlines.Lock()
	defer s.deadlines.Unlock()
	if s.closed {
		return net.ErrClosed
	}
	return set(t)
}

// streamAddr is the address of a client as net/http writes it.
type streamAddr string

// Network implements net.Addr.
func (streamAddr) Network() string { return "stream" }

func (a streamAddr) String() string { return string(a) }

// closeOnExit closes the WebSockets of a chat when the process is about to end.
// Servers wait for streams before they stop, and with them for everything else.
type closeOnExit struct{ chat *chat }

// closeOnExit has the chat closed when the process is about to end, where it may have
// streams.
func (h *Handler) closeOnExit(ctx caddy.Context) error {
	if !h.ExtendedConnect {
		return nil
	}
	loaded, err := ctx.App("events")
	if err != nil {
		return err
	}
	app, ok := loaded.(*caddyevents.App)
	if !ok {
		return fmt.Errorf("the events app is a %T", loaded)
	}
	return app.On("stopping", closeOnExit{h.chat})
}

// Handle implements caddyevents.Handler, for the event "stopping".
func (c closeOnExit) Handle(context.Context, caddy.Event) error {
	if caddy.Exiting() {
		c.chat.hub.Close()
	}
	return nil
}
