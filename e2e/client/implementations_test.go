package client_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/ephemeralchat/caddy-ephemeral-chat/e2e/harness"
)

// nodeClient is a client in Node.js that uses the package ws.
type nodeClient struct {
	command *exec.Cmd
	lines   chan line // closed when it has ended
}

// line is a line that nodeClient prints.
type line struct {
	Opened     *string        `json:"opened"`
	Authorized bool           `json:"authorized"`
	Frame      *harness.Frame `json:"frame"`
	IsBinary   bool           `json:"isBinary"`
	Error      string         `json:"error"`
	Code       int            `json:"code"`
	Reason     string         `json:"reason"`
	at         time.Time      // when it was printed
}

func startNodeClient(t *testing.T, url, root string, m *harness.Member) *nodeClient {
	t.Helper()
	ca, err := os.ReadFile(root)
	if err != nil {
		t.Fatal(err)
	}
	settings, err := json.Marshal(m.Credentials("url", url, "ca", string(ca)))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	c := &nodeClient{command: exec.CommandContext(ctx, "node", "client.mjs"), lines: make(chan line, 1000)}
	c.command.Dir = harness.NodeDir()
	c.command.Stdin, c.command.Stderr = bytes.NewReader(settings), os.Stderr
	output, err := c.command.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.command.Start(); err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	// Ends with the process, which cancel ends.
	go func() {
		defer close(done)
		defer close(c.lines)
		for scanner := bufio.NewScanner(output); scanner.Scan(); {
			printed := line{at: time.Now()}
			if err := json.Unmarshal(scanner.Bytes(), &printed); err != nil {
				printed.Error = err.Error()
			}
			c.lines <- printed
		}
		_ = c.command.Wait() // the test examines the output
	}()
	t.Cleanup(func() {
		cancel()
		<-done
	})
	return c
}

// next returns the next line.
func (c *nodeClient) next(t *testing.T) line {
	t.Helper()
	timer := time.NewTimer(harness.WaitTime)
	defer timer.Stop()
	select {
	case printed, ok := <-c.lines:
		if !ok || printed.Error != "" {
			t.Fatalf("the client has failed: %+v", printed)
		}
		return printed
	case <-timer.C:
		t.Fatal("the client prints nothing")
	}
	return line{}
}

// await returns the next frame of a type.
func (c *nodeClient) await(t *testing.T, kind string) line {
	t.Helper()
	for {
		if printed := c.next(t); printed.Frame != nil && printed.Frame.Type == kind {
			return printed
		}
	}
}

// TestTwoImplementations connects WebSocket clients of Go and Node.js to two nodes with
// Redis, over TLS. They answer each other until the room expires.
func TestTwoImplementations(t *testing.T) {
	harness.InstallNode(t)
	s, trust, roots := harness.TLSSite(t)
	anna := s.API(0).Create(t, 8)
	ben := s.API(1).Join(t, anna.RoomID, "ben")

	if k, _, err := harness.OpenSocket(t.Context(), harness.WebSocketURL(s.Base(0)), nil, nil); err == nil {
		k.Close()
		t.Error("a certificate without trust is accepted")
	}
	k, got, err := harness.OpenSocket(t.Context(), harness.WebSocketURL(s.Base(0)), nil, trust.Clone())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(k.Close)
	if got.Status != http.StatusSwitchingProtocols {
		t.Errorf("status %d", got.Status)
	}
	k.Send(t, anna.Credentials("type", "join"))
	k.Await(t, "welcome")

	other := startNodeClient(t, harness.WebSocketURL(s.Base(1)), roots[1], &ben)
	if opened := other.next(t); opened.Opened == nil || !opened.Authorized {
		t.Errorf("the other client: %+v", opened)
	}
	if welcome := other.await(t, "welcome"); welcome.Frame.OnlineCount != 2 || welcome.IsBinary {
		t.Errorf("the other client: %+v", welcome.Frame)
	}
	if f := k.Await(t, "joined"); f.UserID != "ben" {
		t.Errorf("joined: %+v", f)
	}

	k.Send(t, harness.Fields{"type": "message", "message": "Grüße, 世界 👋 <b>&amp;", "id": 1})
	expires := harness.ParseTime(t, k.Await(t, "started").ExpiresAt)
	if f := other.await(t, "started"); f.Frame.ExpiresAt == "" {
		t.Errorf("started: %+v", f.Frame)
	}
	turns := 0
	var ended harness.Frame
	for ended.Type == "" {
		f := k.AwaitFrame(t, "answer", func(f *harness.Frame) bool { return f.Type == "ended" || f.Type == "message" && f.UserID == "ben" })
		if f.Type == "ended" {
			ended = f
			break
		}
		turns++
		if turns == 1 && f.Message != "you said: Grüße, 世界 👋 <b>&amp;" {
			t.Errorf("answer: %q", f.Message)
		}
		harness.Pace(t.Context(), 20*time.Millisecond)
		if k.Write(harness.Fields{"type": "message", "message": fmt.Sprint("turn ", turns), "id": turns + 1}) != nil {
			continue // the connection ends
		}
	}
	k.AwaitClose(t, 4410)
	received := make(map[uint64]string)
	for _, f := range k.Frames() {
		if f.Type == "message" {
			received[f.Seq] = f.UserID + ": " + f.Message
		}
	}
	messages := 0
	for {
		printed := other.next(t)
		if printed.Frame != nil && printed.Frame.Type == "message" {
			messages++
			f := printed.Frame
			if text, ok := received[f.Seq]; f.Seq != uint64(messages) || ok && text != f.UserID+": "+f.Message {
				t.Errorf("message %d to the other client: %+v; here: %q", messages, f.Entry, text)
			}
		}
		if printed.Frame != nil && printed.Frame.Type == "ended" {
			expectExpired(t, "node 1 to the other client", printed.Frame, printed.at, expires)
		}
		if printed.Code != 0 {
			if printed.Code != 4410 || printed.Reason != "expired" {
				t.Errorf("the other client is closed with %d %q", printed.Code, printed.Reason)
			}
			break
		}
	}
	expectExpired(t, "node 0", &ended, ended.At, expires)
	if turns < 20 {
		t.Errorf("only %d turns", turns)
	}
	t.Logf("%d turns, %d messages", turns, messages)
	for i := range 2 {
		harness.ExpectNoRoom(t, s.API(i), &anna)
	}
	s.ExpectNoKeys(t, anna.RoomID)
	s.ExpectNoErrors(t)
}

func expectExpired(t *testing.T, what string, f *harness.Frame, at, expires time.Time) {
	t.Helper()
	late := at.Sub(expires)
	t.Logf("%s: ended comes %s after the deadline", what, late.Round(time.Millisecond))
	if f.Reason != "expired" || late < 0 || late > harness.EndTime {
		t.Errorf("%s: %+v, %s after the deadline", what, f, late)
	}
}

// TestLockFile checks that npm installs packages by name and checksum, from the registry
// that is configured on the machine.
func TestLockFile(t *testing.T) {
	text, err := os.ReadFile(filepath.Join(harness.NodeDir(), "package-lock.json"))
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(text), "://") {
		t.Error("the lock file names a host")
	}
	if !strings.Contains(string(text), `"integrity": "sha512-`) {
		t.Error("the lock file has no checksums")
	}
}
