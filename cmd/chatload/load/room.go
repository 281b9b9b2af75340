package load

import (
	"sync/atomic"
)

// room is a room with its members. All of them talk in turn, but for those that
// have stalled.
type room struct {
	// Fixed before anybody talks.
	run       *run
	conns     []*conn
	listeners []*conn // those that read
	slots     []slot  // one for each message that may be under way; none at a fixed rate
	base      uint64  // number of the newest message

	limit atomic.Uint64 // how many messages may be sent
	sent  atomic.Uint64
	turn  atomic.Uint64
}

// slot is a message under way.
type slot struct {
	left atomic.Int32 // so many members have not got it yet
	_    [60]byte     // no two share a cache line
}

// say lets the next member say something.
func (r *room) say(slot int) {
	if r.sent.Load() >= r.limit.Load() {
		return
	}
	if slot < len(r.slots) {
		r.slots[slot].left.Store(int32(len(r.listeners))) //nolint:gosec // far fewer than 2^31
	}
	for range r.listeners {
		c := r.listeners[(r.turn.Add(1)-1)%uint64(len(r.listeners))]
		if c.gone.Load() {
			continue
		}
		r.sent.Add(1)
		err := c.say(slot)
		if err == nil {
			return
		}
		r.sent.Add(^uint64(0))
		r.run.lose(c, err)
		c.close()
	}
}

// delivered counts a delivery. Whoever gets a message last makes room for the
// next one.
func (r *room) delivered(slot int64) {
	if slot < int64(len(r.slots)) && r.slots[slot].left.Add(-1) == 0 {
		r.say(int(slot))
	}
}

// newest returns the number of the newest message there must be.
func (r *room) newest() uint64 { return r.base + r.accepted() }

// accepted returns how many messages were sent and not refused.
func (r *room) accepted() uint64 {
	accepted := r.sent.Load()
	for _, c := range r.conns {
		accepted -= min(accepted, c.refused.Load())
	}
	return accepted
}
