package ws

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strconv"

	"github.com/ephemeralchat/caddy-ephemeral-chat/internal/apierror"
)

// maxInteger is the largest integer that every JSON implementation, and Lua,
// represents exactly (RFC 8259, section 6).
const maxInteger = 1<<53 - 1

// clientFrame is a frame of a client. Its type determines which fields are used.
type clientFrame struct {
	Type string

	// join
	RoomID    string
	UserID    string
	SessionID string
	// After is the number of the last message that the client has received, nil if it
	// does not resume, and Epoch the epoch of that number, empty for the current one.
	After *uint64
	Epoch string

	// message
	ID      *uint64
	Message string

	// retract, with Epoch
	Seq *uint64

	// history
	Before *uint64
	Limit  *int
}

// decodeFrame decodes a frame. It fails with apierror.ErrBadFrame if the bytes are not
// a JSON object, and with apierror.ErrInvalidFrame if a field has the wrong type or is
// out of range; then the fields that could be decoded are set.
func decodeFrame(data []byte) (clientFrame, error) {
	var f clientFrame
	if f.decodePlain(data) {
		return f, nil
	}
	return decodeJSON(data)
}

// decodeJSON matches names exactly, unlike encoding/json does with structs: a proxy
// that inspects the frames must not see other fields than the server.
func decodeJSON(data []byte) (clientFrame, error) {
	var f clientFrame
	var values map[string]json.RawMessage
	// encoding/json decodes null into a nil map.
	if err := json.Unmarshal(data, &values); err != nil || values == nil {
		return f, apierror.ErrBadFrame
	}
	wrong := ""
	for _, field := range [...]struct {
		name  string
		value any
	}{
		{"type", &f.Type},
		{"roomId", &f.RoomID},
		{"userId", &f.UserID},
		{"sessionId", &f.SessionID},
		{"after", &f.After},
		{"epoch", &f.Epoch},
		{"id", &f.ID},
		{"message", &f.Message},
		{"seq", &f.Seq},
		{"before", &f.Before},
		{"limit", &f.Limit},
	} {
		if raw, ok := values[field.name]; ok && json.Unmarshal(raw, field.value) != nil && wrong == "" {
			wrong = field.name
		}
	}
	if wrong != "" {
		return f, fmt.Errorf("%w: %s has the wrong type", apierror.ErrInvalidFrame, wrong)
	}
	for _, n := range [...]struct {
		name  string
		value *uint64
		least uint64
	}{{"id", f.ID, 1}, {"after", f.After, 0}, {"seq", f.Seq, 1}, {"before", f.Before, 1}} {
		if n.value != nil && (*n.value < n.least || *n.value > maxInteger) {
			return f, fmt.Errorf("%w: %s must be an integer from %d to 2^53-1", apierror.ErrInvalidFrame, n.name, n.least)
		}
	}
	if f.Limit != nil && (*f.Limit < 1 || *f.Limit > maxHistory) {
		return f, fmt.Errorf("%w: limit must be an integer from 1 to %d", apierror.ErrInvalidFrame, maxHistory)
	}
	return f, nil
}

// decodePlain decodes the form of most frames, a message of plain text
// {"type":"message","message":"…","id":1} with or without the id, at a tenth of the
// cost of decodeJSON. It returns false for any other frame, valid or not.
func (f *clientFrame) decodePlain(data []byte) bool {
	rest, ok := bytes.CutPrefix(data, []byte(`{"type":"message","message":"`))
	if !ok {
		return false
	}
	end := bytes.IndexByte(rest, '"')
	if end < 0 {
		return false
	}
	for _, c := range rest[:end] {
		if c < ' ' || c == '\\' {
			return false
		}
	}
	message, rest := rest[:end], rest[end+1:]
	if string(rest) != "}" {
		digits, ok := bytes.CutPrefix(rest, []byte(`,"id":`))
		digits, closed := bytes.CutSuffix(digits, []byte("}"))
		if !ok || !closed || len(digits) == 0 || digits[0] == '0' || digits[0] == '+' {
			return false
		}
		id, err := strconv.ParseUint(string(digits), 10, 64)
		if err != nil || id > maxInteger {
			return false
		}
		f.ID = &id
	}
	f.Type, f.Message = "message", string(message)
	return true
}

// id returns the sender's number of a message, or zero if it has no valid one.
func (f *clientFrame) id() uint64 {
	if f.ID == nil || *f.ID > maxInteger {
		return 0
	}
	return *f.ID
}
