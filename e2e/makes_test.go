package e2e_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// tlsSite starts two nodes with one Redis, each with a certificate of its own
// authority, and returns what to trust.
func tlsSite(t *testing.T, server *redisServer) (*site, *tls.Config, []string) {
	t.Helper()
	s := &site{redis: server}
	trust := x509.NewCertPool()
	var roots []string
	for range 2 {
		address := freeAddress(t)
		port := portOf(t, address)
		n := startNode(t,
			fmt.Sprintf("\thttps_port %s\n\tauto_https disable_redirects", port),
			fmt.Sprintf("https://localhost:%s {\n\ttls internal\n\tephemeral_chat /chat/* {\n\t\tredis %s\n%s\n}\n}", port, server.address, unlimited),
			address)
		file := filepath.Join(n.dir, "data", "caddy", "pki", "authorities", "local", "root.crt")
		until(t, startTime, "the root certificate is there", func() bool {
			_, err := os.Stat(file)
			return err == nil
		})
		root, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if !trust.AppendCertsFromPEM(root) {
			t.Fatalf("no certificate in %s", root)
		}
		roots = append(roots, string(root))
		s.add(t, n, "https://localhost:"+port+"/chat")
	}
	config := &tls.Config{RootCAs: trust}
	for _, a := range s.apis {
		transport := &http.Transport{TLSClientConfig: config.Clone(), ForceAttemptHTTP2: true}
		t.Cleanup(transport.CloseIdleConnections)
		a.client.Transport = transport
		until(t, startTime, "the site has its certificate", func() bool {
			request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, a.base+"/", http.NoBody)
			if err != nil {
				t.Fatal(err)
			}
			got, err := a.send(request)
			return err == nil && got.status == http.StatusOK
		})
	}
	return s, config, roots
}

// nodeClient is a client of the ws package.
type nodeClient struct {
	command *exec.Cmd
	lines   chan line // closed when it has ended
}

// line is what it prints.
type line struct {
	Opened     *string `json:"opened"`
	Authorized bool    `json:"authorized"`
	Frame      *frame  `json:"frame"`
	IsBinary   bool    `json:"isBinary"`
	Error      string  `json:"error"`
	Code       int     `json:"code"`
	Reason     string  `json:"reason"`
	at         time.Time
}

// installNode installs the packages of the scripts, from the lock file.
func installNode(t *testing.T) {
	t.Helper()
	if err := nodeInstalled(); err != nil {
		t.Fatal(err)
	}
}

var nodeInstalled = sync.OnceValue(func() error {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	install := exec.CommandContext(ctx, "npm", "ci", "--no-audit", "--no-fund", "--prefer-offline")
	install.Dir = filepath.Join(repository(), "e2e", "node")
	if output, err := install.CombinedOutput(); err != nil {
		return fmt.Errorf("npm ci (which needs Node.js and npm): %w\n%s", err, output)
	}
	return nil
})

