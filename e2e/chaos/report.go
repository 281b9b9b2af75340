package chaos

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"time"
)

// Report is what a run has found.
type Report struct {
	Topology   string
	Seed       uint64
	Rounds     int
	Faults     map[string]int // how often each kind was injected
	Counts     map[string]int // messages, deliveries, reconnects, …
	Outages    map[string]Outage
	Settled    Outage // how long it took until all was right, after the last fault of a round
	Late       Outage // how long after their deadlines rooms have ended
	Violations []Violation
	Processes  []*Process // of the nodes, as far as they were measured
}

// Outage is how long something took, how often.
type Outage struct {
	Count           int
	Median, Longest time.Duration
}

func outageOf(all []time.Duration) Outage {
	if len(all) == 0 {
		return Outage{}
	}
	all = slices.Sorted(slices.Values(all))
	return Outage{len(all), all[len(all)/2], all[len(all)-1]}
}

// lateness notes how long after its deadline a client was told of it.
func (j *journal) lateness(late time.Duration) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.late = append(j.late, late)
}

func (l *Lab) report() *Report {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.journal.mu.Lock()
	defer l.journal.mu.Unlock()
	r := &Report{
		Topology: l.o.Topology, Seed: l.o.Seed, Rounds: l.rounds,
		Faults: make(map[string]int), Counts: maps.Clone(l.journal.counts), Outages: make(map[string]Outage),
		Settled: outageOf(l.settled), Late: outageOf(l.journal.late),
		Violations: slices.Clone(l.journal.violations), Processes: slices.Clone(l.processes),
	}
	for _, h := range l.journal.faults {
		r.Faults[h.kind]++
	}
	for kind, all := range l.journal.outages {
		r.Outages[kind] = outageOf(all)
	}
	return r
}

// FaultCount is how many faults were injected.
func (r *Report) FaultCount() int {
	n := 0
	for _, count := range r.Faults {
		n += count
	}
	return n
}

// Write writes the report for people.
func (r *Report) Write(w io.Writer) {
	line := func(format string, args ...any) {
		_, _ = fmt.Fprintf(w, format+"\n", args...) // there is nobody to tell
	}
	line("topology %s, seed %d: %d faults in %d rounds, %d violations", r.Topology, r.Seed, r.FaultCount(), r.Rounds, len(r.Violations))
	line("")
	line("  %-18s %8s %28s", "fault", "injected", "messages held up: number, median, longest")
	kinds := slices.Sorted(maps.Keys(r.Faults))
	if _, ok := r.Outages["none"]; ok {
		kinds = append(kinds, "none")
	}
	for _, kind := range kinds {
		o := r.Outages[kind]
		line("  %-18s %8d %10d %10s %10s", kind, r.Faults[kind], o.Count, o.Median.Round(10*time.Millisecond), o.Longest.Round(10*time.Millisecond))
	}
	line("")
	for _, what := range slices.Sorted(maps.Keys(r.Counts)) {
		line("  %-18s %8d", what, r.Counts[what])
	}
	line("")
	line("  all was right after %s (median), %s (longest) of quiet", r.Settled.Median.Round(10*time.Millisecond), r.Settled.Longest.Round(10*time.Millisecond))
	line("  rooms ended %s (median), %s (longest) after their deadlines", r.Late.Median.Round(time.Millisecond), r.Late.Longest.Round(time.Millisecond))
	line("")
	r.writeGrowth(line)
	for i, v := range r.Violations {
		line("  VIOLATION %d %s: %s", i+1, v.Kind, v.What)
	}
}
