package pipeline

// Pending returns the number of calls in flight, and of posts that wait for one.
func (p *Publisher) Pending() (calls, waiting int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, b := range p.batchers {
		b.mu.Lock()
		calls, waiting = calls+b.calls, waiting+len(b.waiting)
		b.mu.Unlock()
	}
	return calls, waiting
}
