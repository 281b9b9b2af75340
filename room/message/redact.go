package message

import (
	"bytes"
	"slices"
)

// A retracted message keeps its place: its number, time and sender, and the
// sender's id and session. Its text is gone, and a mark precedes the empty text:
//
//	entry: {"seq":7,"retracted":true,"message":"","timestamp":"…","userId":"anna"}
//
// The part after the text, the envelope, stays the same. JSON escapes each
// quotation mark within a name or a text, so that no user can forge the patterns
// that the functions below search for.
const (
	textPrefix     = `"message":"`
	textSuffix     = `","timestamp":"`
	senderPrefix   = `,"userId":`
	retractionMark = `"retracted":true,`
)

// WithoutText returns the retracted form of an entry or frame. It does not change
// b, and returns b itself if that is neither, or retracted already.
func WithoutText(b []byte) []byte {
	text, envelope := Parts(b)
	if envelope == nil || IsRetracted(b) {
		return b
	}
	head := b[:len(b)-len(textPrefix)-len(text)-len(envelope)]
	return slices.Concat(head, []byte(retractionMark+textPrefix), envelope)
}

// IsRetracted reports whether b is the entry or frame of a retracted message.
func IsRetracted(b []byte) bool {
	_, rest, _ := bytes.Cut(b, []byte(`"seq":`))
	_, rest, _ = bytes.Cut(rest, []byte{','})
	return bytes.HasPrefix(rest, []byte(retractionMark))
}

// Parts returns the text of an entry or frame, as JSON without its quotation
// marks, and the envelope, from the text's closing quotation mark on. Both are nil
// if b is neither.
func Parts(b []byte) (text, envelope []byte) {
	_, rest, ok := bytes.Cut(b, []byte(textPrefix))
	at := bytes.Index(rest, []byte(textSuffix))
	if !ok || at < 0 {
		return nil, nil
	}
	return rest[:at], rest[at:]
}

// SenderField returns a part of the envelope that each message of a user has, and
// no other message.
func SenderField(userID string) []byte {
	var b bytes.Buffer
	b.WriteString(senderPrefix)
	appendString(&b, userID)
	return b.Bytes()
}

// IsSentBy reports whether b is the entry or frame of a message of a user.
func IsSentBy(b []byte, userID string) bool {
	_, envelope := Parts(b)
	return bytes.Contains(envelope, SenderField(userID))
}
