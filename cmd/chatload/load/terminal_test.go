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

// orders are what a terminal would obey: clear the screen, set the title, and the
// same in the other forms that there are; a line that looks like one of the tool's;
// and text turned around.
const orders = "\x1b[2J\x1b]0;owned\a\u009b31m\x7f\u202e"

// TestTerminal is of a server that would like to talk to the terminal of who tests it.
func TestTerminal(t *testing.T) {
	t.Parallel()
	body, err := json.Marshal(map[string]string{"code": "no" + orders + "\nchatload: faultless"})
	if err != nil {
		t.Fatal(err)
	}
	for name, answer := range map[string]string{
		"code":        fmt.Sprintf("HTTP/1.1 403 No\r\nContent-Length: %d\r\n\r\n%s", len(body), body),
		"status":      "HTTP/1.1 403 No" + orders + "\r\nContent-Length: 0\r\n\r\n",
		"no protocol": "no" + orders + "\r\n\r\n",
		"header":      "HTTP/1.1 403 No\r\nContent-Length: no" + orders + "\r\n\r\n",
		"elsewhere":   "HTTP/1.1 302 Found\r\nLocation: gopher://no" + orders + "/\r\nContent-Length: 0\r\n\r\n",
		"no JSON":     fmt.Sprintf("HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s", len(orders), orders),
	} {
		var stdout, stderr bytes.Buffer
		status := load.Main("chatload", []string{"-url", answering(t, answer)}, load.EphemeralChat{}, &stdout, &stderr)
		if status != 1 || stdout.Len() > 0 {
			t.Errorf("%s: status %d, %q", name, status, stdout.String())
		}
		harmless(t, name, stderr.String(), 1)
	}

	// Behind the upgrade, in the report.
	for _, flags := range [][]string{nil, {"-json"}} {
		site := &chat{refuse: 1, refuseAs: "no" + orders}
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

// harmless fails the test if a text has more lines than it may, or more to it than
// is seen.
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

// answering starts a server that gives every connection one answer, and returns its
// URL.
func answering(t *testing.T, answer string) string {
	t.Helper()
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	// It ends with the listener, and is waited for.
	go func() {
		defer close(done)
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			_, _ = conn.Read(make([]byte, 4096)) // a request, which is short
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
