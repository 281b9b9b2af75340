package baseline

import (
	"encoding/binary"
	"math"
)

// batchedSink is Batched.
type batchedSink struct {
	members []*member
}

func (s *batchedSink) join(m *member) {
	m.wake = make(chan struct{}, 1)
	s.members = append(s.members, m)
	// Ends when the member leaves; nobody waits for it, nothing depends on it.
	go m.writeQueued()
}

func (s *batchedSink) leave(m *member) {
	s.members = without(s.members, m)
	close(m.wake)
}

func (s *batchedSink) deliver(payload []byte) {
	frame := appendFrame(make([]byte, 0, len(payload)+10), payload)
	for _, m := range s.members {
		m.mu.Lock()
		m.queue = append(m.queue, frame...)
		m.mu.Unlock()
		select {
		case m.wake <- struct{}{}:
		default:
		}
	}
}

// writeQueued writes what is queued, until the member leaves.
func (m *member) writeQueued() {
	var spare []byte
	for range m.wake {
		m.mu.Lock()
		queue := m.queue
		m.queue = spare[:0]
		m.mu.Unlock()
		if _, err := m.ws.NetConn().Write(queue); err != nil {
			return // its reader fails as well
		}
		spare = queue
	}
}

// appendFrame appends a final text frame as servers send it (RFC 6455, section
// 5.2).
func appendFrame(b, payload []byte) []byte {
	b = append(b, 0x81)
	switch n := len(payload); {
	case n < 126:
		b = append(b, byte(n))
	case n <= math.MaxUint16:
		b = binary.BigEndian.AppendUint16(append(b, 126), uint16(n))
	default:
		b = binary.BigEndian.AppendUint64(append(b, 127), uint64(n))
	}
	return append(b, payload...)
}
