package load

// sequence tracks the message numbers that one member receives.
type sequence struct {
	last       uint64
	missing    map[uint64]struct{} // numbers below last that have not arrived
	duplicated uint64
	reordered  uint64
}

// maxMissing bounds missing, for a server that skips any number of numbers.
const maxMissing = 1 << 20

// observe records the next number and reports whether it is new.
func (s *sequence) observe(seq uint64) bool {
	if seq > s.last {
		for skipped := s.last + 1; skipped < seq && len(s.missing) < maxMissing; skipped++ {
			if s.missing == nil {
				s.missing = make(map[uint64]struct{})
			}
			s.missing[skipped] = struct{}{}
		}
		s.last = seq
		return true
	}
	if _, ok := s.missing[seq]; ok {
		delete(s.missing, seq)
		s.reordered++
		return true
	}
	s.duplicated++
	return false
}

// lost returns how many messages up to the newest never arrived.
func (s *sequence) lost(newest uint64) uint64 {
	lost := uint64(len(s.missing))
	if newest > s.last {
		lost += newest - s.last
	}
	return lost
}
