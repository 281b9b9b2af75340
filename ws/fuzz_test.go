package ws_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/ephemeralchat/caddy-ephemeral-chat/room"
)

// FuzzConnection sends arbitrary bytes before or after the join. The server must send
// only valid frames, close with a code after a violation or a close frame, and keep no
// connection after its end.
func FuzzConnection(f *testing.F) {
	text := func(s string) []byte { return rawFrame(final|opText, s) }
	for _, seed := range [][][]byte{
		{text(`{"type":"message","message":"hi","id":1}`), text(`{"type":"message","message":"hi","id":1}`)},
		{text(`{"type":"history","limit":3}`), text(`{"type":"typing"}`), text(`{"type":"retract","seq":1}`), text(`{"type":"ping"}`)},
		{rawFrame(opText, `{"type":"message",`), rawFrame(final|opPing, "p"), rawFrame(opContinuation, ""), rawFrame(final|opContinuation, `"message":"x"}`)},
		{text("{\"type\":\"message\",\"message\":\"\xed\xa0\x80\"}")},
		{rawFrame(final|0x2, "binary")},
		{rawFrame(final|0xa, "unsolicited")},
		{rawFrame(final|rsv1|opText, "{}")},
		{rawFrame(final|0x3, "")},
		{rawFrame(opPing, "")},
		{rawFrame(final|opContinuation, "")},
		{{final | opText, 2, '{', '}'}},
		{{final | opText, masked | 126, 0, 2, 0, 0, 0, 0, '{', '}'}},
		{{final | opText, masked | 127, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}},
		{{final | opText, masked | 127, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0}},
		{rawFrame(opText, "{"), {opContinuation, masked | 127, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0}},
		{rawFrame(final|opClose, "\x03\xe8bye"), text(`{}`)},
		{rawFrame(final|opClose, "\x03")},
		{rawFrame(final|opClose, "\x03\xed")},
		{rawFrame(final|opPing, strings.Repeat("p", 126))},
		{{final}},
	} {
		for _, joined := range []bool{true, false} {
			f.Add(joined, bytes.Join(seed, nil))
		}
	}
	s := newSite(f, piped, limits(func(l *room.Limits) { l.History = 100 }))
	f.Fuzz(func(t *testing.T, joined bool, data []byte) {
		admin := s.create(t)
		conn, reader := s.upgraded(t)
		if joined {
			join, err := json.Marshal(joinFields(admin))
			if err != nil {
				t.Fatal(err)
			}
			data = append(rawFrame(final|opText, string(join)), data...)
		}
		ends := violates(data, 64<<10)
		if whole, _ := splitFrames(data); whole {
			data, ends = append(data, rawFrame(final|opClose, "\x03\xe8")...), true
		}
		written := make(chan struct{})
		// It ends when all bytes are written, or the connection is closed below.
		go func() {
			defer close(written)
			_, _ = conn.Write(data)
			if !ends {
				_ = conn.Close() // in the middle of a frame
			}
		}()
		closed, err := readServer(reader)
		if err != nil {
			t.Error(err)
		}
		if ends && closed == 0 {
			t.Errorf("no close frame in answer to %q", data)
		}
		_ = conn.Close()
		<-written
		eventually(t, func() bool { return s.hub.Stats().Connections == 0 })
		if err := s.store.Delete(context.WithoutCancel(t.Context()), admin.Room.ID); err != nil {
			t.Error(err)
		}
		if log := s.logged.String(); log != "" {
			t.Fatalf("logged: %.2000s", log)
		}
	})
}

// upgraded opens a WebSocket, and returns its network connection and a reader of it.
func (s *site) upgraded(t *testing.T) (net.Conn, *bufio.Reader) {
	t.Helper()
	conn := s.requestRaw(t, "")
	if err := conn.SetDeadline(time.Now().Add(waitLimit)); err != nil {
		t.Fatal(err)
	}
	reader := bufio.NewReader(conn)
	response, err := http.ReadResponse(reader, nil)
	if err != nil {
		t.Fatal(err)
	}
	_ = response.Body.Close()
	if response.StatusCode != http.StatusSwitchingProtocols {
		t.Fatalf("status %d", response.StatusCode)
	}
	return conn, reader
}

