package load

// order follows the numbers of the messages that one member gets.
type order struct {
	last       uint64
	missing    map[uint64]struct{} // below last, not seen yet
	duplicated uint64
	reordered  uint64
}

// see takes the next number, and reports whether it is one that was not seen
// before.
func (o *order) see(seq uint64) bool {
	switch {
	case seq == o.last+1:
		o.last = seq
		return true
	case seq > o.last:
		if o.missing == nil {
			o.missing = make(map[uint64]struct{})
		}
		// A server that numbers wildly must not fill the memory.
		for hole := o.last + 1; hole < seq && len(o.missing) < 1<<20; hole++ {
			o.missing[hole] = struct{}{}
		}
		o.last = seq
		return true
	}
	if _, ok := o.missing[seq]; ok {
		delete(o.missing, seq)
		o.reordered++
		return true
	}
	o.duplicated++
	return false
}

// lost returns how many messages up to the number given were never seen.
func (o *order) lost(newest uint64) uint64 {
	lost := uint64(len(o.missing))
	if newest > o.last {
		lost += newest - o.last
	}
	return lost
}
