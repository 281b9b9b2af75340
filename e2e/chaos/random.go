package chaos

import (
	"math/rand/v2"
	"sync"
	"time"
)

// lockedSource makes a rand.Rand safe for concurrent use.
type lockedSource struct {
	mu  sync.Mutex
	pcg *rand.PCG
}

// Uint64 implements rand.Source.
func (s *lockedSource) Uint64() uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.pcg.Uint64()
}

// newRandom returns one of the random sequences of a seed.
func newRandom(seed, sequence uint64) *rand.Rand {
	return rand.New(&lockedSource{pcg: rand.NewPCG(seed, sequence)})
}

// between returns a random time from an interval.
func between(r *rand.Rand, least, most time.Duration) time.Duration {
	return least + time.Duration(r.Int64N(int64(most-least)+1))
}

// exponential returns a random time until the next of independent events, at most
// four times the mean.
func exponential(r *rand.Rand, mean time.Duration) time.Duration {
	return time.Duration(min(r.ExpFloat64(), 4) * float64(mean))
}
