package load

import (
	"bytes"
	"strconv"
)

// The text of a message begins with a stamp: ~<slot>.<time>~, where the time is
// in nanoseconds since the start of the run, and the slot tells which of the
// messages that are under way in the room it is. The rest is filling.

// appendText appends a text of size bytes, or as many as its stamp needs. None of
// them has to be escaped in JSON.
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

// parseStamp finds a stamp.
func parseStamp(text []byte) (slot, sent int64, ok bool) {
	at := bytes.IndexByte(text, '~')
	if at < 0 {
		return 0, 0, false
	}
	text = text[at+1:]
	n := int64(0)
	for i, c := range text {
		switch {
		case c >= '0' && c <= '9':
			n = n*10 + int64(c-'0')
		case c == '.' && !ok:
			slot, n, ok = n, 0, true
		case c == '~' && ok && i > 0:
			return slot, n, true
		default:
			return 0, 0, false
		}
	}
	return 0, 0, false
}
