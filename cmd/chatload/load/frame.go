package load

import (
	"encoding/binary"
	"errors"
	"math"
)

// Opcodes of frames (RFC 6455, section 5.2).
const (
	opContinuation = 0x0
	opText         = 0x1
	opClose        = 0x8
	opPing         = 0x9
	opPong         = 0xa
)

// maxFrame is the size of the largest frame or message accepted from a server, in bytes.
const maxFrame = 16 << 20

var (
	errMasked   = errors.New("load: the server sent a masked frame")
	errReserved = errors.New("load: the server sent a frame with reserved bits set")
	errTooLarge = errors.New("load: the server sent a frame of more than 16 MiB")
)

// frame is a frame from a server. The payload refers to the parsed buffer.
type frame struct {
	final   bool
	opcode  byte
	payload []byte
}

// parseFrame parses the frame at the beginning of b and returns its size in bytes.
// The frame is incomplete if the size is above len(b), or 0, for unknown.
func parseFrame(b []byte) (f frame, size int, err error) {
	if len(b) < 2 {
		return frame{}, 0, nil
	}
	if b[0]&0x70 != 0 {
		return frame{}, 0, errReserved
	}
	if b[1]&0x80 != 0 {
		return frame{}, 0, errMasked
	}
	head, length := 2, int(b[1])
	switch length {
	case 126:
		if len(b) < 4 {
			return frame{}, 0, nil
		}
		head, length = 4, int(binary.BigEndian.Uint16(b[2:]))
	case 127:
		if len(b) < 10 {
			return frame{}, 0, nil
		}
		long := binary.BigEndian.Uint64(b[2:])
		if long > maxFrame {
			return frame{}, 0, errTooLarge
		}
		head, length = 10, int(long)
	}
	size = head + length
	if len(b) < size {
		return frame{}, size, nil
	}
	return frame{final: b[0]&0x80 != 0, opcode: b[0] & 0x0f, payload: b[head:size]}, size, nil
}

// appendFrame appends a final frame with the concatenated parts as its payload,
// masked with the key as clients must do (RFC 6455, section 5.3).
func appendFrame(b []byte, opcode byte, key uint32, parts ...[]byte) []byte {
	length := 0
	for _, part := range parts {
		length += len(part)
	}
	b = append(b, 0x80|opcode)
	switch {
	case length < 126:
		b = append(b, 0x80|byte(length))
	case length <= math.MaxUint16:
		b = append(b, 0x80|126)
		b = binary.BigEndian.AppendUint16(b, uint16(length))
	default:
		b = append(b, 0x80|127)
		b = binary.BigEndian.AppendUint64(b, uint64(length))
	}
	b = binary.LittleEndian.AppendUint32(b, key)
	start := len(b)
	for _, part := range parts {
		b = append(b, part...)
	}
	payload := b[start:]
	for len(payload) >= 4 {
		binary.LittleEndian.PutUint32(payload, binary.LittleEndian.Uint32(payload)^key)
		payload = payload[4:]
	}
	for i := range payload {
		payload[i] ^= byte(key >> (8 * i)) //nolint:gosec // truncated to its lowest byte
	}
	return b
}
