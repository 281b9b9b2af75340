package e2e_test

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
)

const (
	xcaddyVersion = "v0.4.5"
	caddyVersion  = "v2.11.9"
	buildTime     = 15 * time.Minute // for those whose build cache is cold
)

// findXcaddy returns a path of xcaddy, which is installed if it is not there.
func findXcaddy(t *testing.T) string {
	t.Helper()
	bin := filepath.Join(repository(), "bin")
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

// xcaddyBinary is what buildWithXcaddy has built.
var xcaddyBinary struct {
	sync.Once
	path string // empty if that has failed
}

// buildWithXcaddy builds Caddy with the local checkout, as the README says, and
// with a handler of events beside. It does so once for all tests.
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
	binary := filepath.Join(filepath.Dir(caddyBinary), "caddy-by-xcaddy") // which lives as long as the tests
	build := exec.CommandContext(ctx, xcaddy, "build", caddyVersion,
		"--with", "github.com/ephemeralchat/caddy-ephemeral-chat@v0.0.0=.",
		"--with", "github.com/ephemeralchat/caddy-ephemeral-chat/e2e/recorder@v0.0.0=./e2e/testdata/recorder",
		"--output", binary)
	build.Dir = repository()
	// As the other binary was built, so that what was compiled for that is not
	// compiled again.
	build.Env = append(os.Environ(), "XCADDY_RACE_DETECTOR=1", "XCADDY_GO_BUILD_FLAGS=-buildvcs=false")
	start := time.Now()
	if output, err := build.CombinedOutput(); err != nil {
		t.Fatalf("xcaddy: %v\n%s", err, output)
	}
	t.Logf("xcaddy takes %s", time.Since(start).Round(time.Second))
	return binary
}

// TestXcaddy lets people chat over a Caddy that xcaddy has built.
func TestXcaddy(t *testing.T) {
	binary := buildWithXcaddy(t)
	ctx, cancel := context.WithTimeout(t.Context(), startTime)
	defer cancel()
	modules, err := exec.CommandContext(ctx, binary, "list-modules").CombinedOutput()
	if err != nil {
		t.Fatalf("list-modules: %v\n%s", err, modules)
	}
	for _, module := range []string{"http.handlers.ephemeral_chat", "http.handlers.ephemeral_chat.stores.memory", "http.handlers.ephemeral_chat.stores.redis"} {
		if !slices.Contains(strings.Fields(string(modules)), module) {
			t.Errorf("no module %s among\n%s", module, modules)
		}
	}
	listen := freeAddress(t)
	startNodeIn(t, binary, t.TempDir(), "", fmt.Sprintf("http://%s {\n\tephemeral_chat /chat/*\n}", listen), listen)
	twoChat(t, "http://"+listen+"/chat")
}

// twoChat lets two clients talk.
func twoChat(t *testing.T, base string) {
	t.Helper()
	a := newAPI(t, base)
	anna := a.create(t, 60)
	ben := a.join(t, anna.RoomID, "ben")
	annas, _ := enter(t, base, &anna)
	bens, _ := enter(t, base, &ben)
	annas.say(t, "hello Ben")
	bens.awaitText(t, "hello Ben")
	bens.say(t, "hello Anna")
	if f := annas.awaitText(t, "hello Anna"); f.Seq != 2 || f.UserID != "ben" {
		t.Errorf("message: %+v", f)
	}
}

// TestExample runs Caddyfile.example as it is.
func TestExample(t *testing.T) {
	const address = "localhost:8080"
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", address)
	if err != nil {
		t.Fatalf("Caddyfile.example listens on port 8080, which something else on this machine does as well: %v", err)
	}
	_ = listener.Close()
	admin, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "localhost:2019")
	if err != nil {
		t.Fatalf("Caddy's admin endpoint listens on port 2019, which something else on this machine does as well: %v", err)
	}
	_ = admin.Close()

	n := &node{dir: t.TempDir(), admin: "localhost:2019"}
	cmd := exec.Command(caddyBinary, "run", "--config", "Caddyfile.example")
	cmd.Dir, cmd.Env = repository(), n.environment()
	n.process = startProcess(t, "caddy", cmd)
	t.Cleanup(func() { n.finish(t) })
	n.awaitListening(t, address)
	twoChat(t, "http://"+address)
}
