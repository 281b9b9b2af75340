package ws

import (
	"math"
	"time"

	"golang.org/x/time/rate"

	"github.com/ephemeralchat/caddy-ephemeral-chat/internal/apierror"
	"github.com/ephemeralchat/caddy-ephemeral-chat/room"
)

const (
	// maxRefusals is how many frames of a connection may be refused within
	// refusalWindow.
	maxRefusals   = 50
	refusalWindow = 10 * time.Second
	// maxRefusedIDs is how many ids of refused messages are remembered.
	maxRefusedIDs = 128
)

// A client may ask for the history so many times a second, and so many times at
// once: as fast as people scroll. Each answer may be 256 KiB.
const (
	historyRate  = 5
	historyBurst = 20
)

// refusalCount counts the refused frames of a connection.
type refusalCount struct {
	since time.Time
	count int
}

// add counts a refusal and reports whether there have been too many.
func (r *refusalCount) add(now time.Time) bool {
	if now.Sub(r.since) > refusalWindow {
		r.since, r.count = now, 0
	}
	r.count++
	return r.count > maxRefusals
}

// refusedIDs remembers why messages were refused for good, so that a client
// that sends one again is told the same again and not that it was accepted.
// Beyond maxRefusedIDs the oldest are forgotten.
type refusedIDs struct {
	reasons map[uint64]error
	ids     []uint64
}

func (r *refusedIDs) add(id uint64, reason error) {
	if id == 0 || r.reasons[id] != nil {
		return
	}
	if r.reasons == nil {
		r.reasons = make(map[uint64]error)
	}
	if len(r.ids) == maxRefusedIDs {
		delete(r.reasons, r.ids[0])
		r.ids = r.ids[1:]
	}
	r.reasons[id] = reason
	r.ids = append(r.ids, id)
}

func (r *refusedIDs) reason(id uint64) error { return r.reasons[id] }

// minFrameLimit is the size of a frame that a client may send in any case, in
// bytes.
const minFrameLimit = 64 << 10

// frameLimit is the size of a frame that a client may send, in bytes: JSON may
// need several bytes for one of the message.
func (s *Settings) frameLimit() int64 {
	return max(minFrameLimit, 4*int64(s.Rooms.Limits().MaxMessage))
}

// messageRate is what a client is told of the limit, nil if there is none.
func (s *Settings) messageRate() *messageRate {
	if s.MessageRate == rate.Inf {
		return nil
	}
	per := float64(s.MessageBurst) / float64(s.MessageRate) * 1000
	return &messageRate{s.MessageBurst, int64(math.Round(per))}
}

// deadAfter is how long a connection may be silent, or not take what it is
// sent.
func (s *Settings) deadAfter() time.Duration { return 2 * s.PingInterval }

// final reports whether an error is the last word on a message: the same
// message would be refused again, or must be said under a new id.
func final(err error) bool {
	switch apierror.Of(err) {
	case apierror.Of(room.ErrUnavailable), apierror.Of(room.ErrInternal):
		return false
	default:
		return true
	}
}
