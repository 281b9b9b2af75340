package room

import "slices"

// Retraction asks a store to retract a message.
type Retraction struct {
	// Seq is the number of the message, Epoch the epoch of that number; empty for
	// the current one.
	Seq   uint64
	Epoch string
	// UserID is the user that retracts it.
	UserID string
	// Any allows retracting another user's message.
	Any bool
}

// Retractions is a set of numbers of retracted messages, in ascending order: at
// most as many as the room keeps, and usually few.
type Retractions []uint64

// Add adds a number. It reports false if the set had it.
func (r *Retractions) Add(seq uint64) bool {
	at, found := slices.BinarySearch(*r, seq)
	if !found {
		*r = slices.Insert(*r, at, seq)
	}
	return !found
}

// Has reports whether the set has a number.
func (r Retractions) Has(seq uint64) bool {
	_, found := slices.BinarySearch(r, seq)
	return found
}

// Between returns the numbers from first to last, valid until the next change.
func (r Retractions) Between(first, last uint64) []uint64 {
	from, _ := slices.BinarySearch(r, first)
	to, found := slices.BinarySearch(r, last)
	if found {
		to++
	}
	return r[from:max(from, to)]
}

// DropBelow drops the numbers below seq, the oldest message kept.
func (r *Retractions) DropBelow(seq uint64) {
	at, _ := slices.BinarySearch(*r, seq)
	*r = slices.Delete(*r, 0, at)
}

// DropAbove drops the numbers above seq, of messages that were lost.
func (r *Retractions) DropAbove(seq uint64) {
	at, found := slices.BinarySearch(*r, seq)
	if found {
		at++
	}
	*r = (*r)[:at]
}
