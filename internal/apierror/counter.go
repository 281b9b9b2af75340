package room

import "sync/atomic"

// Tally counts refusals by their code. It is safe for concurrent use.
type Tally struct {
	counts map[string]*atomic.Uint64 // each code that there is; fixed
}

// NewTally returns a tally in which every code stands at zero.
func NewTally() *Tally {
	t := &Tally{counts: make(map[string]*atomic.Uint64)}
	for _, refusal := range Refusals() {
		t.counts[refusal.Code] = new(atomic.Uint64)
	}
	return t
}

// Add counts what RefusalOf has returned.
func (t *Tally) Add(refusal Refusal) {
	if count := t.counts[refusal.Code]; count != nil {
		count.Add(1)
	}
}

// Counts returns the count of every code.
func (t *Tally) Counts() map[string]uint64 {
	counts := make(map[string]uint64, len(t.counts))
	for code, count := range t.counts {
		counts[code] = count.Load()
	}
	return counts
}
