package build_test

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ephemeralchat/caddy-ephemeral-chat/e2e/harness"
)

const (
	xcaddyVersion = "v0.4.5"
	caddyVersion  = "v2.11.9"
	buildTime     = 15 * time.Minute // with an empty build cache
)

// findXcaddy returns the path of xcaddy, and installs it if necessary.
func findXcaddy(t *testing.T) string {
	t.Helper()
	bin := filepath.Join(harness.Repository(), "bin")
	if path := filepath.Join(bin, "xcaddy"); isFile(path) {
		return path
	}
	if path, err := exec.LookPath("xcaddy"); err == nil {
		return path
	}
	ctx, cancel := context.WithTimeout(t.Context(), buildTime)
	defer cancel()
	install := exec.CommandContext(ctx, "go", "install", "github.com/caddyserver/xcaddy/cmd/xcaddy@"+xcaddyVersion)
	install.Env = append(os.Environ(), "GOBIN="+bin)
	if output, err := install.CombinedOutput(); err != nil {
		t.Fatalf("installing xcaddy: %v\n%s", err, output)
	}
	return filepath.Join(bin, "xcaddy")
}

func isFile(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular()
}

// xcaddyBinary is the result of buildWithXcaddy.
var xcaddyBinary struct {
	sync.Once
	path string // "" if the build has failed
}

// buildWithXcaddy builds Caddy with the local checkout, as in the README, and with a
// handler of events. It builds once for all tests.
func buildWithXcaddy(t *testing.T) string {
	t.Helper()
	xcaddyBinary.Do(func() { xcaddyBinary.path = runXcaddy(t) })
	if xcaddyBinary.path == "" {
		t.Fatal("xcaddy has failed")
	}
	return xcaddyBinary.path
}

func runXcaddy(t *testing.T) string {
	t.Helper()
	xcaddy := findXcaddy(t)
	ctx, cancel := context.WithTimeout(t.Context(), buildTime)
	defer cancel()
	dir, err := harness.BinaryDir()
	if err != nil {
		t.Fatal(err)
	}
	binary := filepath.Join(dir, "caddy-by-xcaddy")
	build := exec.CommandContext(ctx, xcaddy, "build", caddyVersion,
		"--with", "github.com/ephemeralchat/caddy-ephemeral-chat@v0.0.0=.",
		"--with", "github.com/ephemeralchat/caddy-ephemeral-chat/e2e/recorder@v0.0.0=./e2e/build/testdata/recorder",
		"--output", binary)
	build.Dir = harness.Repository()
	// With the flags of harness.CaddyBinary, so that few packages are compiled again.
	build.Env = append(os.Environ(), "XCADDY_GO_BUILD_FLAGS=-buildvcs=false")
	if harness.Race {
		build.Env = append(build.Env, "XCADDY_RACE_DETECTOR=1")
	}
	start := time.Now()
	if output, err := build.CombinedOutput(); err != nil {
		t.Fatalf("xcaddy: %v\n%s", err, output)
	}
	t.Logf("xcaddy takes %s", time.Since(start).Round(time.Second))
	return binary
}

// newXcaddyNode returns a node that runs Caddy as built by xcaddy.
func newXcaddyNode(t *testing.T) *harness.Node {
	t.Helper()
	return &harness.Node{Binary: buildWithXcaddy(t), Dir: t.TempDir(), Admin: harness.FreeAddress(t)}
}

// TestXcaddy builds Caddy with xcaddy, and has two clients chat over it.
func TestXcaddy(t *testing.T) {
	n := newXcaddyNode(t)
	modules, err := n.Command("list-modules").CombinedOutput()
	if err != nil {
		t.Fatalf("list-modules: %v\n%s", err, modules)
	}
	for _, module := range []string{"http.handlers.ephemeral_chat", "http.handlers.ephemeral_chat.stores.memory", "http.handlers.ephemeral_chat.stores.redis"} {
		if !slices.Contains(strings.Fields(string(modules)), module) {
			t.Errorf("no module %s among\n%s", module, modules)
		}
	}
	listen := harness.FreeAddress(t)
	n.Start(t, "", fmt.Sprintf("http://%s {\n\tephemeral_chat /chat/*\n}", listen), listen)
	harness.TwoChat(t, "http://"+listen+"/chat")
}

// TestExample runs Caddyfile.example without changes.
func TestExample(t *testing.T) {
	const address, admin = "localhost:8080", "localhost:2019"
	for _, needed := range []string{address, admin} {
		listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", needed)
		if err != nil {
			t.Fatalf("Caddyfile.example listens on %s, like another program on this machine: %v", needed, err)
		}
		_ = listener.Close()
	}
	n := harness.NewNode(t)
	cmd := n.Command("run", "--config", "Caddyfile.example")
	cmd.Dir = harness.Repository()
	n.Run(t, cmd, address, admin)
	harness.TwoChat(t, "http://"+address)
}
