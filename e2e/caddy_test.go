package e2e_test

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

const (
	startTime = 30 * time.Second // in which a Caddy must be up, on a busy machine
	stopTime  = 10 * time.Second // in which it must be down
)

// node is a Caddy process.
type node struct {
	*process
	binary string   // what startNodeIn was given
	dir    string   // its configuration, data and logs
	admin  string   // address of its admin endpoint
	extra  []string // of its environment
}

// startNode runs Caddy with a Caddyfile, and waits until the addresses are
// listened on. The global options of the Caddyfile are the harness's, to which
// those given are added.
func startNode(t *testing.T, options, sites string, addresses ...string) *node {
	t.Helper()
	return startNodeIn(t, caddyBinary, t.TempDir(), options, sites, addresses...)
}

// startNodeIn does the same with a binary, in a directory.
func startNodeIn(t *testing.T, binary, dir, options, sites string, addresses ...string) *node {
	t.Helper()
	n := &node{binary: binary, dir: dir, admin: freeAddress(t)}
	n.start(t, options, sites, addresses...)
	return n
}

// start does it with a node that has no process yet.
func (n *node) start(t *testing.T, options, sites string, addresses ...string) {
	t.Helper()
	n.write(t, options, sites)
	cmd := exec.Command(n.binary, "run", "--config", n.config(), "--adapter", "caddyfile")
	cmd.Dir, cmd.Env = n.dir, n.environment()
	n.process = startProcess(t, "caddy", cmd)
	t.Cleanup(func() { n.finish(t) })
	n.awaitListening(t, addresses...)
}

func (n *node) awaitListening(t *testing.T, addresses ...string) {
	t.Helper()
	for _, address := range append([]string{n.admin}, addresses...) {
		up := poll(startTime, func() bool { return n.ended() || listening(t.Context(), address) })
		if !up || n.ended() {
			t.Fatalf("Caddy does not listen on %s:\n%s", address, n.log(t))
		}
	}
}

func listening(ctx context.Context, address string) bool {
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", address)
	if err != nil {
		return false
	}
	_ = conn.Close()
	return true
}

func (n *node) config() string { return filepath.Join(n.dir, "Caddyfile") }

// environment keeps what Caddy stores within the directory of the node, and
// spares it the second for which the race detector waits at the end.
func (n *node) environment() []string {
	return append(append(os.Environ(),
		"GORACE=atexit_sleep_ms=0",
		"HOME="+n.dir,
		"XDG_CONFIG_HOME="+filepath.Join(n.dir, "config"),
		"XDG_DATA_HOME="+filepath.Join(n.dir, "data")), n.extra...)
}

// write writes the Caddyfile.
func (n *node) write(t *testing.T, options, sites string) {
	t.Helper()
	text := fmt.Sprintf("{\n\tadmin %s\n\tpersist_config off\n\tdefault_bind 127.0.0.1\n\tskip_install_trust\n%s\n}\n%s\n", n.admin, options, sites)
	if err := os.WriteFile(n.config(), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// reload runs caddy reload with what write has written.
func (n *node) reload(t *testing.T) (output string, err error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), startTime)
	defer cancel()
	cmd := exec.CommandContext(ctx, n.binary, "reload", "--force",
		"--config", n.config(), "--adapter", "caddyfile", "--address", n.admin)
	cmd.Dir, cmd.Env = n.dir, n.environment()
	text, err := cmd.CombinedOutput()
	return string(text), err
}

// finish stops the process and looks at what it leaves behind.
func (n *node) finish(t *testing.T) {
	t.Helper()
	n.stop(t, stopTime)
	if n.err != nil {
		t.Errorf("Caddy ended badly: %v", n.err)
	}
	text := n.log(t)
	expectClean(t, text)
	if t.Failed() {
		t.Logf("the last that Caddy wrote:\n%s", text[max(0, len(text)-4000):])
	}
}

// expectClean fails the test if a Caddy has written of a data race or a panic.
func expectClean(t *testing.T, text string) {
	t.Helper()
	for _, sign := range []string{"DATA RACE", "panic:", "panic serving", "fatal error:", "goroutine 1 ["} {
		if at := strings.Index(text, sign); at >= 0 {
			t.Errorf("Caddy has written %q:\n%s", sign, text[at:min(len(text), at+6000)])
			return
		}
	}
}

// errorLine matches what Caddy logs of its own failures, in both of its formats.
var errorLine = regexp.MustCompile(`(?m)^.*("level":"error"|\tERROR\t|"level":"panic"|"level":"fatal").*$`)

// errorsLogged returns the lines of the log that are errors.
func (n *node) errorsLogged(t *testing.T) []string {
	t.Helper()
	return errorLine.FindAllString(n.log(t), -1)
}

// memory returns the resident memory of the process, in bytes.
func (n *node) memory(t *testing.T) int {
	t.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", n.cmd.Process.Pid))
	if err != nil {
		t.Fatal(err)
	}
	var kilobytes int
	for line := range strings.Lines(string(status)) {
		if value, ok := strings.CutPrefix(line, "VmRSS:"); ok {
			if _, err := fmt.Sscan(value, &kilobytes); err != nil {
				t.Fatal(err)
			}
		}
	}
	return kilobytes << 10
}

// goroutines returns how many goroutines the process has.
func (n *node) goroutines(t *testing.T) int {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+n.admin+"/debug/pprof/goroutine?debug=1", http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	response, err := client.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	var count int
	if _, err := fmt.Fscanf(response.Body, "goroutine profile: total %d", &count); err != nil {
		t.Fatal(err)
	}
	return count
}

// doomedNode is the command of a Caddy that is to be killed.
func doomedNode(t *testing.T, listen, redisAddress string) *exec.Cmd {
	t.Helper()
	n := &node{dir: t.TempDir(), admin: freeAddress(t)}
	n.write(t, "", fmt.Sprintf("http://%s {\nephemeral_chat {\nredis %s\n%s\n}\n}", listen, redisAddress, unlimited))
	cmd := exec.Command(caddyBinary, "run", "--config", n.config(), "--adapter", "caddyfile")
	cmd.Dir, cmd.Env = n.dir, n.environment()
	return cmd
}
