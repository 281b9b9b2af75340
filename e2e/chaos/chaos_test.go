package chaos_test

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/ephemeralchat/caddy-ephemeral-chat/e2e/chaos"
)

var (
	seed   = flag.Uint64("seed", 0, "of the faults; 0 takes one at random")
	length = flag.Duration("length", 20*time.Second, "how long faults are injected into each topology")
)

// caddyBinary is the program under test, with the race detector.
var caddyBinary string

func TestMain(m *testing.M) {
	flag.Parse()
	os.Exit(run(m))
}

func run(m *testing.M) int {
	dir, err := os.MkdirTemp("", "ephemeral-chat-lab-")
	if err != nil {
		return fail(err)
	}
	defer func() { _ = os.RemoveAll(dir) }()
	caddyBinary = filepath.Join(dir, "caddy")
	if err := build(caddyBinary, "-race"); err != nil {
		return fail(err)
	}
	code := m.Run()
	if err := goleak.Find(); err != nil && code == 0 {
		return fail(err)
	}
	return code
}

func fail(err error) int {
	fmt.Fprintln(os.Stderr, "lab:", err)
	return 1
}

// build builds Caddy with the module of this checkout.
func build(binary string, flags ...string) error {
	cmd := exec.Command("go", append(append([]string{"build", "-buildvcs=false", "-o", binary}, flags...), "./cmd/caddy")...)
	cmd.Dir = repository()
	if output, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("building Caddy: %w\n%s", err, output)
	}
	return nil
}

// repository is the directory of the module that is tested.
func repository() string {
	dir, err := filepath.Abs("../..")
	if err != nil {
		panic(err)
	}
	return dir
}

// options are those of a run that a test waits for.
func options(t *testing.T, topology string) chaos.Options {
	t.Helper()
	o := chaos.Options{
		Caddy: caddyBinary, Topology: topology, Seed: *seed, Duration: *length,
		Round: 20 * time.Second, Rooms: 18, Members: 6,
		Tolerance: 2 * time.Second, // the race detector makes everything slow
		Dir:       t.TempDir(), Log: t.Output(),
	}
	if o.Seed == 0 {
		o.Seed = rand.Uint64()
	}
	return o
}

// TestFaults is a short run over each topology.
func TestFaults(t *testing.T) {
	for _, topology := range chaos.Topologies {
		t.Run(topology, func(t *testing.T) {
			report, err := chaos.Run(t.Context(), options(t, topology))
			if err != nil {
				t.Fatal(err)
			}
			report.Write(t.Output())
			for _, v := range report.Violations {
				t.Errorf("%s: %s", v.Kind, v.What)
			}
			if report.FaultCount() < 5 || report.Counts["messages"] < 100 {
				t.Errorf("little has happened: %d faults, %d messages", report.FaultCount(), report.Counts["messages"])
			}
		})
	}
}
