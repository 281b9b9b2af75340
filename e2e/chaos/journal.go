package chaos

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"time"
)

// happening is a fault that was injected.
type happening struct {
	kind       string
	on         string
	what       string
	lossy      bool
	start, end time.Time // end is zero while it lasts
}

// Violation is something that no correct server does.
type Violation struct {
	At      time.Time
	Kind    string   // one word for what was broken
	What    string   // what happened
	Context []string // what the clients and the laboratory know of it
}

// journal is what has happened, and what should not have. It is safe for
// concurrent use.
type journal struct {
	mu         sync.Mutex
	out        io.Writer
	start      time.Time
	faults     []*happening
	violations []Violation
	counts     map[string]int
	outages    map[string][]time.Duration // how long messages waited, by kind of fault
	late       []time.Duration            // how long after their deadlines rooms have ended
	stop       func()                     // called with the first violation; nil: nothing is
}

// shownViolations is how many violations of a kind are written with all that is
// known.
const shownViolations = 4

func newJournal(out io.Writer) *journal {
	return &journal{out: out, start: time.Now(), counts: make(map[string]int), outages: make(map[string][]time.Duration)}
}

// say writes a line. The caller holds mu.
func (j *journal) say(format string, args ...any) {
	_, _ = fmt.Fprintf(j.out, "%9.3f  %s\n", time.Since(j.start).Seconds(), fmt.Sprintf(format, args...)) // a log that cannot be written is no violation
}

func (j *journal) note(format string, args ...any) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.say(format, args...)
}

func (j *journal) count(what string, n int) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.counts[what] += n
}

// begin notes a fault.
func (j *journal) begin(f *fault) *happening {
	j.mu.Lock()
	defer j.mu.Unlock()
	h := &happening{kind: f.kind, on: f.on, lossy: f.lossy, start: time.Now()}
	j.faults = append(j.faults, h)
	return h
}

// describe notes what exactly a fault does.
func (j *journal) describe(h *happening, what string) {
	j.mu.Lock()
	defer j.mu.Unlock()
	h.what = what
	j.say("fault %s on %s: %s", h.kind, h.on, what)
}

// finish notes that a fault is over.
func (j *journal) finish(h *happening, err error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	h.end = time.Now()
	if err != nil {
		j.say("fault %s on %s: %v", h.kind, h.on, err)
	}
}

// during returns the faults that have lasted in an interval or the time before it
// that it takes to get over one.
func (j *journal) during(from, to time.Time, after time.Duration, which func(*happening) bool) []*happening {
	j.mu.Lock()
	defer j.mu.Unlock()
	var found []*happening
	for _, h := range slices.Backward(j.faults) {
		if h.start.Before(from.Add(-2 * time.Minute)) {
			break // none lasts so long
		}
		if h.start.Before(to) && (h.end.IsZero() || h.end.Add(after).After(from)) && which(h) {
			copied := *h
			found = append(found, &copied)
		}
	}
	return found
}

// mayHaveLost reports whether something that was acknowledged after a moment may
// have been lost by a fault of the topology.
func (j *journal) mayHaveLost(since time.Time) bool {
	j.mu.Lock()
	defer j.mu.Unlock()
	for _, h := range slices.Backward(j.faults) {
		// What is written while a fault lasts may be lost by it, and replicas are a
		// little behind before.
		if h.lossy && (h.end.IsZero() || h.end.Add(2*downAfter).After(since)) {
			return true
		}
	}
	return false
}

// violate notes a violation.
func (j *journal) violate(kind, what string, context []string) {
	j.mu.Lock()
	defer j.mu.Unlock()
	now := time.Now()
	for _, h := range j.faults {
		if h.end.IsZero() || h.end.After(now.Add(-15*time.Second)) {
			context = append(context, fmt.Sprintf("fault %s on %s from %.3f to %.3f: %s", h.kind, h.on,
				h.start.Sub(j.start).Seconds(), h.end.Sub(j.start).Seconds(), h.what))
		}
	}
	shown := 0
	for _, v := range j.violations {
		if v.Kind == kind {
			shown++
		}
	}
	j.violations = append(j.violations, Violation{now, kind, what, context})
	j.say("VIOLATION %s: %s", kind, what)
	if shown < shownViolations {
		for _, line := range context {
			j.say("    %s", line)
		}
	}
	if j.stop != nil {
		j.stop()
	}
}

// waited notes how long a message took from being said to being seen stored, on
// account of the fault that explains it best: the one of the topology, else of a
// node, else any.
func (j *journal) waited(from, to time.Time) {
	const noticeable = 300 * time.Millisecond
	if to.Sub(from) < noticeable {
		return
	}
	var best *happening
	rank := func(h *happening) int {
		switch {
		case h.on == "topology":
			return 2
		case strings.HasPrefix(h.kind, "node-"):
			return 1
		default:
			return 0
		}
	}
	for _, h := range j.during(from, to, 2*downAfter, func(*happening) bool { return true }) {
		if best == nil || rank(h) > rank(best) {
			best = h
		}
	}
	kind := "none"
	if best != nil {
		kind = best.kind
		if best.start.After(from) {
			from = best.start
		}
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	j.outages[kind] = append(j.outages[kind], to.Sub(from))
}

func (j *journal) violationCount() int {
	j.mu.Lock()
	defer j.mu.Unlock()
	return len(j.violations)
}

func (j *journal) counted(what string) int {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.counts[what]
}

func (j *journal) faultCount() int {
	j.mu.Lock()
	defer j.mu.Unlock()
	return len(j.faults)
}
