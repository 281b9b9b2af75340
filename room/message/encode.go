package room

import (
	"bytes"
	"strconv"
	"time"
	"unicode/utf8"
)

// A message is composed once, by the node that posts it, and forwarded as
// bytes from then on. Its three forms differ in their first bytes only:
//
//	body:  "message":"hi","timestamp":"…","userId":"anna"}
//	entry: {"seq":7,"message":"hi","timestamp":"…","userId":"anna"}
//	frame: {"type":"message","seq":7,"message":"hi","timestamp":"…","userId":"anna"}
//
// The body is what the poster makes; the store gives it a number. The entry is
// what a store keeps and what stands in the messages of welcome, replay and
// history. The frame is what goes to every connection.
const (
	entryPrefix = `{"seq":`
	framePrefix = `{"type":"message","seq":`
)

// EncodeBody composes the body of a message. id is the sender's number for the
// message and session the public tag of its session; both are left out when id
// is zero.
func EncodeBody(message string, at time.Time, userID string, id uint64, session string) []byte {
	var b bytes.Buffer
	b.Grow(len(message) + len(userID) + 128)
	b.WriteString(`"message":`)
	writeString(&b, message)
	b.WriteString(`,"timestamp":"`)
	b.WriteString(FormatTime(at))
	b.WriteString(`","userId":`)
	writeString(&b, userID)
	if id > 0 {
		b.WriteString(`,"id":`)
		b.WriteString(strconv.FormatUint(id, 10))
		b.WriteString(`,"session":`)
		writeString(&b, session)
	}
	b.WriteByte('}')
	return b.Bytes()
}

// writeString writes s as a JSON string, byte for byte as encoding/json does: that
// would keep what it has encoded in a buffer that is used again, also when the room
// in which it was said is gone. HTML characters stay as they are: the text is data,
// and escaping them would only make it longer.
func writeString(b *bytes.Buffer, s string) {
	b.WriteByte('"')
	if isPlain(s) {
		b.WriteString(s)
		b.WriteByte('"')
		return
	}
	from := 0 // what precedes is written
	for i := 0; i < len(s); {
		r, size := rune(s[i]), 1
		if r >= utf8.RuneSelf {
			r, size = utf8.DecodeRuneInString(s[i:])
		}
		if escape := escapeOf(r, size); escape != "" {
			b.WriteString(s[from:i])
			b.WriteString(escape)
			from = i + size
		}
		i += size
	}
	b.WriteString(s[from:])
	b.WriteByte('"')
}

// isPlain reports whether s is a JSON string as it is: most of what people write
// in ASCII is.
func isPlain(s string) bool {
	for i := range len(s) {
		if c := s[i]; c < ' ' || c >= utf8.RuneSelf || c == '"' || c == '\\' {
			return false
		}
	}
	return true
}

// escapeOf returns what stands in a JSON string for a character of so many bytes,
// nothing if the character itself does (RFC 8259, section 7). The line separators
// U+2028 and U+2029 may stand in JSON, and not in JavaScript of old.
func escapeOf(r rune, size int) string {
	switch {
	case r == '"':
		return `\"`
	case r == '\\':
		return `\\`
	case r >= ' ' && r < utf8.RuneSelf:
		return ""
	case r == '\n':
		return `\n`
	case r == '\r':
		return `\r`
	case r == '\t':
		return `\t`
	case r == '\b':
		return `\b`
	case r == '\f':
		return `\f`
	case r == utf8.RuneError && size == 1:
		return `\ufffd` // no UTF-8
	case r < ' ' || r == '\u2028' || r == '\u2029':
		const digits = "0123456789abcdef"
		return string([]byte{'\\', 'u', digits[r>>12&15], digits[r>>8&15], digits[r>>4&15], digits[r&15]})
	default:
		return ""
	}
}

// Entry returns the entry of the message seq with the given body.
func Entry(seq uint64, body []byte) []byte { return numbered(entryPrefix, seq, body) }

// Frame returns the frame of the message seq with the given body.
func Frame(seq uint64, body []byte) []byte { return numbered(framePrefix, seq, body) }

func numbered(prefix string, seq uint64, body []byte) []byte {
	b := make([]byte, 0, len(prefix)+20+1+len(body))
	b = append(b, prefix...)
	b = strconv.AppendUint(b, seq, 10)
	b = append(b, ',')
	return append(b, body...)
}

// FrameOfEntry returns the frame of a message whose entry is known.
func FrameOfEntry(entry []byte) []byte { return exchange(entry, entryPrefix, framePrefix) }

// EntryOfFrame returns the entry of a message whose frame is known.
func EntryOfFrame(frame []byte) []byte { return exchange(frame, framePrefix, entryPrefix) }

func exchange(b []byte, from, to string) []byte {
	out := make([]byte, 0, len(b)-len(from)+len(to))
	out = append(out, to...)
	return append(out, b[len(from):]...)
}

// SeqOfEntry returns the number of the message with this entry, and whether
// the bytes are an entry at all.
func SeqOfEntry(entry []byte) (uint64, bool) { return seqAfter(entry, entryPrefix) }

// SeqOfFrame returns the number of the message with this frame, and whether the
// bytes are a frame at all.
func SeqOfFrame(frame []byte) (uint64, bool) { return seqAfter(frame, framePrefix) }

// SenderOfFrame returns the sender's number for the message with this frame and
// the public tag of its session; zero and nothing where the sender gave none.
// EncodeBody writes both at the end, and a quotation mark within a name or a text
// is preceded by a backslash, so that nobody can make them up.
func SenderOfFrame(frame []byte) (id uint64, session []byte) {
	rest, ok := bytes.CutSuffix(frame, []byte(`"}`))
	if !ok {
		return 0, nil
	}
	// From the end, because what precedes is long: a tag has no quotation mark.
	at := bytes.LastIndexByte(rest, '"') + 1
	session = rest[at:]
	rest, ok = bytes.CutSuffix(rest[:at], []byte(`,"session":"`))
	if !ok {
		return 0, nil
	}
	at = bytes.LastIndexByte(rest, ':') + 1
	if !bytes.HasSuffix(rest[:at], []byte(`,"id":`)) {
		return 0, nil
	}
	id, err := strconv.ParseUint(string(rest[at:]), 10, 64)
	if err != nil || id == 0 {
		return 0, nil
	}
	return id, session
}

func seqAfter(b []byte, prefix string) (uint64, bool) {
	rest, ok := bytes.CutPrefix(b, []byte(prefix))
	if !ok {
		return 0, false
	}
	digits, _, ok := bytes.Cut(rest, []byte{','})
	if !ok {
		return 0, false
	}
	seq, err := strconv.ParseUint(string(digits), 10, 64)
	return seq, err == nil && seq > 0
}
