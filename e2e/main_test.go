package e2e_test

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"go.uber.org/goleak"
)

// caddyBinary is the program under test, with the race detector.
var caddyBinary string

// parallel is how many of the tests that mostly wait run at the same time.
const parallel = "6"

func TestMain(m *testing.M) {
	os.Exit(run(m))
}

func run(m *testing.M) int {
	if err := flag.Set("test.parallel", parallel); err != nil {
		return fail(err)
	}
	dir, err := os.MkdirTemp("", "ephemeral-chat-e2e-")
	if err != nil {
		return fail(err)
	}
	defer func() { _ = os.RemoveAll(dir) }()

	caddyBinary = filepath.Join(dir, "caddy")
	build := exec.Command("go", "build", "-race", "-buildvcs=false", "-o", caddyBinary, "./cmd/caddy")
	build.Dir = repository()
	if output, err := build.CombinedOutput(); err != nil {
		return fail(fmt.Errorf("building Caddy: %w\n%s", err, output))
	}
	code := m.Run()
	stopChromium()
	if err := goleak.Find(); err != nil && code == 0 {
		return fail(err)
	}
	return code
}

func fail(err error) int {
	fmt.Fprintln(os.Stderr, "e2e:", err)
	return 1
}

// repository is the directory of the module that is tested.
func repository() string {
	dir, err := filepath.Abs("..")
	if err != nil {
		panic(err)
	}
	return dir
}
