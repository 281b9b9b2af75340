package redisstore

import (
	"hash/maphash"

	"github.com/ephemeralchat/caddy-ephemeral-chat/room/message"
)

// rememberedMessages is how far back it can be told which messages a store has
// lost. What is older is told anew if any are lost.
const rememberedMessages = 256

// recent remembers what the last messages were, by a hash of each.
type recent struct {
	last   uint64   // the number of the newest
	hashes []uint64 // without a hole, the newest last
}

// add notes a message; one that does not follow the newest forgets the others.
func (r *recent) add(seq, hash uint64) {
	if seq != r.last+1 {
		r.hashes = r.hashes[:0]
	}
	if len(r.hashes) == 2*rememberedMessages {
		r.hashes = append(r.hashes[:0], r.hashes[rememberedMessages:]...)
	}
	r.hashes = append(r.hashes, hash)
	r.last = seq
}

// first is the number of the oldest message that is remembered; above last if
// there is none.
func (r *recent) first() uint64 { return r.last - uint64(len(r.hashes)) + 1 }

// holds reports whether the message with this number was this one, retracted or
// not.
func (r *recent) holds(seq, hash uint64) bool {
	return seq >= r.first() && seq <= r.last && len(r.hashes) > 0 && alike(r.hashes[seq-r.first()], hash)
}

// cut makes seq the newest, and forgets what does not lead up to it.
func (r *recent) cut(seq uint64) {
	if seq < r.first() || seq > r.last {
		r.hashes = r.hashes[:0]
	} else {
		r.hashes = r.hashes[:seq-r.first()+1]
	}
	r.last = seq
}

var hashSeed = maphash.MakeSeed()

// hashOf is the hash of a message, given its frame or its entry, which have both
// parts in common: half of it is of the envelope, and half of the text, zero where
// that was retracted, which is where it is empty.
func hashOf(b []byte) uint64 {
	text, envelope := message.Parts(b)
	hash := maphash.Bytes(hashSeed, envelope) << 32
	if len(text) == 0 {
		return hash
	}
	return hash | max(1, maphash.Bytes(hashSeed, text)>>32)
}

// alike reports whether two hashes are of one message, whose text may have been
// retracted between the two.
func alike(a, b uint64) bool {
	return a == b || a>>32 == b>>32 && (uint32(a) == 0 || uint32(b) == 0) //nolint:gosec // G115: the lower half is meant
}
