package ws

import (
	"bufio"
	"bytes"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"io"
	"net"
	"net/http"
	"sync"
	"time"
)

// IsExtendedConnect reports whether a request asks for a WebSocket by extended
// CONNECT, over a stream of HTTP/2 (RFC 8441) or HTTP/3 (RFC 9220). The two servers
// put the protocol into different places.
func IsExtendedConnect(r *http.Request) bool {
	return r.Method == http.MethodConnect &&
		(r.ProtoMajor == 2 && r.Header.Get(":protocol") == "websocket" ||
			r.ProtoMajor == 3 && r.Proto == "websocket")
}

// ServeExtendedConnect is Serve for a request that IsExtendedConnect accepts. It
// returns when the stream has ended, because the server ends the stream when its
// handler returns. Time-outs meant for requests that end must be off: pings show
// whether the client lives.
func (h *Hub) ServeExtendedConnect(w http.ResponseWriter, r *http.Request, s Settings) error {
	conn := newStreamConn(w, r)
	err := h.Serve(&streamWriter{w, conn}, upgradeRequest(r), s)
	if err == nil {
		<-conn.ended
	}
	return err
}

// upgradeRequest turns an extended CONNECT into a request for an upgrade of HTTP/1.1
// (RFC 6455, section 4.1).
func upgradeRequest(r *http.Request) *http.Request {
	var key [16]byte
	_, _ = rand.Read(key[:]) // never fails
	upgrade := r.Clone(r.Context())
	upgrade.Method, upgrade.Body, upgrade.ContentLength = http.MethodGet, http.NoBody, 0
	upgrade.Header.Del(":protocol")
	upgrade.Header.Set("Connection", "Upgrade")
	upgrade.Header.Set("Upgrade", "websocket")
	upgrade.Header.Set("Sec-Websocket-Key", base64.StdEncoding.EncodeToString(key[:]))
	return upgrade
}

// streamConn is a stream as a net.Conn: it reads the body of the request and writes
// the body of the response. To the rest of the package it is a hijacked connection.
type streamConn struct {
	net.Conn // nil: no caller asks for the addresses

	body   io.ReadCloser
	writer http.ResponseWriter // for the head of the response, which wrappers record
	// reads controls writer, and sets read deadlines: Caddy's time-out of reads must
	// know of them.
	reads *http.ResponseController
	// bottom is the server's own writer, and writes controls it. Caddy's time-out of
	// writes, which wraps it, does not allow a deadline to be set during a write.
	bottom http.ResponseWriter
	writes *http.ResponseController
	ended  chan struct{} // closed by Close

	// Neither the writers nor their controllers may be used once the handler has
	// returned. Close takes both locks.
	writing   sync.Mutex // held during a write
	deadlines sync.Mutex // held while a deadline is set
	closed    bool       // guarded by either
	answered  bool       // the head of the response has been written; guarded by writing
}

func newStreamConn(w http.ResponseWriter, r *http.Request) *streamConn {
	bottom := serverWriter(w)
	return &streamConn{
		body: r.Body, writer: w, reads: http.NewResponseController(w),
		bottom: bottom, writes: http.NewResponseController(bottom),
		ended: make(chan struct{}),
	}
}

// streamWriter is the response before the stream is hijacked. It has no Unwrap:
// the server's own writer cannot be hijacked.
type streamWriter struct {
	http.ResponseWriter
	conn *streamConn
}

func (w *streamWriter) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	return w.conn, bufio.NewReadWriter(bufio.NewReader(w.conn), bufio.NewWriter(w.conn)), nil
}

func (s *streamConn) Read(p []byte) (int, error) { return s.body.Read(p) }

// Write writes to the stream. The first write is the head of the response to the
// upgrade, which ends with an empty line; a stream answers with status 200 instead.
func (s *streamConn) Write(p []byte) (int, error) {
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

// Close returns when no write is in progress. The stream ends when the handler returns.
func (s *streamConn) Close() error {
	s.deadlines.Lock()
	defer s.deadlines.Unlock()
	if s.closed {
		return nil
	}
	if !s.writing.TryLock() {
		// The write may be stalled. Without one no deadline is set: it would
		// reset a stream that is to end cleanly.
		_ = s.writes.SetWriteDeadline(time.Unix(1, 0))
		s.writing.Lock()
	}
	s.closed = true
	s.writing.Unlock()
	close(s.ended)
	return nil
}

func (s *streamConn) SetDeadline(t time.Time) error {
	return errors.Join(s.SetReadDeadline(t), s.SetWriteDeadline(t))
}

func (s *streamConn) SetReadDeadline(t time.Time) error {
	return s.setDeadline(s.reads.SetReadDeadline, t)
}

func (s *streamConn) SetWriteDeadline(t time.Time) error {
	return s.setDeadline(s.writes.SetWriteDeadline, t)
}

func (s *streamConn) setDeadline(set func(time.Time) error, t time.Time) error {
	s.deadlines.Lock()
	defer s.deadlines.Unlock()
	if s.closed {
		return net.ErrClosed
	}
	return set(t)
}
