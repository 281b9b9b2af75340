package ws

import (
	"context"
	"errors"
	"time"

	"github.com/ephemeralchat/caddy-ephemeral-chat/room"
)

const (
	// pageSize bounds the messages in one frame, in bytes of JSON.
	pageSize = 256 << 10
	// retryDelay is the time between two reads of a store whose events have not reached
	// this node yet, and maxRetryDelay between two reads of one that is unavailable.
	retryDelay    = 50 * time.Millisecond
	maxRetryDelay = time.Second
)

// firstPage reads the messages of a welcome. gap reports whether the client has missed
// messages that are not kept any more.
func (hr *hubRoom) firstPage(ctx context.Context, joined *clientFrame) (page room.Page, gap bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, storeTimeout)
	defer cancel()
	if joined.After != nil {
		after := *joined.After
		page, err = hr.hub.store.After(ctx, hr.id, after, pageSize)
		if err != nil {
			return page, false, err
		}
		if (joined.Epoch == "" || joined.Epoch == page.Epoch) && after <= page.Newest {
			return page, page.First > after+1, nil
		}
		gap = true // its numbers are of another epoch
	}
	page, err = hr.hub.store.Before(ctx, hr.id, 0, welcomeHistory, pageSize)
	return page, gap, err
}

// replay gives a connection that is behind the messages that it lacks, page by page,
// each after the socket has accepted the one before, until the fan-out can take over.
func (c *conn) replay() {
	ctx := c.newContext(&c.cancelReplay)
	defer c.cancelReplay()
	delay := retryDelay
	for c.waitDrained(ctx) {
		hr := c.room
		hr.mu.Lock()
		cursor, epoch, done := c.cursor, hr.state.Epoch, c.live || hr.ended
		hr.mu.Unlock()
		if done {
			return
		}
		page, err := c.pageAfter(ctx, cursor)
		switch {
		case errors.Is(err, room.ErrRoomNotFound):
			return // the event of the room's end follows
		case err != nil: // many connections may wait for the store: back off
			if !sleep(ctx, delay) {
				return
			}
			delay = min(2*delay, maxRetryDelay)
		case page.Epoch != epoch, len(page.Entries) == 0 && !c.caughtUp():
			// The events of the store have not reached this node yet.
			if !sleep(ctx, retryDelay) {
				return
			}
		case len(page.Entries) > 0:
			delay = retryDelay
			c.sendReplay(&page, epoch, cursor)
		}
	}
}

func (c *conn) pageAfter(ctx context.Context, after uint64) (room.Page, error) {
	ctx, cancel := context.WithTimeout(ctx, storeTimeout)
	defer cancel()
	return c.hub.store.After(ctx, c.room.id, after, pageSize)
}

// caughtUp makes the connection live if no message follows its cursor, and reports
// whether it is live.
func (c *conn) caughtUp() bool {
	c.room.mu.Lock()
	defer c.room.mu.Unlock()
	if c.cursor >= c.room.state.Seq {
		c.live = true
	}
	return c.live
}

// sendReplay queues a page that follows the cursor.
func (c *conn) sendReplay(page *room.Page, epoch string, cursor uint64) {
	f := pageFrame(typeFrame{"replay"}, page)
	hr := c.room
	hr.mu.Lock()
	defer hr.mu.Unlock()
	if c.live || c.cursor != cursor || hr.state.Epoch != epoch {
		return // a gap has intervened: the page precedes it
	}
	if hr.redact(page) {
		f = pageFrame(typeFrame{"replay"}, page)
	}
	if page.First > cursor+1 {
		// The room has dropped messages beyond the cursor while the client was reading.
		c.sendUnbounded(jsonFrame(gapFrame{"gap", epoch, page.First - 1}))
	}
	c.sendUnbounded(f)
	c.moveCursor(page.Last(), page)
}

// moveCursor sets the number of the last message that the connection was given, and
// makes it live if no message of the page's room follows. room.mu is held.
func (c *conn) moveCursor(cursor uint64, page *room.Page) {
	c.cursor = cursor
	c.live = cursor >= c.room.state.Seq && cursor >= page.Newest
}

// sleep waits for d, and reports whether it has: false if ctx ends first.
func sleep(ctx context.Context, d time.Duration) bool {
	timer, stop := context.WithTimeout(ctx, d)
	defer stop()
	<-timer.Done()
	return ctx.Err() == nil
}
