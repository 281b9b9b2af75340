package redisstore

import (
	"fmt"
	"strconv"
	"time"

	"github.com/ephemeralchat/caddy-ephemeral-chat/room"
)

// errMalformed means that a script has not replied what it says at its top: a
// server that only looks like Redis, or a room that somebody else has written to.
var errMalformed = fmt.Errorf("redisstore: %w: malformed reply", room.ErrInternal)

// maxSeq is the highest number of a message: the highest that Lua has exactly.
const maxSeq = 1<<53 - 1

// reply is the list that a script returns. What is missing or of another type
// reads as zero; where zero would be taken for an answer, status or an error says
// that there is none.
type reply []any

// replyMalformed is the status of a reply that has none.
const replyMalformed = -1

// status is the first number, where a script says so.
func (r reply) status() int64 {
	if n, ok := r.at(0).(int64); ok {
		return n
	}
	return replyMalformed
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
		n, err := strconv.ParseInt(v, 10, 64)
		if err != nil {
			return 0
		}
		return n
	default:
		return 0
	}
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

// bytes is nil where there is nothing.
func (r reply) bytes(i int) []byte {
	if s := r.text(i); s != "" {
		return []byte(s)
	}
	return nil
}

// time is zero where there is none.
func (r reply) time(i int) time.Time {
	ms := r.number(i)
	if ms == 0 {
		return time.Time{}
	}
	return time.UnixMilli(ms)
}

func (r reply) list(i int) reply {
	l, _ := r.at(i).([]any)
	return l
}
