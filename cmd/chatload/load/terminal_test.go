package load_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net"
	"strings"
	"testing"
	"unicode"

	"github.com/ephemeralchat/caddy-ephemeral-chat/cmd/chatload/load"
)

// controls are characters that a terminal would obey: sequences that clear the screen
// and set the title, the 8-bit form of such a sequence, delete, and text reversal.
const controls = "\x1b[2J\x1b]0;owned\a\u009b31m\x7f\u202e"

// TestTerminal checks that no answer of a server reaches the user's terminal unescaped.
func TestTerminal(t *testing.T) {
	t.Parallel()
	body, err := json.Marshal(map[string]string{"code": "no" + controls + "\nchatload: faultless"})
	if err != nil {
		t.Fatal(err)
	}
	for name, answer := range map[string]string{
		"code":        fmt.Sprintf("HTTP/1.1 403 No\r\nContent-Length: %d\r\n\r\n%s", len(body), body),
		"status":      "HTTP/1.1 403 No" + controls + "\r\nContent-Length: 0\r\n\r\n",
		"no protocol": "no" + controls + "\r\n\r\n",
		"header":      "HTTP/1.1 403 No\r\nContent-Length: no" + controls + "\r\n\r\n",
		"elsewhere":   "HTTP/1.1 302 Found\r\nLocation: gopher://no" + controls + "/\r\nContent-Length: 0\r\n\r\n",
		"no JSON":     fmt.Sprintf("HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s", len(controls), controls),
	} {
		var stdout, stderr bytes.Buffer
		status := load.Main("chatload", []string{"-url", answering(t, answer)}, load.EphemeralChat{}, &stdout, &stderr)
		if status != 1 || stdout.Len() > 0 {
			t.Errorf("%s: status %d, %q", name, status, stdout.String())
		}
		harmless(t, name, stderr.String(), 1)
	}

	// In the report, from a frame.
	for _, flags := range [][]string{nil, {"-json"}} {
		site := &chat{refuse: 1, refuseAs: "no" + controls}
		var stdout, stderr bytes.Buffer
		args := append([]string{"-url", site.start(t), "-members", "2", "-rate", "50", "-warmup", "0s", "-duration", "200ms"}, flags...)
		if status := load.Main("chatload", args, load.EphemeralChat{}, &stdout, &stderr); status != 1 || !strings.Contains(stdout.String(), "u009b31m") {
			t.Errorf("status %d, %s%s", status, stdout.String(), stderr.String())
		}
		harmless(t, "report", stdout.String(), 100)
		if flags != nil && !json.Valid(stdout.Bytes()) {
			t.Errorf("no JSON: %s", stdout.String())
		}
	}
}

// harmless fails the test if a text has too many lines, or characters that are not
// printable.
func harmless(t *testing.T, name, text string, lines int) {
	t.Helper()
	if n := strings.Count(text, "\n"); n < 1 || n > lines {
		t.Errorf("%s: %d lines: %q", name, n, text)
	}
	for _, r := range text {
		if r != '\n' && !unicode.IsPrint(r) {
			t.Errorf("%s: %U in %q", name, r, text)
		}
	}
}

// answering starts a server that sends each connection one answer, and returns its URL.
func answering(t *testing.T, answer string) string {
	t.Helper()
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	// Ends with the listener; the cleanup waits for it.
	go func() {
		defer close(done)
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			_, _ = conn.Read(make([]byte, 4096)) // the request, which is short
			_, _ = conn.Write([]byte(answer))
			_ = conn.Close()
		}
	}()
	t.Cleanup(func() {
		_ = listener.Close()
		<-done
	})
	return "http://" + listener.Addr().String()
}
