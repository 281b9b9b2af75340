package api_test

import (
	"bufio"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/ephemeralchat/caddy-ephemeral-chat/e2e/harness"
)

// TestSlowBody sends the body of a request a byte at a time. The server must close the
// connection after 10 s, the time that a body has, and serve other requests meanwhile.
// A connection whose body arrived in time stays usable.
func TestSlowBody(t *testing.T) {
	t.Parallel()
	s := harness.MemorySite(t, "")
	address := strings.TrimPrefix(s.Base(0), "http://")
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
		_ = response.Body.Close() // it was read to its end
		return response.StatusCode
	}

	const room = `{"roomName":"r"}`
	kept, keptAnswers := harness.RawConn(t, address)
	ask := func() {
		if _, err := io.WriteString(kept, head(len(room))+room); err != nil {
			t.Fatal(err)
		}
		if status := answered(keptAnswers); status != http.StatusOK {
			t.Errorf("answered with %d", status)
		}
	}
	ask()

	slow, slowAnswers := harness.RawConn(t, address)
	begin := time.Now()
	if _, err := io.WriteString(slow, head(60_000)); err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	defer func() { <-done }()
	go func() { // ends when the server closes the connection, or with the test
		defer close(done)
		for {
			if _, err := slow.Write([]byte(" ")); err != nil {
				return
			}
			harness.Pace(t.Context(), 100*time.Millisecond)
		}
	}()
	if err := slow.SetReadDeadline(begin.Add(harness.WaitTime)); err != nil {
		t.Fatal(err)
	}
	if status := answered(slowAnswers); status != http.StatusRequestTimeout {
		t.Errorf("answered with %d", status)
	}
	if took := time.Since(begin); took < 9*time.Second {
		t.Errorf("answered after %s", took)
	}
	if _, err := slowAnswers.ReadByte(); err == nil {
		t.Error("the response is followed by more bytes")
	}
	t.Logf("closed after %s", time.Since(begin).Round(time.Millisecond))
	ask() // over the connection that was idle when the deadline of its first body passed
}
