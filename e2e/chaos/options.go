package chaos

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
)

// Options configure an experiment. DefaultOptions has values for all but Caddy,
// Topology, Seed and Dir.
type Options struct {
	// Caddy is the path of the program under test.
	Caddy string
	// Topology is one of Topologies.
	Topology string
	// Seed determines which faults come when, and the actions of clients. The outcome
	// also depends on how the machine schedules the processes.
	Seed uint64
	// Duration is the time during which faults are injected, with the quiet times
	// between them.
	Duration time.Duration
	// Round is the time of faults between two quiet times.
	Round time.Duration
	// MeasureEvery is the least time between two measurements of the nodes. All rooms
	// end before each.
	MeasureEvery time.Duration
	// Pace is the mean time between two faults.
	Pace time.Duration
	// Faults are the kinds that are injected; empty means all that the topology can
	// suffer.
	Faults []string
	// Nodes is the number of Caddy processes. The first one is never killed, so that
	// it shows a slow growth.
	Nodes int
	// Rooms is the number of rooms at a time. A third of them last for a round, the
	// others are short-lived.
	Rooms int
	// Members is the number of clients with which each room begins.
	Members int
	// PostEvery is the mean time between two messages of a client.
	PostEvery time.Duration
	// StopEarly ends the experiment with the first violation.
	StopEarly bool
	// Tolerance is added to the time limits of invariants, for slow machines and slow
	// builds.
	Tolerance time.Duration
	// Dir is an empty directory for files and logs of the processes.
	Dir string
	// Log receives a line for each fault, each violation with its context, and lines
	// of progress.
	Log io.Writer
}

// DefaultOptions returns the options of a usual experiment.
func DefaultOptions() Options {
	return Options{
		Duration: time.Minute, Round: 40 * time.Second, MeasureEvery: time.Minute, Pace: 700 * time.Millisecond,
		Nodes: 3, Rooms: 32, Members: 7, PostEvery: 1500 * time.Millisecond, Log: io.Discard,
	}
}

func (o *Options) validate() error {
	switch {
	case o.Caddy == "":
		return errors.New("chaos: no program to test")
	case o.Dir == "":
		return errors.New("chaos: no directory")
	case o.Duration <= 0:
		return errors.New("chaos: no duration")
	case !slices.Contains(Topologies, o.Topology):
		return fmt.Errorf("chaos: no topology %q; there are %s", o.Topology, strings.Join(Topologies, ", "))
	}
	return nil
}
