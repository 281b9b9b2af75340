package chaos

import (
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"time"
)

// Violation is a violated invariant.
type Violation struct {
	At      time.Time
	Kind    string   // names the invariant
	What    string   // describes how it was violated
	Context []string // the histories of clients, and the latest faults
}

// journal records faults, violations and statistics. It is safe for concurrent use.
type journal struct {
	out   io.Writer
	start time.Time
	stop  func() // called with each violation

	mu         sync.Mutex
	faults     []*injection
	violations []Violation
	counts     map[string]int
	outages    map[string][]time.Duration // times from post to storage, by kind of fault
	late       []time.Duration            // delays of rooms' ends after their deadlines
}

// shownViolations is the number of violations of a kind that are logged with their
// context.
const shownViolations = 4

func newJournal(out io.Writer, stop func()) *journal {
	return &journal{
		out: out, start: time.Now(), stop: stop, counts: make(map[string]int), outages: make(map[string][]time.Duration),
	}
}

// logLocked writes a line. The caller holds mu.
func (j *journal) logLocked(format string, args ...any) {
	_, _ = fmt.Fprintf(j.out, "%9.3f  %s\n", j.since(time.Now()), fmt.Sprintf(format, args...)) // a failing log is no violation
}

func (j *journal) since(at time.Time) float64 { return at.Sub(j.start).Seconds() }

func (j *journal) log(format string, args ...any) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.logLocked(format, args...)
}

func (j *journal) count(name string, n int) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.counts[name] += n
}

// begin records a fault.
func (j *journal) begin(f *fault, random *rand.Rand) *injection {
	j.mu.Lock()
	defer j.mu.Unlock()
	in := &injection{kind: f.kind, on: f.on, lossy: f.lossy, random: random, journal: j, start: time.Now()}
	j.faults = append(j.faults, in)
	return in
}

// note records the details of a fault.
func (in *injection) note(format string, args ...any) {
	in.journal.mu.Lock()
	defer in.journal.mu.Unlock()
	in.detail = fmt.Sprintf(format, args...)
	in.journal.logLocked("fault %s on %s: %s", in.kind, in.on, in.detail)
}

// finish records the end of a fault.
func (j *journal) finish(in *injection, err error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	in.end = time.Now()
	if err != nil {
		j.logLocked("fault %s on %s: %v", in.kind, in.on, err)
	}
}

// overlaps reports whether a fault, and the time that it takes to recover, overlap
// an interval. The caller holds journal.mu.
func (in *injection) overlaps(from, to time.Time, recovery time.Duration) bool {
	return in.start.Before(to) && (in.end.IsZero() || in.end.Add(recovery).After(from))
}

// disturbed reports whether a fault on one of some parts overlaps an interval.
func (j *journal) disturbed(from, to time.Time, parts ...string) bool {
	j.mu.Lock()
	defer j.mu.Unlock()
	return slices.ContainsFunc(j.faults, func(in *injection) bool {
		return in.overlaps(from, to, 0) && slices.Contains(parts, in.on)
	})
}

// mayHaveLost reports whether a message that was acknowledged after a moment may
// have been lost: one that is written during a lossy fault, or shortly before, when
// replicas are a little behind.
func (j *journal) mayHaveLost(since time.Time) bool {
	j.mu.Lock()
	defer j.mu.Unlock()
	return slices.ContainsFunc(j.faults, func(in *injection) bool {
		return in.lossy && in.overlaps(since, time.Now(), 2*downAfter)
	})
}

// violate records a violation.
func (j *journal) violate(kind, what string, context []string) {
	j.mu.Lock()
	defer j.mu.Unlock()
	now := time.Now()
	for _, in := range j.faults {
		if in.overlaps(now, now, 15*time.Second) {
			end := "now"
			if !in.end.IsZero() {
				end = fmt.Sprintf("%.3f", j.since(in.end))
			}
			context = append(context, fmt.Sprintf("fault %s on %s from %.3f to %s: %s", in.kind, in.on, j.since(in.start), end, in.detail))
		}
	}
	shown := 0
	for i := range j.violations {
		if j.violations[i].Kind == kind {
			shown++
		}
	}
	j.violations = append(j.violations, Violation{now, kind, what, context})
	j.logLocked("VIOLATION %s: %s", kind, what)
	if shown < shownViolations {
		for _, line := range context {
			j.logLocked("    %s", line)
		}
	}
	j.stop()
}

// stored records that a message was posted and then seen stored. It attributes the
// time between to the fault that explains it best: one of the topology, else of a
// node, else any.
func (j *journal) stored(posted, seen time.Time) {
	const noticeable = 300 * time.Millisecond
	if seen.Sub(posted) < noticeable {
		return
	}
	rank := func(in *injection) int {
		switch {
		case in.on == topologyPart:
			return 3
		case strings.HasPrefix(in.kind, "node-"):
			return 2
		default:
			return 1
		}
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	kind, best, from := "none", 0, posted
	for _, in := range slices.Backward(j.faults) {
		if in.overlaps(posted, seen, 2*downAfter) && rank(in) > best {
			kind, best, from = in.kind, rank(in), posted
			if in.start.After(posted) {
				from = in.start
			}
		}
	}
	j.outages[kind] = append(j.outages[kind], seen.Sub(from))
}

// ended records the delay of a room's end after its deadline.
func (j *journal) ended(late time.Duration) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.late = append(j.late, late)
}

func (j *journal) violationCount() int {
	j.mu.Lock()
	defer j.mu.Unlock()
	return len(j.violations)
}
