package message

import "bytes"

// A message that was retracted keeps its place: its number, time and sender, and
// the sender's number for it with the session. Its text is gone, and a mark
// stands before where it was:
//
//	entry: {"seq":7,"retracted":true,"message":"","timestamp":"…","userId":"anna"}
//
// What follows the text, the envelope, is the same as before. Within a name or a
// text a quotation mark is preceded by a backslash, so that nobody can make up
// what the functions below look for.
const (
	textPrefix     = `"message":"`
	textSuffix     = `","timestamp":"`
	senderPrefix   = `,"userId":`
	retractionMark = `"retracted":true,`
)

// WithoutText returns the entry or frame of a message as it is once the message
// was retracted. b is not changed. It is returned as it is if it is neither, or
// retracted already.
func WithoutText(b []byte) []byte {
	text, envelope := Parts(b)
	if envelope == nil || IsRetracted(b) {
		return b
	}
	head := b[:len(b)-len(textPrefix)-len(text)-len(envelope)]
	out := make([]byte, 0, len(head)+len(retractionMark)+len(textPrefix)+len(envelope))
	out = append(out, head...)
	out = append(out, retractionMark...)
	out = append(out, textPrefix...)
	return append(out, envelope...)
}

// IsRetracted reports whether b is the entry or frame of a message that was
// retracted.
func IsRetracted(b []byte) bool {
	_, rest, _ := bytes.Cut(b, []byte(`"seq":`))
	_, rest, _ = bytes.Cut(rest, []byte{','})
	return bytes.HasPrefix(rest, []byte(retractionMark))
}

// Parts returns of the entry or frame of a message the text, as JSON without its
// quotation marks, and the envelope, from the text's last quotation mark on. Both
// are nil where b is neither.
func Parts(b []byte) (text, envelope []byte) {
	_, rest, ok := bytes.Cut(b, []byte(textPrefix))
	at := bytes.Index(rest, []byte(textSuffix))
	if !ok || at < 0 {
		return nil, nil
	}
	return rest[:at], rest[at:]
}

// SenderField is what stands in the envelope of each message of a user, and of
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
