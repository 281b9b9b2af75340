package redisstore

import (
	"hash/maphash"

	"github.com/ephemeralchat/caddy-ephemeral-chat/room/message"
)

// maxFingerprints is how many messages back a feed can detect a loss. After a loss it
// emits all older messages again.
const maxFingerprints = 256

// fingerprints are hashes of the last messages emitted.
type fingerprints struct {
	last   uint64   // the number of the newest message
	hashes []uint64 // without a hole, the newest last
}

// add adds a message. One that does not follow the newest drops all others.
func (p *fingerprints) add(seq, hash uint64) {
	if seq != p.last+1 {
		p.hashes = p.hashes[:0]
	}
	if len(p.hashes) == 2*maxFingerprints {
		p.hashes = append(p.hashes[:0], p.hashes[maxFingerprints:]...)
	}
	p.hashes = append(p.hashes, hash)
	p.last = seq
}

// first returns the number of the oldest message; above last if there is none.
func (p *fingerprints) first() uint64 { return p.last - uint64(len(p.hashes)) + 1 }

// has reports whether the message with this number was the same, retracted or not.
func (p *fingerprints) has(seq, hash uint64) bool {
	return seq >= p.first() && seq <= p.last && sameMessage(p.hashes[seq-p.first()], hash)
}

// truncate makes seq the newest message, and drops those that do not lead to it.
func (p *fingerprints) truncate(seq uint64) {
	if seq < p.first() || seq > p.last {
		p.hashes = p.hashes[:0]
	} else {
		p.hashes = p.hashes[:seq-p.first()+1]
	}
	p.last = seq
}

var hashSeed = maphash.MakeSeed()

// fingerprintOf returns the hash of a message, given its frame or its entry. The upper
// half is of the envelope, the lower half of the text: zero if that was retracted, that
// is, if it is empty.
func fingerprintOf(b []byte) uint64 {
	text, envelope := message.Parts(b)
	hash := maphash.Bytes(hashSeed, envelope) << 32
	if len(text) == 0 {
		return hash
	}
	return hash | max(1, maphash.Bytes(hashSeed, text)>>32)
}

// sameMessage reports whether two hashes are of one message, whose text may have been
// retracted between the two.
func sameMessage(a, b uint64) bool {
	return a == b || a>>32 == b>>32 && (uint32(a) == 0 || uint32(b) == 0) //nolint:gosec // G115: the lower half is meant
}
