package baseline

import (
	"encoding/binary"
	"math"
)

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
