// Package message encodes messages: as the body that a node composes once, as the
// entry that a store keeps, and as the frame that clients receive.
package message

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"time"
	"unicode/utf8"
)

// The node that posts a message composes it once; from then on it is forwarded as
// bytes. Its three forms differ only in their first bytes:
//
//	body:  "message":"hi","timestamp":"…","userId":"anna"}
//	entry: {"seq":7,"message":"hi","timestamp":"…","userId":"anna"}
//	frame: {"type":"message","seq":7,"message":"hi","timestamp":"…","userId":"anna"}
//
// The poster makes the body; the store gives it a number. Stores keep the entry,
// which clients also receive in welcome, replay and history. Every connection
// receives the frame.
const (
	entryPrefix = `{"seq":`
	framePrefix = `{"type":"message","seq":`
)

// EncodeBody composes the body of a message. id is the sender's number for the
// message, session the public tag of its session; zero leaves both out.
func EncodeBody(text string, at time.Time, userID string, id uint64, session string) []byte {
	var b bytes.Buffer
	b.Grow(len(text) + len(userID) + 128)
	b.WriteString(`"message":`)
	appendString(&b, text)
	b.WriteString(`,"timestamp":"`)
	b.WriteString(FormatTime(at))
	b.WriteString(`","userId":`)
	appendString(&b, userID)
	if id > 0 {
		b.WriteString(`,"id":`)
		b.WriteString(strconv.FormatUint(id, 10))
		b.WriteString(`,"session":`)
		appendString(&b, session)
	}
	b.WriteByte('}')
	return b.Bytes()
}

// appendString writes s as a JSON string (RFC 8259, section 7), as encoding/json
// does without escaping HTML: the text is data, and escapes would only lengthen it.
func appendString(b *bytes.Buffer, s string) {
	if isPlain(s) {
		b.WriteByte('"')
		b.WriteString(s)
		b.WriteByte('"')
		return
	}
	b.Write(JSON(s))
}

// JSON encodes a value that has only strings, booleans and numbers. Characters of HTML
// stay as they are.
func JSON(v any) []byte {
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(v); err != nil {
		panic(fmt.Sprintf("message: encoding %T: %v", v, err))
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")) // which Encode adds
}

// isPlain reports whether s needs no escapes, as most ASCII text doesn't.
func isPlain(s string) bool {
	for i := range len(s) {
		if c := s[i]; c < ' ' || c >= utf8.RuneSelf || c == '"' || c == '\\' {
			return false
		}
	}
	return true
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

// FrameOfEntry returns the frame of the message with this entry.
func FrameOfEntry(entry []byte) []byte { return exchange(entry, entryPrefix, framePrefix) }

// EntryOfFrame returns the entry of the message with this frame.
func EntryOfFrame(frame []byte) []byte { return exchange(frame, framePrefix, entryPrefix) }

func exchange(b []byte, from, to string) []byte {
	return slices.Concat([]byte(to), b[len(from):])
}

// SeqOfEntry returns the number of the message with this entry. It reports false
// if the bytes are no entry.
func SeqOfEntry(entry []byte) (uint64, bool) { return seqAfter(entry, entryPrefix) }

// SeqOfFrame returns the number of the message with this frame. It reports false
// if the bytes are no frame.
func SeqOfFrame(frame []byte) (uint64, bool) { return seqAfter(frame, framePrefix) }

// SenderOfFrame returns the sender's id for the message with this frame and the
// public tag of its session; zero and nil if the sender gave no id. EncodeBody
// writes both at the end, and JSON escapes quotation marks, so that no name or text
// can forge them.
func SenderOfFrame(frame []byte) (id uint64, session []byte) {
	rest, ok := bytes.CutSuffix(frame, []byte(`"}`))
	if !ok {
		return 0, nil
	}
	// From the end, because the text before is long. A tag has no quotation mark.
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

// timeLayout is RFC 3339 with milliseconds.
const timeLayout = "2006-01-02T15:04:05.000Z07:00"

// FormatTime returns a time in the format of the API: RFC 3339 with milliseconds,
// in UTC.
func FormatTime(t time.Time) string { return t.UTC().Format(timeLayout) }
