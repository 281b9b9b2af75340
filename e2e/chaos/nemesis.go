package chaos

import (
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"sync"
	"time"
)

// schedule injects faults.
type schedule struct {
	lab   *Lab
	r     *rand.Rand // decides what happens when
	kinds []fault

	mu   sync.Mutex
	busy map[string]bool // what suffers a fault
}

func newSchedule(l *Lab) *schedule {
	s := &schedule{lab: l, r: rand.New(rand.NewPCG(l.o.Seed, 0)), kinds: l.mishaps(), busy: make(map[string]bool)}
	if len(l.o.Faults) > 0 {
		s.kinds = slices.DeleteFunc(s.kinds, func(f fault) bool { return !slices.Contains(l.o.Faults, f.kind) })
	}
	return s
}

// run injects faults for a while, and returns when they are over and the topology
// is healthy again.
func (s *schedule) run(ctx context.Context, length time.Duration) error {
	faulty, stop := context.WithTimeout(ctx, length)
	defer stop()
	var under sync.WaitGroup
	for pause(faulty, exponential(s.r, s.lab.o.Pace)) {
		if f := s.pick(faulty); f != nil {
			r := rand.New(rand.NewPCG(s.r.Uint64(), 0))
			h := s.lab.journal.begin(f)
			// It ends when the fault is over, which is soon once faulty is done.
			under.Go(func() {
				err := f.inject(faulty, r, func(what string) { s.lab.journal.describe(h, what) })
				if f.lossy {
					// A master that has been replaced takes writes, which are lost, until it
					// is told.
					err = errors.Join(err, until(ctx, healTime, s.lab.topology.healthy))
				}
				s.lab.journal.finish(h, err)
				s.release(f.on)
			})
		}
	}
	under.Wait()
	if ctx.Err() != nil {
		return nil
	}
	return until(ctx, healTime, s.lab.topology.healthy)
}

// healTime is in which a topology must be healthy after its last fault.
const healTime = 60 * time.Second

// pick chooses a fault that can happen now, and reserves what suffers it; nil if
// what was chosen cannot.
func (s *schedule) pick(ctx context.Context) *fault {
	total := 0
	for i := range s.kinds {
		total += s.kinds[i].weight
	}
	if total == 0 {
		return nil
	}
	for range 5 {
		at := s.r.IntN(total)
		i := slices.IndexFunc(s.kinds, func(f fault) bool { at -= f.weight; return at < 0 })
		if f := &s.kinds[i]; s.reserve(ctx, f.on) {
			return f
		}
	}
	return nil
}

func (s *schedule) reserve(ctx context.Context, what string) bool {
	s.mu.Lock()
	if s.busy[what] {
		s.mu.Unlock()
		return false
	}
	s.busy[what] = true
	s.mu.Unlock()
	if what == "topology" && s.lab.topology.healthy(ctx) != nil {
		s.release(what)
		return false
	}
	return true
}

func (s *schedule) release(what string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.busy, what)
}
