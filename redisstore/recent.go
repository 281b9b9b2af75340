package redisstore

import (
	"hash/maphash"

	"github.com/ephemeralchat/caddy-ephemeral-chat/room"
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

// holds reports whether the message with this number was this one.
func (r *recent) holds(seq, hash uint64) bool {
	return seq >= r.first() && seq <= r.last && len(r.hashes) > 0 && r.hashes[seq-r.first()] == hash
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

// hashOf is the hash of a message, given its frame or its entry: of what the two
// have in common, and keep when the message is retracted. A message that takes
// the place of one that was lost is told from it by its time at least.
func hashOf(message []byte) uint64 { return maphash.Bytes(hashSeed, room.Envelope(message)) }
