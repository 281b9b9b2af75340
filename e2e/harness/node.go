package harness

import (
	"bytes"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ephemeralchat/caddy-ephemeral-chat/redisstore/redistest/process"
)

// Node is a Caddy process. Its binary, environment and addresses may be changed
// before it is started.
type Node struct {
	*process.Process
	Binary string
	Dir    string   // holds its configuration, data and logs
	Admin  string   // address of its admin endpoint
	Env    []string // more environment variables

	addresses []string // on which it listens
	ending    sync.Once
}

// NewNode returns a node that has not been started.
func NewNode(t *testing.T) *Node {
	t.Helper()
	return &Node{Binary: CaddyBinary(t), Dir: t.TempDir(), Admin: FreeAddress(t)}
}

// StartNode runs Caddy with a Caddyfile, and waits until it listens on the addresses.
// The options are added to the global options.
func StartNode(t *testing.T, options, sites string, addresses ...string) *Node {
	t.Helper()
	n := NewNode(t)
	n.Start(t, options, sites, addresses...)
	return n
}

// Start starts a node that has no process.
func (n *Node) Start(t *testing.T, options, sites string, addresses ...string) {
	t.Helper()
	n.Write(t, options, sites)
	n.addresses = append(addresses, n.Admin)
	n.Run(t, n.Command("run", "--config", n.Config(), "--adapter", "caddyfile"), n.addresses...)
}

// Restart starts a node that has ended again, with the Caddyfile in Dir, and returns it.
func (n *Node) Restart(t *testing.T) *Node {
	t.Helper()
	next := &Node{Binary: n.Binary, Dir: n.Dir, Admin: n.Admin, Env: n.Env, addresses: n.addresses}
	next.Run(t, next.Command("run", "--config", n.Config(), "--adapter", "caddyfile"), n.addresses...)
	return next
}

// Run starts a command as the process of the node, and waits until it listens on the
// addresses. At the end of the test it stops the process and examines its log.
func (n *Node) Run(t *testing.T, cmd *exec.Cmd, addresses ...string) {
	t.Helper()
	var err error
	if n.Process, err = process.Start(cmd, filepath.Join(t.TempDir(), "caddy.log")); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		n.Stop(t)
		text := n.Log()
		ExpectClean(t, text)
		if t.Failed() {
			t.Logf("the end of Caddy's log:\n%s", text[max(0, len(text)-4000):])
		}
	})
	for _, address := range addresses {
		up := Poll(StartTime, func() bool { return n.Ended() || Listening(t.Context(), address) })
		if !up || n.Ended() {
			t.Fatalf("Caddy does not listen on %s:\n%s", address, n.Log())
		}
	}
}

// Command returns a command of Caddy in the node's environment. Caddy's data is kept
// in Dir, and the race detector spared the second that it waits at the end.
func (n *Node) Command(args ...string) *exec.Cmd {
	cmd := exec.Command(n.Binary, args...)
	cmd.Dir = n.Dir
	cmd.Env = append(append(os.Environ(),
		"GORACE=atexit_sleep_ms=0",
		"HOME="+n.Dir,
		"XDG_CONFIG_HOME="+filepath.Join(n.Dir, "config"),
		"XDG_DATA_HOME="+filepath.Join(n.Dir, "data")), n.Env...)
	return cmd
}

// Config returns the path of the Caddyfile.
func (n *Node) Config() string { return filepath.Join(n.Dir, "Caddyfile") }

