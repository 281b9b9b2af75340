package chaos

import (
	"math/rand/v2"
	"sync"
	"time"
)

// dice are a source of random numbers that several goroutines use.
type dice struct {
	mu sync.Mutex
	r  *rand.Rand
}

// newDice returns dice for whoever has a number.
func newDice(seed, number uint64) *dice { return &dice{r: rand.New(rand.NewPCG(seed, number))} }

func (d *dice) n(n int) int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.r.IntN(n)
}

// chance is true with a probability.
func (d *dice) chance(p float64) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.r.Float64() < p
}

func (d *dice) between(least, most time.Duration) time.Duration {
	d.mu.Lock()
	defer d.mu.Unlock()
	return between(d.r, least, most)
}

func (d *dice) exponential(mean time.Duration) time.Duration {
	d.mu.Lock()
	defer d.mu.Unlock()
	return exponential(d.r, mean)
}
