package script

import (
	"fmt"
	"math"
	"strconv"
	"time"

	"github.com/ephemeralchat/caddy-ephemeral-chat/room"
)

// errMalformed means that a reply breaks the contract of its script: the server is not
// Redis, or another program has written to the room.
var errMalformed = fmt.Errorf("redisstore: %w: malformed reply", room.ErrInternal)

// maxSeq is the highest number of a message: the highest that Lua represents exactly.
const maxSeq = 1<<53 - 1

// Statuses: the first number of a reply, and the negative reply of post.lua.
const (
	statusOK        = 0
	statusGone      = 1 // no such room
	statusRemoved   = 2
	statusNot       = 3 // not a member; of post: not stored, a duplicate
	statusLocked    = 4
	statusFull      = 5
	statusTooLate   = 6
	statusRoomTaken = 7
	statusNoMessage = 8
	statusNotOwn    = 9
	statusLost      = 10 // of post
	statusStarted   = 16 // of post, more negative than all others: see there

	statusMalformed = -1 // the reply has none
)

// statusErrors are the errors that statuses stand for. All others are malformed, or have
// another meaning for each script.
var statusErrors = map[int64]error{
	statusOK:        nil,
	statusGone:      room.ErrRoomNotFound,
	statusRemoved:   room.ErrRemoved,
	statusLocked:    room.ErrRoomLocked,
	statusFull:      room.ErrRoomFull,
	statusNoMessage: room.ErrMessageNotFound,
	statusNotOwn:    room.ErrNotAdmin,
}

func statusError(status int64) error {
	if err, known := statusErrors[status]; known {
		return err
	}
	return errMalformed
}

// reply is the list that a script returns. An element that is missing or has another
// type reads as zero; where zero would pass for an answer, status or an error reports
// the difference.
type reply []any

func (r reply) status() int64 {
	if n, ok := r.at(0).(int64); ok {
		return n
	}
	return statusMalformed
}

func (r reply) at(i int) any {
	if i >= len(r) {
		return nil
	}
	return r[i]
}

func (r reply) number(i int) int64 {
	switch v := r.at(i).(type) {
	case int64:
		return v
	case string:
		if n, err := strconv.ParseInt(v, 10, 64); err == nil {
			return n
		}
	}
	return 0
}

// count is a number that is never negative.
func (r reply) count(i int) uint64 {
	if s, ok := r.at(i).(string); ok {
		n, err := strconv.ParseUint(s, 10, 64)
		if err != nil {
			return 0
		}
		return n
	}
	return uint64(max(0, r.number(i)))
}

func (r reply) text(i int) string {
	s, _ := r.at(i).(string)
	return s
}

// bytes is nil for an empty string.
func (r reply) bytes(i int) []byte {
	if s := r.text(i); s != "" {
		return []byte(s)
	}
	return nil
}

func (r reply) time(i int) time.Time {
	if ms := r.number(i); ms != 0 {
		return time.UnixMilli(ms)
	}
	return time.Time{}
}

func (r reply) list(i int) reply {
	l, _ := r.at(i).([]any)
	return l
}

// room decodes the fields that room_fields.lua returns, except the lobby time. The result has the room id of
// instanceID, and the instance of the reply. A field that every room has must be
// there: sessions are signed with the key, and a time to live of zero ends at once.
func (r reply) room(instanceID string) (room.Room, error) {
	id, _ := room.SplitInstanceID(instanceID)
	seconds := r.number(5)
	if r.text(1) == "" || r.text(9) == "" || seconds <= 0 || seconds > math.MaxInt64/int64(time.Second) {
		return room.Room{}, errMalformed
	}
	return room.Room{
		ID:        id,
		Seq:       r.count(0),
		Epoch:     r.text(1),
		Deadline:  r.time(2),
		StartedAt: r.time(3),
		CreatedAt: r.time(4),
		TTL:       time.Duration(seconds) * time.Second,
		Locked:    r.text(6) != "",
		Admin:     r.text(7),
		Name:      r.text(8),
		Key:       r.bytes(9),
		Password:  r.bytes(10),

		AdminPassword: r.bytes(12),
		Instance:      r.text(13),
		SignedIn:      r.text(14) == textFlag(true),
	}, nil
}

// textFlag is a flag that is stored as a field, which is absent if it is not set.
func textFlag(set bool) string {
	if set {
		return "1"
	}
	return ""
}

// wholeSeconds rounds up.
func wholeSeconds(d time.Duration) int64 { return int64((d + time.Second - 1) / time.Second) }
