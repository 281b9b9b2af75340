package ws

import (
	"fmt"

	"github.com/ephemeralchat/caddy-ephemeral-chat/internal/apierror"
	"github.com/ephemeralchat/caddy-ephemeral-chat/room"
	"github.com/ephemeralchat/caddy-ephemeral-chat/room/message"
)

const (
	// defaultHistory and maxHistory are how many messages a history frame has.
	defaultHistory = 50
	maxHistory     = 200
	// historyRate and historyBurst limit the requests of a connection per second and at
	// once, to the speed of scrolling. Each answer may have 256 KiB.
	historyRate  = 5
	historyBurst = 20
)

// handleHistory answers a request for older messages.
func (c *conn) handleHistory(f *clientFrame) error {
	if !c.historyLimiter.allow(historyRate, historyBurst) {
		return c.refuse(room.ErrRateLimited, 0, 0)
	}
	before, limit := uint64(0), defaultHistory
	if f.Before != nil {
		before = *f.Before
	}
	if f.Limit != nil {
		limit = *f.Limit
	}
	page, err := c.hub.store.Before(c.startCall(), c.room.id, before, limit, pageSize)
	c.endCall()
	if err != nil {
		return c.handleStoreError("reading the history", err, 0, 0)
	}
	head := historyFrame{"history", hasOlder(&page)}
	answer := pageFrame(head, &page)
	c.room.mu.Lock()
	defer c.room.mu.Unlock()
	if c.room.redact(&page) {
		answer = pageFrame(head, &page)
	}
	c.send(answer)
	return nil
}

// hasOlder reports whether the room keeps messages that precede those of the page.
func hasOlder(page *room.Page) bool { return page.First > page.Oldest && page.Oldest > 0 }

// handleRetract retracts a message. The rate of retractions has the limit of messages,
// and is counted apart from them.
func (c *conn) handleRetract(f *clientFrame) error {
	if f.Seq == nil {
		return c.refuse(fmt.Errorf("%w: seq is missing", apierror.ErrInvalidFrame), 0, 0)
	}
	if !c.retractLimiter.allow(c.settings.MessageRate, c.settings.MessageBurst) {
		return c.refuse(room.ErrRateLimited, 0, *f.Seq)
	}
	err := c.settings.Rooms.Retract(c.startCall(), c.room.id, c.userID, c.session.Role, *f.Seq, f.Epoch)
	c.endCall()
	if err != nil {
		return c.handleStoreError("retracting a message", err, 0, *f.Seq)
	}
	return nil // the event of the retraction is the answer
}

// redact removes the texts of retracted messages from a page that was read before the
// retraction was fanned out, and reports whether it has any. The connection that is
// given the page afterwards would not receive these retractions again. mu is held.
func (hr *hubRoom) redact(page *room.Page) bool {
	if page.Epoch != hr.state.Epoch {
		return false // the same numbers are of other messages
	}
	redacted := false
	for _, seq := range hr.retracted.Between(page.First, page.Last()) {
		entry := &page.Entries[seq-page.First]
		if !message.IsRetracted(*entry) {
			*entry = message.WithoutText(*entry)
			redacted = true
		}
	}
	return redacted
}

// keptRetractions returns the numbers of the retracted messages that the room keeps,
// according to a page that was read just now. mu is held.
func (hr *hubRoom) keptRetractions(page *room.Page) []uint64 {
	oldest := page.Oldest
	if oldest == 0 {
		oldest = page.Newest + 1
	}
	hr.retracted.DropBelow(oldest)
	return append([]uint64{}, hr.retracted...)
}
