package room

import "slices"

// Retraction asks for a message to be retracted.
type Retraction struct {
	// Seq is the number of the message, and Epoch the epoch of that number; empty
	// for the one that is.
	Seq   uint64
	Epoch string
	// UserID is who retracts it.
	UserID string
	// Any says that it may be somebody else's message.
	Any bool
}

// Retractions are the numbers of messages that were retracted, ascending, each
// once. They are few as a rule, and no more than the messages that are kept.
type Retractions []uint64

// Add adds a number. It reports false if it was there.
func (r *Retractions) Add(seq uint64) bool {
	at, there := slices.BinarySearch(*r, seq)
	if !there {
		*r = slices.Insert(*r, at, seq)
	}
	return !there
}

// Has reports whether a number is there.
func (r Retractions) Has(seq uint64) bool {
	_, there := slices.BinarySearch(r, seq)
	return there
}

// Between returns the numbers from first to last. They are good until the next
// change.
func (r Retractions) Between(first, last uint64) []uint64 {
	from, _ := slices.BinarySearch(r, first)
	to, there := slices.BinarySearch(r, last)
	if there {
		to++
	}
	return r[from:max(from, to)]
}

// DropBelow drops the numbers below seq: of messages that are no longer kept, if
// seq is the oldest that is.
func (r *Retractions) DropBelow(seq uint64) {
	at, _ := slices.BinarySearch(*r, seq)
	*r = slices.Delete(*r, 0, at)
}

// DropAbove drops the numbers above seq: of messages that were lost.
func (r *Retractions) DropAbove(seq uint64) {
	at, there := slices.BinarySearch(*r, seq)
	if there {
		at++
	}
	*r = (*r)[:at]
}