// readServer reads frames up to a close frame, and returns its code, or up to the end
// of the connection. It fails if the server has sent an invalid frame.
func readServer(r *bufio.Reader) (closed uint16, err error) {
	for {
		first, payload, err := readServerFrame(r)
		switch {
		case errors.Is(err, io.EOF), errors.Is(err, io.ErrClosedPipe), errors.Is(err, io.ErrUnexpectedEOF):
			return 0, nil // it was cut off
		case err != nil:
			return 0, err
		}
		switch first {
		case final | opClose:
			if len(payload) < 2 || !utf8.Valid(payload[2:]) {
				return 0, fmt.Errorf("closed with %q", payload)
			}
			return binary.BigEndian.Uint16(payload), nil
		case final | opText:
			var frame struct{ Type string }
			if !utf8.Valid(payload) || json.Unmarshal(payload, &frame) != nil || frame.Type == "" {
				return 0, fmt.Errorf("sent %q", payload)
			}
		case final | opPing, final | opPong:
			if len(payload) > 125 {
				return 0, fmt.Errorf("a control frame of %d bytes", len(payload))
			}
		default:
			return 0, fmt.Errorf("a frame that begins with %#x", first)
		}
	}
}

// readServerFrame reads a frame, which must not be masked and must have the shortest
// header (RFC 6455, sections 5.1 and 5.2).
func readServerFrame(r *bufio.Reader) (first byte, payload []byte, err error) {
	var head [2]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return 0, nil, err
	}
	size, least := uint64(head[1]), uint64(0)
	var long [8]byte
	switch head[1] {
	case 126:
		_, err = io.ReadFull(r, long[6:])
		size, least = binary.BigEndian.Uint64(long[:]), 126
	case 127:
		_, err = io.ReadFull(r, long[:])
		size, least = binary.BigEndian.Uint64(long[:]), 1<<16
	}
	switch {
	case err != nil:
		return 0, nil, err
	case head[1]&masked != 0:
		return 0, nil, errors.New("the server masks")
	case size < least || size > 1<<24:
		return 0, nil, fmt.Errorf("a frame of %d bytes after %#x", size, head[1])
	}
	payload = make([]byte, size)
	_, err = io.ReadFull(r, payload)
	return head[0], payload, err
}

// clientFrame is the header of a client's frame.
type clientFrame struct {
	first, second byte
	size          uint64
}

// splitFrames returns the headers of all frames in data, and whether the last frame is
// complete.
func splitFrames(data []byte) (whole bool, heads []clientFrame) {
	for len(data) > 0 {
		if len(data) < 2 {
			return false, heads
		}
		h := clientFrame{data[0], data[1], uint64(data[1] &^ masked)}
		data = data[2:]
		length := map[uint64]int{126: 2, 127: 8}[h.size]
		rest := length
		if h.second&masked != 0 {
			rest += 4
		}
		if len(data) < rest {
			h.size = 0 // it is not complete
			return false, append(heads, h)
		}
		if length > 0 {
			h.size = 0
			for _, b := range data[:length] {
				h.size = h.size<<8 | uint64(b)
			}
		}
		heads, data = append(heads, h), data[rest:]
		if uint64(len(data)) < h.size {
			return false, heads
		}
		data = data[h.size:]
	}
	return true, heads
}

// violates reports whether data has a header that a client must not send, or a message
// of more bytes than the limit.
func violates(data []byte, limit uint64) bool {
	_, heads := splitFrames(data)
	open, size := false, uint64(0)
	for _, h := range heads {
		opcode, whole := h.first&0xf, h.first&final != 0
		switch {
		case h.first&0x70 != 0, h.second&masked == 0:
			return true
		case opcode >= opClose:
			if opcode > 0xa || !whole || h.second&^masked > 125 {
				return true
			}
			continue
		case opcode > 0x2, (opcode == opContinuation) != open:
			return true
		}
		if !open {
			size = 0
		}
		open = !whole
		if h.size > limit || size+h.size > limit {
			return true
		}
		size += h.size
	}
	return false
}
