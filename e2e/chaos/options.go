package chaos

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
)

// Options say what is tried, and for how long.
type Options struct {
	// Caddy is the path of the program under test.
	Caddy string
	// Topology is one of Topologies.
	Topology string
	// Seed decides which faults come when, and what clients do. What comes of it
	// also depends on how the machine runs the processes.
	Seed uint64
	// Duration is how long faults are injected, with the quiet times between them.
	Duration time.Duration
	// Round is how long there are faults between two quiet times; 40 s if zero.
	Round time.Duration
	// Rest is how long it is at least until all rooms end once, so that what nodes
	// take of the machine can be compared; 1 minute if zero.
	Rest time.Duration
	// Pace is the mean time between two faults; 700 ms if zero.
	Pace time.Duration
	// Faults are the kinds that are injected; none means all that the topology can
	// suffer.
	Faults []string
	// Nodes is the number of Caddy processes, 3 if zero. The first of them is never
	// killed, so that it shows what grows with time.
	Nodes int
	// Rooms is how many there are at a time; 32 if zero. A third of them last for a
	// round, the others have short lives.
	Rooms int
	// Members is how many each room begins with; 7 if zero.
	Members int
	// Talk is the mean time between two messages of a client; 1500 ms if zero.
	Talk time.Duration
	// StopEarly ends everything with the first violation.
	StopEarly bool
	// Tolerance is added to what ends rooms in time, for slow machines and slow
	// builds.
	Tolerance time.Duration
	// Dir is where the processes keep their files and logs. It must be empty.
	Dir string
	// Log takes a line for each fault, each violation with what is known of it, and
	// now and then one of progress.
	Log io.Writer
}

func (o *Options) complete() error {
	switch {
	case o.Caddy == "":
		return errors.New("lab: no program to test")
	case o.Dir == "":
		return errors.New("lab: no directory")
	case o.Duration <= 0:
		return errors.New("lab: no duration")
	case !slices.Contains(Topologies, o.Topology):
		return fmt.Errorf("lab: no topology %q; there are %s", o.Topology, strings.Join(Topologies, ", "))
	}
	for _, d := range []struct {
		value *time.Duration
		usual time.Duration
	}{{&o.Round, 40 * time.Second}, {&o.Rest, time.Minute}, {&o.Pace, 700 * time.Millisecond}, {&o.Talk, 1500 * time.Millisecond}} {
		if *d.value <= 0 {
			*d.value = d.usual
		}
	}
	for _, n := range []struct {
		value *int
		usual int
	}{{&o.Nodes, 3}, {&o.Rooms, 32}, {&o.Members, 7}} {
		if *n.value <= 0 {
			*n.value = n.usual
		}
	}
	if o.Log == nil {
		o.Log = io.Discard
	}
	return nil
}
