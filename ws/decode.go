package ws

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"

	"github.com/ephemeralchat/caddy-ephemeral-chat/room"
)

// maxInteger is the largest integer that every JSON implementation, and Lua,
// represents exactly (RFC 8259, section 6).
const maxInteger = 1<<53 - 1

// Limits of a request for older messages.
const (
	defaultHistory = 50
	maxHistory     = 200
)

// clientFrame is a frame of a client. Which fields mean something depends on
// the type.
type clientFrame struct {
	Type string `json:"type"`

	// join
	RoomID    string  `json:"roomId"`
	UserID    string  `json:"userId"`
	SessionID string  `json:"sessionId"`
	After     *uint64 `json:"after"`
	Epoch     string  `json:"epoch"`

	// message
	ID      *uint64 `json:"id"`
	Message string  `json:"message"`

	// retract, with Epoch
	Seq *uint64 `json:"seq"`

	// history
	Before *uint64 `json:"before"`
	Limit  *int    `json:"limit"`
}

// decodeFrame decodes a frame. It fails with room.ErrBadFrame if the bytes are
// not a JSON object, and with room.ErrInvalidFrame if a field of it has the
// wrong type or is out of range; in the latter case the fields that could be
// decoded are set.
func decodeFrame(data []byte) (clientFrame, error) {
	var f clientFrame
	if f.decodePlain(data) {
		return f, nil
	}
	return decodeJSON(data)
}

func decodeJSON(data []byte) (clientFrame, error) {
	var f clientFrame
	// encoding/json takes null for an empty object.
	if object := bytes.TrimLeft(data, " \t\r\n"); len(object) == 0 || object[0] != '{' {
		return f, room.ErrBadFrame
	}
	if err := json.Unmarshal(data, &f); err != nil {
		if wrong, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
			return f, fmt.Errorf("%w: %s has the wrong type", room.ErrInvalidFrame, wrong.Field)
		}
		return f, room.ErrBadFrame
	}
	switch {
	case f.ID != nil && (*f.ID == 0 || *f.ID > maxInteger):
		return f, fmt.Errorf("%w: id must be an integer from 1 to 2^53-1", room.ErrInvalidFrame)
	case f.After != nil && *f.After > maxInteger:
		return f, fmt.Errorf("%w: after must be an integer from 0 to 2^53-1", room.ErrInvalidFrame)
	case f.Seq != nil && (*f.Seq == 0 || *f.Seq > maxInteger):
		return f, fmt.Errorf("%w: seq must be an integer from 1 to 2^53-1", room.ErrInvalidFrame)
	case f.Before != nil && (*f.Before == 0 || *f.Before > maxInteger):
		return f, fmt.Errorf("%w: before must be an integer from 1 to 2^53-1", room.ErrInvalidFrame)
	case f.Limit != nil && (*f.Limit < 1 || *f.Limit > maxHistory):
		return f, fmt.Errorf("%w: limit must be an integer from 1 to %d", room.ErrInvalidFrame, maxHistory)
	}
	return f, nil
}

// decodePlain decodes what most frames are, a message of plain text in the form
// {"type":"message","message":"…","id":1} with or without the id, at a tenth of
// the cost of decodeJSON. It reports false for anything else, valid or not.
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

// id returns the sender's number of a message, zero if there is none that
// could be one.
func (f *clientFrame) id() uint64 {
	if f.ID == nil || *f.ID > maxInteger {
		return 0
	}
	return *f.ID
}
