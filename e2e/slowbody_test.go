package e2e_test

import (
	"bufio"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"
)

// TestSlowBody sends the body of a request a byte at a time. It must not hold a
// connection for longer than the 10 s that it has to come, and others must be served
// meanwhile; a connection over which a body has come in time is good for more.
func TestSlowBody(t *testing.T) {
	t.Parallel()
	s := memorySite(t, "")
	address := strings.TrimPrefix(s.base(0), "http://")
	head := func(length int) string {
		return fmt.Sprintf("POST /createRoom HTTP/1.1\r\nHost: %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n",
			address, length)
	}
	answered := func(answers *bufio.Reader) int {
		response, err := http.ReadResponse(answers, nil)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.Copy(io.Discard, response.Body); err != nil {
			t.Fatal(err)
		}
		_ = response.Body.Close() // it has been read
		return response.StatusCode
	}

	const room = `{"roomName":"r"}`
	kept, keptAnswers := rawConn(t, address)
	ask := func() {
		if _, err := io.WriteString(kept, head(len(room))+room); err != nil {
			t.Fatal(err)
		}
		if status := answered(keptAnswers); status != http.StatusOK {
			t.Errorf("answered with %d", status)
		}
	}
	ask()

	slow, slowAnswers := rawConn(t, address)
	begin := time.Now()
	if _, err := io.WriteString(slow, head(60_000)); err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	defer func() { <-done }()
	go func() { // it ends when the server closes the connection, or the test does
		defer close(done)
		for {
			if _, err := slow.Write([]byte(" ")); err != nil {
				return
			}
			pause(t.Context(), 100*time.Millisecond)
		}
	}()
	if err := slow.SetReadDeadline(begin.Add(waitTime)); err != nil {
		t.Fatal(err)
	}
	if status := answered(slowAnswers); status != http.StatusRequestTimeout {
		t.Errorf("answered with %d", status)
	}
	if took := time.Since(begin); took < 9*time.Second {
		t.Errorf("answered after %s", took)
	}
	if _, err := slowAnswers.ReadByte(); err == nil {
		t.Error("something follows the refusal")
	}
	t.Logf("closed after %s", time.Since(begin).Round(time.Millisecond))
	ask() // over the connection that has been idle since before the deadline of its first body
}
