// Package rawws is a WebSocket client below the protocol. It writes any bytes, over
// TCP, TLS or a stream of HTTP/2, and checks strictly what the server sends.
package rawws

import "encoding/binary"

// The opcodes and the highest bits of a frame (RFC 6455, section 5.2).
const (
	Continuation = 0x0
	Text         = 0x1
	Binary       = 0x2
	Close        = 0x8
	Ping         = 0x9
	Pong         = 0xa

	Final = 0x80
	Mask  = 0x80
)

// SampleKey and SampleAccept are the example of RFC 6455, section 1.3.
const (
	SampleKey    = "dGhlIHNhbXBsZSBub25jZQ=="
	SampleAccept = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
)

// Frame encodes a client's frame, valid or not. first is its first byte: opcode and
// flags.
func Frame(first byte, payload string) []byte {
	switch n := len(payload); {
	case n < 126:
		return FrameWithLength(first, []byte{byte(n)}, payload)
	case n < 1<<16:
		return FrameWithLength(first, binary.BigEndian.AppendUint16([]byte{126}, uint16(n)), payload)
	default:
		return FrameWithLength(first, Length64(uint64(n)), payload)
	}
}

// FrameWithLength encodes a frame with a given encoding of its length, which lacks
// the mask bit.
func FrameWithLength(first byte, length []byte, payload string) []byte {
	mask := [4]byte{0x9d, 0x00, 0xff, 0x21}
	b := append([]byte{first, length[0] | Mask}, length[1:]...)
	b = append(b, mask[:]...)
	for i := range len(payload) {
		b = append(b, payload[i]^mask[i%4])
	}
	return b
}

// Length64 encodes a length in eight bytes.
func Length64(n uint64) []byte { return binary.BigEndian.AppendUint64([]byte{127}, n) }

// TextFrame encodes a whole text message.
func TextFrame(payload string) []byte { return Frame(Final|Text, payload) }

// ClosePayload encodes the payload of a close frame.
func ClosePayload(code uint16, reason string) string {
	return string(binary.BigEndian.AppendUint16(nil, code)) + reason
}
