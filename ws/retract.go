package ws

import (
	"errors"
	"fmt"

	"golang.org/x/time/rate"

	"github.com/ephemeralchat/caddy-ephemeral-chat/internal/apierror"
	"github.com/ephemeralchat/caddy-ephemeral-chat/room"
	"github.com/ephemeralchat/caddy-ephemeral-chat/room/message"
)

// retract takes a message back. It may be done as often as something may be said,
// and is counted apart from that.
func (c *conn) retract(f *clientFrame) error {
	if f.Seq == nil {
		return c.refuse(fmt.Errorf("%w: seq is missing", apierror.ErrInvalidFrame), 0)
	}
	if c.retracts == nil {
		c.retracts = rate.NewLimiter(c.settings.MessageRate, c.settings.MessageBurst)
	}
	if !c.retracts.Allow() {
		return c.refuseRetraction(room.ErrRateLimited, *f.Seq)
	}
	err := c.settings.Rooms.Retract(c.startCall(), c.room.id, c.userID, c.session.Role, *f.Seq, f.Epoch)
	c.endCall()
	switch {
	case err == nil:
		return nil // all are told, this connection too
	case errors.Is(err, room.ErrRoomNotFound):
		return c.gone()
	case errors.Is(err, room.ErrRemoved):
		c.closeRemoved()
		return nil
	case final(err):
		return c.refuseRetraction(err, *f.Seq)
	default:
		c.report("retracting a message", err)
		c.tellError(err, 0, *f.Seq)
		return nil
	}
}

// refuseRetraction is refuse for a retraction.
func (c *conn) refuseRetraction(err error, seq uint64) error {
	c.tellError(err, 0, seq)
	return c.countRefusal()
}

// retract tells the connections that a message was retracted: those that were
// given it, or may have been before they connected. The others are behind, and
// will be given it without its text.
func (lr *liveRoom) retract(p *pass, e *room.Event) {
	lr.retracted.DropBelow(e.Oldest)
	if !lr.retracted.Add(e.Seq) || len(lr.conns) == 0 {
		return
	}
	f := textFrame(encode(retractedFrame{"retracted", e.Seq}))
	for _, c := range lr.conns {
		if c.live || e.Seq <= c.cursor {
			p.send(c, f)
		}
	}
}

// redact takes the texts out of a page that was read before the room's connections
// were told of their retraction, and reports whether there were any: whoever is
// given the page after that would not be told again. It is called with mu held.
func (lr *liveRoom) redact(page *room.Page) bool {
	if page.Epoch != lr.room.Epoch {
		return false // its numbers are not these
	}
	redacted := false
	for _, seq := range lr.retracted.Between(page.First, page.Last()) {
		entry := &page.Entries[seq-page.First]
		if !message.IsRetracted(*entry) {
			*entry = message.WithoutText(*entry)
			redacted = true
		}
	}
	return redacted
}

// keptRetractions returns the numbers of the messages that are kept and were retracted, given
// a page that was read just now. It is called with mu held.
func (lr *liveRoom) keptRetractions(page *room.Page) []uint64 {
	oldest := page.Oldest
	if oldest == 0 {
		oldest = page.Newest + 1
	}
	lr.retracted.DropBelow(oldest)
	return append([]uint64{}, lr.retracted...)
}
