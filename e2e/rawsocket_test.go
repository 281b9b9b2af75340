package e2e_test

import (
	"bufio"
	"crypto/tls"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
	"unicode/utf8"
)

// Frames as RFC 6455, section 5.2, writes them.
const (
	opContinuation = 0x0
	opText         = 0x1
	opBinary       = 0x2
	opClose        = 0x8
	opPing         = 0x9
	opPong         = 0xa

	final  = 0x80
	masked = 0x80
)

// sampleKey and sampleAccept are those of RFC 6455, section 1.3.
const (
	sampleKey    = "dGhlIHNhbXBsZSBub25jZQ=="
	sampleAccept = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
)

// rawFrame encodes a frame of a client's, right or wrong. first is its first byte:
// opcode and flags.
func rawFrame(first byte, payload string) []byte {
	switch n := len(payload); {
	case n < 126:
		return rawFrameOf(first, []byte{byte(n)}, payload)
	case n < 1<<16:
		return rawFrameOf(first, binary.BigEndian.AppendUint16([]byte{126}, uint16(n)), payload)
	default:
		return rawFrameOf(first, binary.BigEndian.AppendUint64([]byte{127}, uint64(n)), payload)
	}
}

// rawFrameOf encodes a frame whose length is written like this, without the mask bit.
func rawFrameOf(first byte, length []byte, payload string) []byte {
	mask := [4]byte{0x9d, 0x00, 0xff, 0x21}
	b := append([]byte{first, length[0] | masked}, length[1:]...)
	b = append(b, mask[:]...)
	for i := range len(payload) {
		b = append(b, payload[i]^mask[i%4])
	}
	return b
}

// closePayload is what a close frame holds.
func closePayload(code uint16, reason string) string {
	return string(binary.BigEndian.AppendUint16(nil, code)) + reason
}

// rawSocket is a client that writes whatever it is told to, below the WebSocket, and
// is strict with what it reads.
type rawSocket struct {
	writer io.Writer
	reader *bufio.Reader
	// closeWrite says that nothing more is sent, and close ends the connection.
	closeWrite func() error
	close      func()
	// net is the connection itself, where the WebSocket has one.
	net net.Conn
}

// rawDial connects to an address, over TLS if there is a configuration for it. The
// connection ends with the test, or when it has taken too long.
func rawDial(t *testing.T, address string, trust *tls.Config) *rawSocket {
	t.Helper()
	conn, err := new(net.Dialer).DialContext(t.Context(), "tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	if trust != nil {
		conn = tls.Client(conn, trust)
	}
	if err := conn.SetDeadline(time.Now().Add(waitTime)); err != nil {
		t.Fatal(err)
	}
	closer, ok := conn.(interface{ CloseWrite() error })
	if !ok {
		t.Fatalf("%T is not closed by halves", conn)
	}
	s := &rawSocket{
		writer: conn, reader: bufio.NewReader(conn), net: conn,
		closeWrite: closer.CloseWrite, close: func() { _ = conn.Close() },
	}
	t.Cleanup(s.close)
	return s
}

// rawUpgrade opens a WebSocket over a connection of its own.
func rawUpgrade(t *testing.T, address string, trust *tls.Config) *rawSocket {
	t.Helper()
	s := rawDial(t, address, trust)
	s.write(t, []byte("GET /ws HTTP/1.1\r\nHost: "+address+"\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"+
		"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: "+sampleKey+"\r\n\r\n"))
	response, err := http.ReadResponse(s.reader, nil)
	if err != nil {
		t.Fatal(err)
	}
	_ = response.Body.Close()
	if response.StatusCode != http.StatusSwitchingProtocols {
		t.Fatalf("status %d", response.StatusCode)
	}
	return s
}

// rawStream opens a WebSocket over a stream of HTTP/2.
func rawStream(t *testing.T, address string, trust *tls.Config) *rawSocket {
	t.Helper()
	stream := openH2Stream(t, address, "/ws", trust)
	return &rawSocket{writer: stream, reader: bufio.NewReader(stream), closeWrite: stream.closeWrite, close: stream.reset}
}

