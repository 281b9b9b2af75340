package ephemeralchat

import (
	"context"
	"errors"
	"sync/atomic"
	"time"

	"github.com/ephemeralchat/caddy-ephemeral-chat/internal/apierror"
	"github.com/ephemeralchat/caddy-ephemeral-chat/room"
)

// meter counts and times the calls of a store, by operation. Its methods are safe
// for concurrent use.
type meter [operations]timing

// operation is a method of a store or its feeds.
type operation uint8

// Each method that a store may take time for.
const (
	opCreate operation = iota
	opOpen
	opLoad
	opMember
	opJoin
	opStart
	opSetLocked
	opRemove
	opDelete
	opPost
	opRetract
	opBefore
	opAfter
	opWatch
	opEnter
	opExit
	opTyping
	operations
)

var operationNames = [operations]string{
	opCreate:    "create",
	opOpen:      "open",
	opLoad:      "load",
	opMember:    "member",
	opJoin:      "join",
	opStart:     "start",
	opSetLocked: "set_locked",
	opRemove:    "remove",
	opDelete:    "delete",
	opPost:      "post",
	opRetract:   "retract",
	opBefore:    "before",
	opAfter:     "after",
	opWatch:     "watch",
	opEnter:     "enter",
	opExit:      "exit",
	opTyping:    "typing",
}

// timingBounds are the upper bounds of the buckets of a timing. The store in the
// process is below the first; what is above the last has run into a time-out, which
// is at most 5 s.
var timingBounds = [...]time.Duration{
	250 * time.Microsecond,
	500 * time.Microsecond,
	time.Millisecond,
	2500 * time.Microsecond,
	5 * time.Millisecond,
	10 * time.Millisecond,
	25 * time.Millisecond,
	100 * time.Millisecond,
	500 * time.Millisecond,
	2500 * time.Millisecond,
}

// timing is a histogram of how long calls took, and how many failed. A histogram of
// the metrics library would do the same for twice the time, and belong to one
// registry.
type timing struct {
	buckets [len(timingBounds) + 1]atomic.Uint64
	total   atomic.Int64 // nanoseconds
	failed  atomic.Uint64
}

// observe counts a call that has just ended.
func (m *meter) observe(op operation, began time.Time, err error) {
	t, took := &m[op], time.Since(began)
	bucket := 0
	for bucket < len(timingBounds) && took > timingBounds[bucket] {
		bucket++
	}
	t.buckets[bucket].Add(1)
	t.total.Add(int64(took))
	if err != nil && isFailure(err) {
		t.failed.Add(1)
	}
}

// isFailure reports whether an error is the store's failure: not what a client does
// wrong, nor that it has gone.
func isFailure(err error) bool {
	if errors.Is(err, room.ErrUnavailable) {
		return !errors.Is(err, context.Canceled)
	}
	return apierror.Of(err) == apierror.Of(room.ErrInternal)
}

// timingState is a timing at one moment.
type timingState struct {
	count, failed uint64
	total         time.Duration
	cumulative    [len(timingBounds)]uint64 // calls that took no longer than each bound
}

func (t *timing) state() timingState {
	s := timingState{failed: t.failed.Load(), total: time.Duration(t.total.Load())}
	for i := range t.buckets {
		s.count += t.buckets[i].Load()
		if i < len(s.cumulative) {
			s.cumulative[i] = s.count
		}
	}
	return s
}
