package chaos

import (
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"github.com/ephemeralchat/caddy-ephemeral-chat/redisstore/redistest/poll"
)

// healTimeout bounds the time in which a topology becomes healthy after its last
// fault.
const healTimeout = 60 * time.Second

// nemesis injects faults.
type nemesis struct {
	experiment *experiment
	random     *rand.Rand
	faults     []fault

	mu   sync.Mutex
	busy map[string]bool // parts that suffer a fault
}

func newNemesis(x *experiment) *nemesis {
	m := &nemesis{experiment: x, random: newRandom(x.o.Seed, 0), faults: x.faults(), busy: make(map[string]bool)}
	if len(x.o.Faults) > 0 {
		m.faults = slices.DeleteFunc(m.faults, func(f fault) bool { return !slices.Contains(x.o.Faults, f.kind) })
	}
	return m
}

// run injects faults for a while, and returns when they are over and the topology is
// healthy again.
func (m *nemesis) run(ctx context.Context, length time.Duration) error {
	faulty, stop := context.WithTimeout(ctx, length)
	defer stop()
	x := m.experiment
	var injecting sync.WaitGroup
	for poll.Pause(faulty, exponential(m.random, x.o.Pace)) {
		f := m.pick(faulty)
		if f == nil {
			continue
		}
		in := x.journal.begin(f, newRandom(m.random.Uint64(), 0))
		// Ends when the fault is undone, which is soon once faulty is done.
		injecting.Go(func() {
			err := f.inject(faulty, in)
			if f.lossy {
				// A master that was replaced accepts writes, which are lost, until the others
				// demote it.
				err = errors.Join(err, poll.Until(ctx, healTimeout, x.topology.healthy))
			}
			x.journal.finish(in, err)
			m.release(f.on)
		})
	}
	injecting.Wait()
	if ctx.Err() != nil {
		return nil
	}
	return poll.Until(ctx, healTimeout, x.topology.healthy)
}

// pick chooses a fault and reserves the part that suffers it; nil if five choices in
// a row are not possible now.
func (m *nemesis) pick(ctx context.Context) *fault {
	total := 0
	for i := range m.faults {
		total += m.faults[i].weight
	}
	for range 5 {
		at := m.random.IntN(max(1, total))
		i := slices.IndexFunc(m.faults, func(f fault) bool { at -= f.weight; return at < 0 })
		if i >= 0 && m.reserve(ctx, m.faults[i].on) {
			return &m.faults[i]
		}
	}
	return nil
}

func (m *nemesis) reserve(ctx context.Context, part string) bool {
	m.mu.Lock()
	wasBusy := m.busy[part]
	m.busy[part] = true
	m.mu.Unlock()
	if !wasBusy && part == topologyPart && m.experiment.topology.healthy(ctx) != nil {
		m.release(part)
		return false
	}
	return !wasBusy
}

func (m *nemesis) release(part string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.busy, part)
}