func (s *rawSocket) write(t *testing.T, b []byte) {
	t.Helper()
	if _, err := s.writer.Write(b); err != nil {
		t.Errorf("writing %d bytes: %v", len(b), err)
	}
}

// say sends a frame that is as it should be.
func (s *rawSocket) say(t *testing.T, f fields) {
	t.Helper()
	text, err := json.Marshal(f)
	if err != nil {
		t.Fatal(err)
	}
	s.write(t, rawFrame(final|opText, string(text)))
}

// read returns the next frame in words, such as "message hello", "pong x", "close 1002"
// or "end". It fails if the server has sent what it never may.
func (s *rawSocket) read() (string, error) {
	first, payload, err := s.readFrame()
	switch {
	case errors.Is(err, io.EOF), errors.Is(err, syscall.ECONNRESET):
		return "end", nil // reset, where the client has sent what nobody reads any more
	case err != nil:
		return "", err
	}
	switch first {
	case final | opText:
		var f frame
		if !utf8.Valid(payload) {
			return "", fmt.Errorf("text that is not UTF-8: %q", payload)
		}
		if err := json.Unmarshal(payload, &f); err != nil {
			return "", fmt.Errorf("%w: %q", err, payload)
		}
		switch f.Type {
		case "message":
			return "message " + f.Message, nil
		case "error":
			return "error " + f.Code, nil
		}
		return f.Type, nil
	case final | opPong:
		return "pong " + string(payload), nil
	case final | opPing:
		return "ping", nil
	case final | opClose:
		if len(payload) < 2 || len(payload) > 125 || !utf8.Valid(payload[2:]) {
			return "", fmt.Errorf("closed with %q", payload)
		}
		return fmt.Sprint("close ", binary.BigEndian.Uint16(payload)), nil
	default:
		return "", fmt.Errorf("a frame that begins with %#x: no server sends that here", first)
	}
}

// readFrame reads a frame, which must not be masked (RFC 6455, section 5.1) and as
// short as it can be written (section 5.2).
func (s *rawSocket) readFrame() (first byte, payload []byte, err error) {
	var head [10]byte
	if _, err := io.ReadFull(s.reader, head[:2]); err != nil {
		return 0, nil, err
	}
	size, least := uint64(head[1]), uint64(0)
	switch head[1] {
	case 126:
		_, err = io.ReadFull(s.reader, head[8:])
		size, least = uint64(binary.BigEndian.Uint16(head[8:])), 126
	case 127:
		_, err = io.ReadFull(s.reader, head[2:])
		size, least = binary.BigEndian.Uint64(head[2:]), 1<<16
	}
	switch {
	case err != nil:
		return 0, nil, err
	case head[1]&masked != 0:
		return 0, nil, errors.New("the server masks")
	case size < least || size > 1<<24:
		return 0, nil, fmt.Errorf("a length of %d after %#x", size, head[1])
	}
	payload = make([]byte, size)
	_, err = io.ReadFull(s.reader, payload)
	return head[0], payload, err
}

// hears reads until it has heard enough, or the connection has ended. It returns what
// it was told, but for what the server tells of by itself.
func (s *rawSocket) hears(t *testing.T, enough func(told []string) bool) (told []string) {
	t.Helper()
	for !enough(told) {
		what, err := s.read()
		if err != nil {
			t.Errorf("after %q: %v", told, err)
			return told
		}
		switch kind, _, _ := strings.Cut(what, " "); kind {
		case "message", "pong", "error", "close", "end", "welcome":
			told = append(told, what)
		}
		if what == "end" {
			return told
		}
	}
	return told
}

// expects fails the test unless this is what it hears next.
func (s *rawSocket) expects(t *testing.T, want string) {
	t.Helper()
	if told := s.hears(t, func(told []string) bool { return len(told) > 0 }); !slices.Equal(told, []string{want}) {
		t.Errorf("the client hears %q, want %q", told, want)
	}
}
