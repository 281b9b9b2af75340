package ws_test

import (
	"encoding/binary"
)

// Opcodes of frames (RFC 6455, section 5.2).
const (
	opContinuation = 0x0
	opText         = 0x1
	opClose        = 0x8
	opPing         = 0x9
	opPong         = 0xa

	final  = 0x80
	rsv1   = 0x40
	masked = 0x80
)

// rawFrame encodes a client's frame, valid or not. first is its first byte: opcode
// and flags.
func rawFrame(first byte, payload string) []byte {
	b := []byte{first}
	switch n := len(payload); {
	case n < 126:
		b = append(b, masked|byte(n))
	case n < 1<<16:
		b = binary.BigEndian.AppendUint16(append(b, masked|126), uint16(n))
	default:
		b = binary.BigEndian.AppendUint64(append(b, masked|127), uint64(n))
	}
	mask := [4]byte{1, 2, 3, 4}
	b = append(b, mask[:]...)
	for i := range len(payload) {
		b = append(b, payload[i]^mask[i%4])
	}
	return b
}

// sendRaw sends bytes as they are.
func (c *client) sendRaw(frames ...[]byte) {
	c.tb.Helper()
	for _, b := range frames {
		if _, err := c.socket.NetConn().Write(b); err != nil {
			c.tb.Fatalf("%s sending bytes: %v", c.name, err)
		}
	}
}
