package redisstore

import (
	"strconv"
	"time"
)

// reply is the list that a script returns. What is missing or of another type
// reads as zero.
type reply []any

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
