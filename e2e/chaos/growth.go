package chaos

import (
	"fmt"
	"slices"
	"strings"
)

const (
	// fewestSamples is how many it takes to judge whether a process grows: after a
	// quarter of them, in which pools and caches fill, a first and a last third of
	// two each.
	fewestSamples = 8
	// allowedGoroutines and allowedFiles may come and go, allowedHeap and
	// allowedResident are in bytes. The latter is generous: how much of what is free
	// the runtime gives back, and when, depends on how busy the machine is.
	allowedGoroutines = 10
	allowedFiles      = 10
	allowedHeap       = 1 << 20
	allowedResident   = 16 << 20
	// Pools of connections to Redis fill for as long as there are faults: each has so
	// many connections at most, and may refer to the buffers of as many that are
	// closed, in bytes with what else belongs to one.
	poolSize       = 20
	connectionSize = 20 << 10
)

// Growth is how much of something a process took early in its life and late, and by
// how much that may differ.
type Growth struct {
	What        string
	First, Last float64
	Allowed     float64
}

// Excessive reports whether it has grown by more than is allowed.
func (g Growth) Excessive() bool { return g.Last-g.First > g.Allowed }

// String implements fmt.Stringer.
func (g Growth) String() string { return fmt.Sprintf("%s %.5g → %.5g", g.What, g.First, g.Last) }

// Growth compares the first third of the samples with the last, by their medians,
// without the first quarter. It returns nil if there are too few.
func (p *Process) Growth() []Growth {
	n := len(p.Samples)
	if n < fewestSamples {
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

// median is that of a value of the samples; of an even number of them, the mean of
// the two in the middle.
func median(samples []Sample, value func(*Sample) float64) float64 {
	values := make([]float64, 0, len(samples))
	for i := range samples {
		values = append(values, value(&samples[i]))
	}
	slices.Sort(values)
	return (values[(len(values)-1)/2] + values[len(values)/2]) / 2
}

// inspectGrowth looks for processes that take more and more of the machine.
func (l *Lab) inspectGrowth() {
	l.mu.Lock()
	processes := slices.Clone(l.processes)
	l.mu.Unlock()
	for _, p := range processes {
		for _, g := range p.Growth() {
			if g.Excessive() {
				l.journal.violate("growth", fmt.Sprintf("%s: %s in %d samples; profiles are in its directory", p.Node, g, len(p.Samples)), nil)
			}
		}
	}
}

// writeGrowth writes what the nodes took of the machine: the process of each that
// was measured most.
func (r *Report) writeGrowth(line func(format string, args ...any)) {
	longest := make(map[string]*Process)
	var nodes []string
	for _, p := range r.Processes {
		if longest[p.Node] == nil {
			nodes = append(nodes, p.Node)
		}
		if longest[p.Node] == nil || len(p.Samples) > len(longest[p.Node].Samples) {
			longest[p.Node] = p
		}
	}
	for _, name := range nodes {
		p := longest[name]
		for i, s := range p.Samples {
			if i > 2 && i < len(p.Samples)-3 && i%max(1, len(p.Samples)/10) != 0 {
				continue
			}
			line("  %s, rest %3d: %5d goroutines, %4d descriptors, %6.2f MiB heap, %6.1f MiB held, %6.1f MiB resident", name, i+1,
				s.Goroutines, s.Files, mebibytes(s.Heap), mebibytes(s.Held), mebibytes(s.Resident))
		}
	}
	for _, name := range nodes {
		p := longest[name]
		growth := p.Growth()
		if growth == nil {
			line("  %s: growth is not judged, by %d samples of a process; it takes %d", name, len(p.Samples), fewestSamples)
			continue
		}
		words := make([]string, 0, len(growth))
		for _, g := range growth {
			words = append(words, g.String())
		}
		line("  %s, by %d samples: %s", name, len(p.Samples), strings.Join(words, ", "))
	}
}
