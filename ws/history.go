package ws

import (
	"errors"

	"golang.org/x/time/rate"

	"github.com/ephemeralchat/caddy-ephemeral-chat/room"
)

// history sends older messages.
func (c *conn) history(f *clientFrame) error {
	if c.lookups == nil {
		c.lookups = rate.NewLimiter(historyRate, historyBurst)
	}
	if !c.lookups.Allow() {
		return c.refuse(room.ErrRateLimited, 0)
	}
	var before uint64
	if f.Before != nil {
		before = *f.Before
	}
	limit := defaultHistory
	if f.Limit != nil {
		limit = *f.Limit
	}
	page, err := c.hub.store.Before(c.startCall(), c.room.id, before, limit, pieceSize)
	c.endCall()
	switch {
	case err == nil:
		c.sendHistory(&page)
		return nil
	case errors.Is(err, room.ErrRoomNotFound):
		return c.gone()
	default:
		c.report("reading the history", err)
		c.tellError(err, 0, 0)
		return nil
	}
}

// sendHistory sends a page, without the texts that the client was told meanwhile
// are retracted.
func (c *conn) sendHistory(page *room.Page) {
	head := historyFrame{"history", olderKept(page)}
	f := textFrame(encodeWith(head, page.Entries))
	c.room.mu.Lock()
	defer c.room.mu.Unlock()
	if c.room.redact(page) {
		f = textFrame(encodeWith(head, page.Entries))
	}
	c.send(f)
}
