package apierror

import "sync/atomic"

// Counter counts errors by their code. It is safe for concurrent use.
type Counter struct {
	counts map[string]*atomic.Uint64 // by code, with an entry for each; fixed
}

// NewCounter returns a counter in which every code stands at zero.
func NewCounter() *Counter {
	c := &Counter{counts: make(map[string]*atomic.Uint64)}
	for _, e := range All() {
		c.counts[e.Code] = new(atomic.Uint64)
	}
	return c
}

// Add counts an error that Of returned.
func (c *Counter) Add(e Error) {
	if count := c.counts[e.Code]; count != nil {
		count.Add(1)
	}
}

// Counts returns the count of every code.
func (c *Counter) Counts() map[string]uint64 {
	counts := make(map[string]uint64, len(c.counts))
	for code, count := range c.counts {
		counts[code] = count.Load()
	}
	return counts
}