func startNodeClient(t *testing.T, url, root string, m *member) *nodeClient {
	t.Helper()
	settings, err := json.Marshal(m.credentials("url", url, "ca", root))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	c := &nodeClient{command: exec.CommandContext(ctx, "node", "client.mjs"), lines: make(chan line, 1000)}
	c.command.Dir = filepath.Join(repository(), "e2e", "node")
	c.command.Stdin, c.command.Stderr = bytes.NewReader(settings), os.Stderr
	output, err := c.command.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.command.Start(); err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	// It ends with the process, which cancel ends.
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
		_ = c.command.Wait() // what matters, it has printed
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
	select {
	case printed, ok := <-c.lines:
		if !ok || printed.Error != "" {
			t.Fatalf("the client has failed: %+v", printed)
		}
		return printed
	case <-time.After(waitTime):
		t.Fatal("the client is silent")
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

// TestTwoMakes is the main job on real input: two nodes with Redis, TLS, and two
// clients of different make that talk until the room expires.
func TestTwoMakes(t *testing.T) {
	installNode(t)
	s, trust, roots := tlsSite(t, startRedis(t))
	anna := s.api(0).create(t, 8)
	var ben member
	s.api(1).succeed(t, "/joinRoom", fields{"roomId": anna.RoomID, "username": "ben"}).decode(t, &ben)

	if k, _, err := openSocket(t.Context(), wsURL(s.base(0)), nil, nil); err == nil {
		k.close()
		t.Error("a certificate that nobody trusts is accepted")
	}
	k, got, err := openSocket(t.Context(), wsURL(s.base(0)), nil, trust.Clone())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(k.close)
	if got.status != http.StatusSwitchingProtocols {
		t.Errorf("status %d", got.status)
	}
	k.send(t, anna.credentials("type", "join"))
	k.await(t, "welcome")

	other := startNodeClient(t, wsURL(s.base(1)), roots[1], &ben)
	if opened := other.next(t); opened.Opened == nil || !opened.Authorized {
		t.Errorf("the other client: %+v", opened)
	}
	if welcome := other.await(t, "welcome"); welcome.Frame.OnlineCount != 2 || welcome.IsBinary {
		t.Errorf("the other client: %+v", welcome.Frame)
	}
	if f := k.await(t, "joined"); f.UserID != "ben" {
		t.Errorf("joined: %+v", f)
	}

	k.send(t, fields{"type": "message", "message": "Grüße, 世界 👋 <b>&amp;", "id": 1})
	expires := parseTime(t, k.await(t, "started").ExpiresAt)
	if f := other.await(t, "started"); f.Frame.ExpiresAt == "" {
		t.Errorf("started: %+v", f.Frame)
	}
	// They answer each other until the room is gone.
	turns := 0
	var ended frame
	for ended.Type == "" {
		f := k.awaitThat(t, "answer", func(f *frame) bool { return f.Type == "ended" || f.Type == "message" && f.UserID == "ben" })
		if f.Type == "ended" {
			ended = f
			break
		}
		turns++
		if turns == 1 && f.Message != "you said: Grüße, 世界 👋 <b>&amp;" {
			t.Errorf("answer: %q", f.Message)
		}
		pause(t.Context(), 20*time.Millisecond)
		if k.write(fields{"type": "message", "message": fmt.Sprint("turn ", turns), "id": turns + 1}) != nil {
			continue // the end is about to be read
		}
	}
	k.awaitClose(t, 4410)
	heard := make(map[uint64]string)
	for _, f := range k.all() {
		if f.Type == "message" {
			heard[f.Seq] = f.UserID + ": " + f.Message
		}
	}
	messages := 0
	for {
		printed := other.next(t)
		if printed.Frame != nil && printed.Frame.Type == "message" {
			messages++
			f := printed.Frame
			if text, ok := heard[f.Seq]; f.Seq != uint64(messages) || ok && text != f.UserID+": "+f.Message {
				t.Errorf("message %d to the other client: %+v; here: %q", messages, f.entry, text)
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
	expectExpired(t, "node 0", &ended, ended.at, expires)
	if turns < 20 {
		t.Errorf("only %d turns", turns)
	}
	t.Logf("%d turns, %d messages", turns, messages)
	for i := range 2 {
		expectNowhere(t, s.api(i), &anna)
	}
	if left := s.redis.deadlines(t, anna.RoomID); len(left) > 0 {
		t.Errorf("left: %v", left)
	}
	s.noErrors(t)
}

func expectExpired(t *testing.T, who string, f *frame, at, expires time.Time) {
	t.Helper()
	late := at.Sub(expires)
	t.Logf("%s: ended comes %s after the deadline", who, late.Round(time.Millisecond))
	if f.Reason != "expired" || late < 0 || late > endTime {
		t.Errorf("%s: %+v, %s after the deadline", who, f, late)
	}
}

// TestLockFile is of what the client is installed from: by name and checksum,
// from whatever registry npm is set up with.
func TestLockFile(t *testing.T) {
	text, err := os.ReadFile(filepath.Join("node", "package-lock.json"))
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
