package rawws

import (
	"bufio"
	"crypto/tls"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/ephemeralchat/caddy-ephemeral-chat/e2e/harness"
)

// Frame types, flags and a setting of HTTP/2 (RFC 9113, section 6).
const (
	h2Data         = 0x0
	h2Headers      = 0x1
	h2Reset        = 0x3
	h2Settings     = 0x4
	h2Ping         = 0x6
	h2GoAway       = 0x7
	h2WindowUpdate = 0x8

	h2EndStream, h2EndHeaders, h2Ack = 0x1, 0x4, 0x1

	h2EnableConnect = 0x8 // RFC 8441, section 3
	h2MaxFrame      = 16384
)

// http2Stream is the only stream of an HTTP/2 connection, opened for a WebSocket (RFC
// 8441). It implements no more of a client than that takes. The clients of libraries
// cannot misbehave, as tests must.
type http2Stream struct {
	conn net.Conn
	in   *bufio.Reader

	unread []byte // the rest of a frame, which Read has not returned
	ended  bool   // no frame follows

	mu sync.Mutex // held while a frame is written
}

// openHTTP2Stream connects and opens a stream for the path. It fails the test unless
// the server offers streams for WebSockets, and responds with status 200.
func openHTTP2Stream(t *testing.T, address, path string, trust *tls.Config) *http2Stream {
	t.Helper()
	config := trust.Clone()
	config.NextProtos = []string{"h2"}
	conn, err := (&tls.Dialer{Config: config}).DialContext(t.Context(), "tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	if err := conn.SetDeadline(time.Now().Add(harness.WaitTime)); err != nil {
		t.Fatal(err)
	}
	s := &http2Stream{conn: conn, in: bufio.NewReader(conn)}
	if _, err := io.WriteString(conn, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	if err := s.writeFrame(h2Settings, 0, 0, nil); err != nil {
		t.Fatal(err)
	}
	offered := false
	for !offered {
		kind, flags, payload, err := s.readFrame()
		if err != nil || kind == h2Settings && flags&h2Ack != 0 {
			t.Fatalf("streams for WebSockets are not offered (%v)", err)
		}
		for ; kind == h2Settings && len(payload) >= 6; payload = payload[6:] {
			offered = offered || binary.BigEndian.Uint16(payload) == h2EnableConnect && binary.BigEndian.Uint32(payload[2:]) == 1
		}
	}
	var head []byte
	for _, field := range [][2]string{
		{":method", "CONNECT"},
		{":protocol", "websocket"},
		{":scheme", "https"},
		{":path", path},
		{":authority", address},
		{"sec-websocket-version", "13"},
	} {
		// A literal that is not to be indexed, with a new name (RFC 7541, section 6.2.2).
		head = append(append(append(head, 0, byte(len(field[0]))), field[0]...), byte(len(field[1])))
		head = append(head, field[1]...)
	}
	if err := s.writeFrame(h2Headers, h2EndHeaders, 1, head); err != nil {
		t.Fatal(err)
	}
	for {
		kind, _, payload, err := s.readFrame()
		if err != nil {
			t.Fatal(err)
		}
		if kind == h2Headers {
			const status200 = 0x88 // RFC 7541, section 6.1 and appendix A
			if len(payload) == 0 || payload[0] != status200 {
				t.Fatalf("the stream is refused: %q", payload)
			}
			return s
		}
	}
}

func (s *http2Stream) writeFrame(kind, flags byte, stream uint32, payload []byte) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	frame := binary.BigEndian.AppendUint32(nil, uint32(len(payload))<<8|uint32(kind))
	frame = binary.BigEndian.AppendUint32(append(frame, flags), stream)
	_, err := s.conn.Write(append(frame, payload...))
	return err
}

// readFrame reads the next frame, and answers frames that need an answer.
func (s *http2Stream) readFrame() (kind, flags byte, payload []byte, err error) {
	var head [9]byte
	if _, err := io.ReadFull(s.in, head[:]); err != nil {
		return 0, 0, nil, err
	}
	kind, flags = head[3], head[4]
	payload = make([]byte, binary.BigEndian.Uint32(head[:])>>8)
	if _, err := io.ReadFull(s.in, payload); err != nil {
		return 0, 0, nil, err
	}
	switch {
	case kind == h2Settings && flags&h2Ack == 0:
		err = s.writeFrame(h2Settings, h2Ack, 0, nil)
	case kind == h2Ping && flags&h2Ack == 0:
		err = s.writeFrame(h2Ping, h2Ack, 0, payload)
	case kind == h2GoAway:
		err = fmt.Errorf("the server goes away: %q", payload)
	case kind == h2Data && len(payload) > 0:
		size := binary.BigEndian.AppendUint32(nil, uint32(len(payload)))
		if err = s.writeFrame(h2WindowUpdate, 0, 0, size); err == nil && flags&h2EndStream == 0 {
			err = s.writeFrame(h2WindowUpdate, 0, 1, size)
		}
	}
	return kind, flags, payload, err
}

// Read implements io.Reader. At the end of the stream it returns io.EOF.
func (s *http2Stream) Read(p []byte) (int, error) {
	for len(s.unread) == 0 {
		if s.ended {
			return 0, io.EOF
		}
		kind, flags, payload, err := s.readFrame()
		switch {
		case err != nil:
			return 0, err
		case kind == h2Data:
			s.unread, s.ended = payload, flags&h2EndStream != 0
		case kind == h2Headers:
			s.ended = flags&h2EndStream != 0
		case kind == h2Reset:
			s.ended = true
		}
	}
	n := copy(p, s.unread)
	s.unread = s.unread[n:]
	return n, nil
}

// Write implements io.Writer.
func (s *http2Stream) Write(p []byte) (int, error) {
	for rest := p; len(rest) > 0; {
		piece := rest[:min(len(rest), h2MaxFrame)]
		if err := s.writeFrame(h2Data, 0, 1, piece); err != nil {
			return len(p) - len(rest), err
		}
		rest = rest[len(piece):]
	}
	return len(p), nil
}

// closeWrite ends what this side sends.
func (s *http2Stream) closeWrite() error { return s.writeFrame(h2Data, h2EndStream, 1, nil) }

// reset ends the stream at once, and the connection with it.
func (s *http2Stream) reset() {
	const cancel = 8
	_ = s.writeFrame(h2Reset, 0, 1, binary.BigEndian.AppendUint32(nil, cancel))
	_ = s.conn.Close()
}
