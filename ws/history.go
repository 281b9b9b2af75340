package ws

import (
	"context"
	"errors"

	"golang.org/x/time/rate"

	"github.com/ephemeralchat/caddy-ephemeral-chat/room"
)

// history sends older messages.
func (c *conn) history(ctx context.Context, f *clientFrame) error {
	if c.lookups == nil {
		c.lookups = rate.NewLimiter(historyRate, historyBurst)
	}
	if !c.lookups.Allow() {
		return c.refuse(room.ErrRateLimited, 0)
	}
	ctx, cancel := context.WithTimeout(ctx, storeTimeout)
	defer cancel()
	var before uint64
	if f.Before != nil {
		before = *f.Before
	}
	limit := defaultHistory
	if f.Limit != nil {
		limit = *f.Limit
	}
	page, err := c.hub.store.Before(ctx, c.room.id, before, limit, pieceSize)
	switch {
	case err == nil:
		c.send(textFrame(encodeWith(historyFrame{"history", olderKept(&page)}, page.Entries)))
		return nil
	case errors.Is(err, room.ErrRoomNotFound):
		return c.gone(ctx)
	default:
		c.report("reading the history", err)
		c.tellError(err, 0)
		return nil
	}
}
