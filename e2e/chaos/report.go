package chaos

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"time"
)

// Report is the result of an experiment.
type Report struct {
	Topology   string
	Seed       uint64
	Rounds     int
	Faults     map[string]int // number of injections by kind
	Counts     map[string]int // messages, deliveries, reconnects, …
	Outages    map[string]Durations
	Converged  Durations // from the last fault of a round until all clients agreed
	Late       Durations // from deadlines until clients received the ends of rooms
	Violations []Violation
	Processes  []*Process // of the nodes, as far as they were measured
}

// Durations summarizes measured times.
type Durations struct {
	Count           int
	Median, Longest time.Duration
}

func summarize(all []time.Duration) Durations {
	if len(all) == 0 {
		return Durations{}
	}
	all = slices.Sorted(slices.Values(all))
	return Durations{len(all), all[len(all)/2].Round(time.Millisecond), all[len(all)-1].Round(time.Millisecond)}
}

func (x *experiment) report() *Report {
	j := x.journal
	x.mu.Lock()
	defer x.mu.Unlock()
	j.mu.Lock()
	defer j.mu.Unlock()
	r := &Report{
		Topology: x.o.Topology, Seed: x.o.Seed, Rounds: x.rounds,
		Faults: make(map[string]int), Counts: maps.Clone(j.counts), Outages: make(map[string]Durations),
		Converged: summarize(x.converged), Late: summarize(j.late),
		Violations: slices.Clone(j.violations), Processes: slices.Clone(x.processes),
	}
	for _, in := range j.faults {
		r.Faults[in.kind]++
	}
	for kind, all := range j.outages {
		r.Outages[kind] = summarize(all)
	}
	return r
}

// FaultCount returns the number of injected faults.
func (r *Report) FaultCount() int {
	n := 0
	for _, count := range r.Faults {
		n += count
	}
	return n
}

// Write writes the report as text.
func (r *Report) Write(w io.Writer) {
	line := func(format string, args ...any) {
		_, _ = fmt.Fprintf(w, format+"\n", args...) // a report that cannot be written is no violation
	}
	line("topology %s, seed %d: %d faults in %d rounds, %d violations\n", r.Topology, r.Seed, r.FaultCount(), r.Rounds, len(r.Violations))
	line("  %-18s %8s %28s", "fault", "injected", "messages held up: number, median, longest")
	kinds := slices.Sorted(maps.Keys(r.Faults))
	if _, ok := r.Outages["none"]; ok {
		kinds = append(kinds, "none")
	}
	for _, kind := range kinds {
		o := r.Outages[kind]
		line("  %-18s %8d %10d %10s %10s", kind, r.Faults[kind], o.Count, o.Median, o.Longest)
	}
	line("")
	for _, name := range slices.Sorted(maps.Keys(r.Counts)) {
		line("  %-18s %8d", name, r.Counts[name])
	}
	line("\n  clients agreed after %s (median), %s (longest) of quiet", r.Converged.Median, r.Converged.Longest)
	line("  rooms ended %s (median), %s (longest) after their deadlines\n", r.Late.Median, r.Late.Longest)
	r.writeGrowth(line)
	for i := range r.Violations {
		line("  VIOLATION %d %s: %s", i+1, r.Violations[i].Kind, r.Violations[i].What)
	}
}
