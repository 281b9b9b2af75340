package load

import (
	"sync/atomic"
)

// room is a room with its members. Those that have not stalled send in turn.
type room struct {
	// Fixed before the first message is sent.
	run       *run
	conns     []*conn
	listeners []*conn // members that read
	slots     []slot  // one for each message in flight; none at a fixed rate
	base      uint64  // number of the newest message when all had joined

	limit atomic.Uint64 // of messages that may be sent
	sent  atomic.Uint64
	next  atomic.Uint64 // counts turns
}

// slot is a message in flight.
type slot struct {
	missing atomic.Int32 // members that have not received it
	_       [60]byte     // no two slots share a cache line
}

// send sends a message from the next member whose connection works.
func (r *room) send(slot int) {
	if r.sent.Load() >= r.limit.Load() {
		return
	}
	if slot < len(r.slots) {
		r.slots[slot].missing.Store(int32(len(r.listeners))) //nolint:gosec // far fewer than 2^31
	}
	for range r.listeners {
		c := r.listeners[(r.next.Add(1)-1)%uint64(len(r.listeners))]
		if c.lost.Load() {
			continue
		}
		r.sent.Add(1)
		err := c.sendMessage(slot)
		if err == nil {
			return
		}
		r.sent.Add(^uint64(0))
		r.run.noteDisconnect(c, err)
		c.close()
	}
}

// delivered counts a delivery. The last one of a message sends the next message.
func (r *room) delivered(slot int64) {
	if slot < int64(len(r.slots)) && r.slots[slot].missing.Add(-1) == 0 {
		r.send(int(slot))
	}
}

// newest returns the number of the newest message that the server has accepted.
func (r *room) newest() uint64 { return r.base + r.accepted() }

// accepted returns how many messages were sent and not refused.
func (r *room) accepted() uint64 {
	accepted := r.sent.Load()
	for _, c := range r.conns {
		accepted -= min(accepted, c.refused.Load())
	}
	return accepted
}