// Write writes the Caddyfile.
func (n *Node) Write(t *testing.T, options, sites string) {
	t.Helper()
	text := fmt.Sprintf("{\n\tadmin %s\n\tpersist_config off\n\tdefault_bind 127.0.0.1\n\tskip_install_trust\n%s\n}\n%s\n", n.Admin, options, sites)
	if err := os.WriteFile(n.Config(), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// Validate runs caddy validate on the Caddyfile.
func (n *Node) Validate(t *testing.T) (output string, err error) {
	t.Helper()
	text, err := n.Command("validate", "--config", n.Config(), "--adapter", "caddyfile").CombinedOutput()
	ExpectClean(t, string(text))
	return string(text), err
}

// Reload runs caddy reload on the Caddyfile.
func (n *Node) Reload(t *testing.T) (output string, err error) {
	t.Helper()
	text, err := n.Command("reload", "--force", "--config", n.Config(), "--adapter", "caddyfile", "--address", n.Admin).CombinedOutput()
	return string(text), err
}

// Load sends the Caddyfile to the admin endpoint, which takes less time than Reload,
// and returns the response.
func (n *Node) Load(t *testing.T) *Response {
	t.Helper()
	text, err := os.ReadFile(n.Config())
	if err != nil {
		t.Fatal(err)
	}
	header := http.Header{"Content-Type": {"text/caddyfile"}, "Cache-Control": {"must-revalidate"}}
	return NewAPI(t, "http://"+n.Admin).Do(t, http.MethodPost, "/load", header, bytes.NewReader(text))
}

// Stop ends the process by SIGTERM, fails the test if its status is not 0, and returns
// the time that it took. It does nothing if the process was stopped or killed before.
func (n *Node) Stop(t *testing.T) time.Duration {
	t.Helper()
	start := time.Now()
	n.ending.Do(func() {
		if err := n.Process.Stop(StopTime); err != nil {
			t.Errorf("stopping Caddy: %v", err)
		}
	})
	return time.Since(start)
}

// Kill ends the process by SIGKILL, as a crash of its machine does.
func (n *Node) Kill(t *testing.T) {
	t.Helper()
	n.ending.Do(func() {
		if err := n.Process.Kill(); err != nil {
			t.Error(err)
		}
	})
}

// ExpectClean fails the test if the log of Caddy has a data race or a panic.
func ExpectClean(t *testing.T, text string) {
	t.Helper()
	if crash := Crash(text); crash != "" {
		t.Errorf("Caddy has logged:\n%s", crash)
	}
}

// Crash returns the part of a log of Caddy that begins with a data race or a panic;
// "" if it has none.
func Crash(text string) string {
	for _, sign := range []string{"DATA RACE", "panic:", "panic serving", "fatal error:", "goroutine 1 ["} {
		if at := strings.Index(text, sign); at >= 0 {
			return text[at:min(len(text), at+6000)]
		}
	}
	return ""
}

// errorLine matches errors in both of Caddy's log formats.
var errorLine = regexp.MustCompile(`(?m)^.*("level":"error"|\tERROR\t|"level":"panic"|"level":"fatal").*$`)

// LoggedErrors returns the lines of the log that are errors.
func (n *Node) LoggedErrors() []string { return errorLine.FindAllString(n.Log(), -1) }

// AdminGet returns the body of the admin endpoint's response to a GET request.
func (n *Node) AdminGet(t *testing.T, path string) []byte {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+n.Admin+path, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	response, err := client.Do(request) //nolint:bodyclose // ReadResponse closes it
	if err != nil {
		t.Fatal(err)
	}
	r, err := ReadResponse(response)
	if err != nil || r.Status != http.StatusOK {
		t.Fatalf("%s: %d %s, %v", path, r.Status, r.Body, err)
	}
	return r.Body
}

// Goroutines returns the number of goroutines of the process.
func (n *Node) Goroutines(t *testing.T) (count int) {
	t.Helper()
	if _, err := fmt.Sscanf(string(n.AdminGet(t, "/debug/pprof/goroutine?debug=1")), "goroutine profile: total %d", &count); err != nil {
		t.Fatal(err)
	}
	return count
}

// Memory returns the resident memory of the process in bytes.
func (n *Node) Memory(t *testing.T) int {
	t.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", n.PID()))
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(status), "VmRSS:")
	var kilobytes int
	if _, err := fmt.Sscan(rest, &kilobytes); err != nil {
		t.Fatal(err)
	}
	return kilobytes << 10
}

// Metrics returns the metrics of the chat by name and labels.
func (n *Node) Metrics(t *testing.T) map[string]float64 {
	t.Helper()
	all := make(map[string]float64)
	for line := range strings.Lines(string(n.AdminGet(t, "/metrics"))) {
		sample, ok := strings.CutPrefix(strings.TrimSpace(line), "caddy_ephemeral_chat_")
		if !ok {
			continue
		}
		at := strings.LastIndexByte(sample, ' ')
		value, err := strconv.ParseFloat(sample[at+1:], 64)
		if err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		all[sample[:at]] = value
	}
	return all
}
