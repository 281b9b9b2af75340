package chaos

import (
	"fmt"
	"slices"
)

const (
	// minSamples is the least number of samples that are judged: without the first
	// quarter, in which pools and caches fill, the first and the last third have two
	// each.
	minSamples = 8
	// allowedGoroutines and allowedFiles may come and go, allowedHeap and
	// allowedResident are in bytes. The latter is generous: the amount of free memory
	// that the runtime returns, and when, depends on the load of the machine.
	allowedGoroutines = 10
	allowedFiles      = 10
	allowedHeap       = 1 << 20
	allowedResident   = 16 << 20
	// Connection pools to Redis fill while faults last: each has at most poolSize
	// connections, and may refer to the buffers of as many closed ones, of
	// connectionSize bytes each.
	poolSize       = 20
	connectionSize = 20 << 10
)

// Growth is the use of a resource early in a process's life and late, and the allowed
// difference.
type Growth struct {
	What        string
	First, Last float64
	Allowed     float64
}

// Excessive reports whether the growth exceeds the allowed one.
func (g Growth) Excessive() bool { return g.Last-g.First > g.Allowed }

// String implements fmt.Stringer.
func (g Growth) String() string { return fmt.Sprintf("%s %.5g → %.5g", g.What, g.First, g.Last) }

// Growth compares the medians of the first and the last third of the samples, without
// the first quarter. It returns nil if there are too few.
func (p *Process) Growth() []Growth {
	n := len(p.Samples)
	if n < minSamples {
		return nil
	}
	warm := p.Samples[(n+3)/4:]
	third := len(warm) / 3
	files := float64(allowedFiles + p.Pools*poolSize)
	heap := mebibytes(allowedHeap + p.Pools*2*poolSize*connectionSize)
	compare := func(what string, allowed float64, value func(*Sample) float64) Growth {
		return Growth{what, median(warm[:third], value), median(warm[len(warm)-third:], value), allowed}
	}
	return []Growth{
		compare("goroutines", allowedGoroutines, func(s *Sample) float64 { return float64(s.Goroutines) }),
		compare("descriptors", files, func(s *Sample) float64 { return float64(s.Files) }),
		compare("MiB heap", heap, func(s *Sample) float64 { return mebibytes(s.Heap) }),
		compare("MiB resident", mebibytes(allowedResident)+2*heap, func(s *Sample) float64 { return mebibytes(s.Resident) }),
	}
}

// median returns that of a value of the samples; of an even number, the mean of the
// middle two.
func median(samples []Sample, value func(*Sample) float64) float64 {
	values := make([]float64, 0, len(samples))
	for i := range samples {
		values = append(values, value(&samples[i]))
	}
	slices.Sort(values)
	return (values[(len(values)-1)/2] + values[len(values)/2]) / 2
}

// checkGrowth checks that no process grows.
func (x *experiment) checkGrowth() {
	for _, p := range x.processes {
		for _, g := range p.Growth() {
			if g.Excessive() {
				x.journal.violate("growth", fmt.Sprintf("%s: %s in %d samples; profiles are in its directory", p.Node, g, len(p.Samples)), nil)
			}
		}
	}
}

// writeGrowth writes the growth of the processes with enough samples.
func (r *Report) writeGrowth(line func(format string, args ...any)) {
	judged := false
	for _, p := range r.Processes {
		growth := p.Growth()
		if growth == nil {
			continue
		}
		judged = true
		line("  %s, last of %d samples: %s", p.Node, len(p.Samples), p.Samples[len(p.Samples)-1])
		for _, g := range growth {
			line("    %s", g)
		}
	}
	if !judged {
		line("  growth is not judged: no process has %d samples", minSamples)
	}
}
