package redisstore_test

import (
	"bufio"
	"bytes"
	"io"
	"net"
	"strings"
	"testing"

	"github.com/ephemeralchat/caddy-ephemeral-chat/redisstore"
)

// spy is a reader and a writer that keeps the memory which it was given last.
type spy struct {
	net.Conn
	seen []byte
}

func (s *spy) Read(p []byte) (int, error) {
	s.seen = p
	return s.Conn.Read(p)
}

func (s *spy) Write(p []byte) (int, error) {
	s.seen = p
	return s.Conn.Write(p)
}

// TestConnectionForgets sends and reads through the buffers that the library has,
// and looks into their memory.
func TestConnectionForgets(t *testing.T) {
	near, far := net.Pipe()
	t.Cleanup(func() { _ = near.Close(); _ = far.Close() })
	s := &spy{Conn: redisstore.Wiped(near)}
	const said = "said in a room"

	writer := bufio.NewWriterSize(s, 64)
	got := make(chan string, 1)
	go func() { // ends when it has read what is written below
		b := make([]byte, len(said))
		_, _ = io.ReadFull(far, b)
		got <- string(b)
	}()
	_, _ = writer.WriteString(said)
	if err := writer.Flush(); err != nil {
		t.Fatal(err)
	}
	if text := <-got; text != said {
		t.Errorf("%q has arrived", text)
	}
	if bytes.Contains(s.seen, []byte(said)) {
		t.Error("what was sent is still in the buffer")
	}

	// A text that is larger than the buffer is the caller's, and stays.
	large := []byte(strings.Repeat("large ", 100))
	go func() { // likewise
		b := make([]byte, len(large))
		_, _ = io.ReadFull(far, b)
		got <- string(b)
	}()
	if _, err := writer.Write(large); err != nil {
		t.Fatal(err)
	}
	if err := writer.Flush(); err != nil {
		t.Fatal(err)
	}
	if text := <-got; text != string(large) || string(large) != strings.Repeat("large ", 100) {
		t.Error("a large text was changed")
	}

	// Lines in one piece and in two, a text longer than the buffer, and a last line.
	reader := bufio.NewReaderSize(s, 64)
	long := strings.Repeat("long ", 50)
	go func() { // ends when all is read below
		for _, piece := range []string{said + "\nhalf of a ", "line\n" + long, "\nend\n"} {
			_, _ = far.Write([]byte(piece))
		}
	}()
	for _, want := range []string{said, "half of a line"} {
		if line, err := reader.ReadString('\n'); err != nil || line != want+"\n" {
			t.Errorf("%q (%v), want %q", line, err, want)
		}
	}
	text := make([]byte, len(long))
	if _, err := io.ReadFull(reader, text); err != nil || string(text) != long {
		t.Errorf("%q (%v)", text, err)
	}
	for _, want := range []string{"", "end"} {
		if line, err := reader.ReadString('\n'); err != nil || line != want+"\n" {
			t.Errorf("%q (%v), want %q", line, err, want)
		}
	}
	// What is read next takes the place of the line before, and the rest of that goes.
	go func() { // likewise
		for _, line := range []string{"a line that is rather long\n", "ok\n"} {
			_, _ = far.Write([]byte(line))
		}
	}()
	for _, want := range []string{"a line that is rather long\n", "ok\n"} {
		if line, err := reader.ReadString('\n'); err != nil || line != want {
			t.Errorf("%q (%v), want %q", line, err, want)
		}
	}
	buffer := s.seen
	for _, forgotten := range []string{said, "half", "long", "rather"} {
		if bytes.Contains(buffer[:cap(buffer)], []byte(forgotten)) {
			t.Errorf("%q is still in the buffer: %q", forgotten, buffer[:cap(buffer)])
		}
	}
}
