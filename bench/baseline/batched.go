package baseline

import (
	"encoding/binary"
	"math"
)

// batched implements Batched.
type batched struct {
	members []*member
}

func (b *batched) join(m *member) {
	m.wake = make(chan struct{}, 1)
	b.members = append(b.members, m)
	// Ends when the member leaves. Nothing waits for it.
	go m.writeQueued()
}

func (b *batched) leave(m *member) {
	b.members = without(b.members, m)
	close(m.wake)
}

func (b *batched) deliver(payload []byte) {
	frame := newFrame(payload)
	for _, m := range b.members {
		m.mu.Lock()
		m.queue = append(m.queue, frame...)
		m.mu.Unlock()
		notify(m.wake)
	}
}

// notify wakes the goroutine that receives from a channel of capacity 1.
func notify(wake chan<- struct{}) {
	select {
	case wake <- struct{}{}:
	default: // it has not received the previous one yet
	}
}

// writeQueued writes queued frames until the member leaves.
func (m *member) writeQueued() {
	var spare []byte
	for range m.wake {
		m.mu.Lock()
		queue := m.queue
		m.queue = spare[:0]
		m.mu.Unlock()
		if _, err := m.ws.NetConn().Write(queue); err != nil {
			return // the connection's reader fails as well
		}
		spare = queue
	}
}

// newFrame returns a final text frame as servers send it (RFC 6455, section 5.2).
func newFrame(payload []byte) []byte {
	frame := append(make([]byte, 0, len(payload)+10), 0x81)
	switch n := len(payload); {
	case n < 126:
		frame = append(frame, byte(n))
	case n <= math.MaxUint16:
		frame = binary.BigEndian.AppendUint16(append(frame, 126), uint16(n))
	default:
		frame = binary.BigEndian.AppendUint64(append(frame, 127), uint64(n))
	}
	return append(frame, payload...)
}
