package load

import (
	"bytes"
	"strconv"
)

// The text of a message is ~<slot>.<time>~ and padding. The time is in nanoseconds
// since the start of the run. The slot identifies the message among those in flight
// in its room.

// appendText appends a text of size bytes, or of more if slot and time need them.
// JSON needs no escapes for it.
func appendText(b []byte, slot, sent int64, size int) []byte {
	end := len(b) + size
	b = append(b, '~')
	b = strconv.AppendInt(b, slot, 10)
	b = append(b, '.')
	b = strconv.AppendInt(b, sent, 10)
	b = append(b, '~')
	for len(b) < end {
		b = append(b, 'x')
	}
	return b
}

// parseText finds slot and time anywhere in a text.
func parseText(text []byte) (slot, sent int64, ok bool) {
	_, text, _ = bytes.Cut(text, []byte{'~'})
	n := int64(0)
	for _, c := range text {
		switch {
		case c >= '0' && c <= '9':
			n = n*10 + int64(c-'0')
		case c == '.' && !ok:
			slot, n, ok = n, 0, true
		case c == '~' && ok:
			return slot, n, true
		default:
			return 0, 0, false
		}
	}
	return 0, 0, false
}
