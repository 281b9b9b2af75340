package chaos_test

import (
	"flag"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/ephemeralchat/caddy-ephemeral-chat/e2e/chaos"
	"github.com/ephemeralchat/caddy-ephemeral-chat/e2e/harness"
)

var (
	seed   = flag.Uint64("seed", 0, "of the faults; 0 chooses one at random")
	length = flag.Duration("length", 20*time.Second, "how long faults are injected into each topology")
)

func TestMain(m *testing.M) { harness.Main(m) }

// options returns those of an experiment in a test.
func options(t *testing.T, topology string) chaos.Options {
	t.Helper()
	o := chaos.DefaultOptions()
	o.Caddy, o.Topology, o.Seed, o.Duration = harness.CaddyBinary(t), topology, *seed, *length
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
