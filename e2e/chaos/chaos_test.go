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
	seed   = flag.Uint64("seed", 0, "of the faults; 0 chooses one at random")
	length = flag.Duration("length", 20*time.Second, "how long faults are injected into each topology")
)

// caddyBinary is the program under test, with the race detector.
var caddyBinary string

func TestMain(m *testing.M) {
	flag.Parse()
	os.Exit(run(m))
}

func run(m *testing.M) int {
	dir, err := os.MkdirTemp("", "ephemeral-chat-chaos-")
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
	fmt.Fprintln(os.Stderr, "chaos:", err)
	return 1
}

// build builds Caddy with the module under test.
func build(binary string, flags ...string) error {
	cmd := exec.Command("go", append(append([]string{"build", "-buildvcs=false", "-o", binary}, flags...), "./cmd/caddy")...)
	cmd.Dir = repository()
	if output, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("building Caddy: %w\n%s", err, output)
	}
	return nil
}

// repository returns the directory of the module under test.
func repository() string {
	dir, err := filepath.Abs("../..")
	if err != nil {
		panic(err)
	}
	return dir
}

// options returns those of an experiment in a test.
func options(t *testing.T, topology string) chaos.Options {
	t.Helper()
	o := chaos.DefaultOptions()
	o.Caddy, o.Topology, o.Seed, o.Duration = caddyBinary, topology, *seed, *length
	o.Round, o.Rooms, o.Members = 20*time.Second, 18, 6
	o.Tolerance = 2 * time.Second // the race detector slows all down
	o.Dir, o.Log = t.TempDir(), t.Output()
	if o.Seed == 0 {
		o.Seed = rand.Uint64()
	}
	return o
}

// TestFaults runs a short experiment on each topology.
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
				t.Errorf("only %d faults and %d messages", report.FaultCount(), report.Counts["messages"])
			}
		})
	}
}
