package rawws

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

	"github.com/ephemeralchat/caddy-ephemeral-chat/e2e/harness"
)

// Socket is a connection that is, or becomes, a WebSocket.
type Socket struct {
	io.Writer
	Reader *bufio.Reader
	// CloseWrite ends the sending direction, Close the connection.
	CloseWrite func() error
	Close      func()
	// Conn is the connection itself, nil for a stream of HTTP/2.
	Conn net.Conn
}

// Dial connects to an address, over TLS if trust is not nil. The connection ends with
// the test, or after harness.WaitTime.
func Dial(t *testing.T, address string, trust *tls.Config) *Socket {
	t.Helper()
	conn, err := new(net.Dialer).DialContext(t.Context(), "tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	if trust != nil {
		conn = tls.Client(conn, trust)
	}
	if err := conn.SetDeadline(time.Now().Add(harness.WaitTime)); err != nil {
		t.Fatal(err)
	}
	closer, ok := conn.(interface{ CloseWrite() error })
	if !ok {
		t.Fatalf("%T has no CloseWrite", conn)
	}
	s := &Socket{
		Writer: conn, Reader: bufio.NewReader(conn), Conn: conn,
		CloseWrite: closer.CloseWrite, Close: func() { _ = conn.Close() },
	}
	t.Cleanup(s.Close)
	return s
}

// Upgrade opens a WebSocket at /ws over a connection of its own.
func Upgrade(t *testing.T, address string, trust *tls.Config) *Socket {
	t.Helper()
	s := Dial(t, address, trust)
	s.Send(t, []byte("GET /ws HTTP/1.1\r\nHost: "+address+"\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"+
		"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: "+SampleKey+"\r\n\r\n"))
	response, err := http.ReadResponse(s.Reader, nil)
	if err != nil {
		t.Fatal(err)
	}
	_ = response.Body.Close()
	if response.StatusCode != http.StatusSwitchingProtocols {
		t.Fatalf("status %d", response.StatusCode)
	}
	return s
}

// OpenStream opens a WebSocket at /ws over a stream of HTTP/2.
func OpenStream(t *testing.T, address string, trust *tls.Config) *Socket {
	t.Helper()
	stream := openHTTP2Stream(t, address, "/ws", trust)
	return &Socket{Writer: stream, Reader: bufio.NewReader(stream), CloseWrite: stream.closeWrite, Close: stream.reset}
}

// Send writes bytes.
func (s *Socket) Send(t *testing.T, b []byte) {
	t.Helper()
	if _, err := s.Write(b); err != nil {
		t.Errorf("writing %d bytes: %v", len(b), err)
	}
}

// SendJSON sends a valid text frame.
func (s *Socket) SendJSON(t *testing.T, f harness.Fields) {
	t.Helper()
	text, err := json.Marshal(f)
	if err != nil {
		t.Fatal(err)
	}
	s.Send(t, TextFrame(string(text)))
}

// read returns the next frame in words, such as "message hello", "pong x",
// "close 1002" or "end". It returns an error for frames that no server may send.
func (s *Socket) read() (string, error) {
	first, payload, err := s.readFrame()
	switch {
	case errors.Is(err, io.EOF), errors.Is(err, syscall.ECONNRESET):
		return "end", nil // a reset follows bytes that the server no longer reads
	case err != nil:
		return "", err
	}
	switch first {
	case Final | Text:
		var f harness.Frame
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
	case Final | Pong:
		return "pong " + string(payload), nil
	case Final | Ping:
		return "ping", nil
	case Final | Close:
		if len(payload) < 2 || len(payload) > 125 || !utf8.Valid(payload[2:]) {
			return "", fmt.Errorf("closed with %q", payload)
		}
		return fmt.Sprint("close ", binary.BigEndian.Uint16(payload)), nil
	default:
		return "", fmt.Errorf("a frame that begins with %#x: no server sends that here", first)
	}
}

// readFrame reads a frame, which must not be masked (RFC 6455, section 5.1), and whose
// length must have the shortest encoding (section 5.2).
func (s *Socket) readFrame() (first byte, payload []byte, err error) {
	var head [10]byte
	if _, err := io.ReadFull(s.Reader, head[:2]); err != nil {
		return 0, nil, err
	}
	size, least := uint64(head[1]), uint64(0)
	switch head[1] {
	case 126:
		_, err = io.ReadFull(s.Reader, head[8:])
		size, least = uint64(binary.BigEndian.Uint16(head[8:])), 126
	case 127:
		_, err = io.ReadFull(s.Reader, head[2:])
		size, least = binary.BigEndian.Uint64(head[2:]), 1<<16
	}
	switch {
	case err != nil:
		return 0, nil, err
	case head[1]&Mask != 0:
		return 0, nil, errors.New("the server masks")
	case size < least || size > 1<<24:
		return 0, nil, fmt.Errorf("a length of %d after %#x", size, head[1])
	}
	payload = make([]byte, size)
	_, err = io.ReadFull(s.Reader, payload)
	return head[0], payload, err
}

// ReadUntil reads until enough, or until the connection has ended. It returns the
// frames in words, without presence and other frames that no client has caused.
func (s *Socket) ReadUntil(t *testing.T, enough func(received []string) bool) (received []string) {
	t.Helper()
	for !enough(received) {
		words, err := s.read()
		if err != nil {
			t.Errorf("after %q: %v", received, err)
			return received
		}
		switch kind, _, _ := strings.Cut(words, " "); kind {
		case "message", "pong", "error", "close", "end", "welcome":
			received = append(received, words)
		}
		if words == "end" {
			return received
		}
	}
	return received
}

// Expect fails the test unless the next frame is the wanted one.
func (s *Socket) Expect(t *testing.T, want string) {
	t.Helper()
	if received := s.ReadUntil(t, func(received []string) bool { return len(received) > 0 }); !slices.Equal(received, []string{want}) {
		t.Errorf("the client receives %q, want %q", received, want)
	}
}
