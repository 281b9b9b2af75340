package ws

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/ephemeralchat/caddy-ephemeral-chat/room"
	"github.com/ephemeralchat/caddy-ephemeral-chat/room/message"
)

const (
	// pieceSize bounds the messages in one frame, in bytes of JSON.
	pieceSize = 256 << 10
	// welcomeHistory is how many messages a newcomer is shown.
	welcomeHistory = 50
	// settleTime is how long to wait between two looks at a store whose events
	// have not caught up with what was read from it.
	settleTime = 50 * time.Millisecond
	// maxDelay is how long to wait at most before a store that cannot be asked
	// is asked again.
	maxDelay = time.Second
	// epochTries bounds those looks during a welcome.
	epochTries = 20
)

// position is where a client left off: the number of the last message that it
// has seen, and the epoch of that number (empty: the current one).
type position struct {
	after uint64
	epoch string
}

// welcome gives a connection that has entered the room its first frame and
// lets it take part. from is nil for a newcomer.
func (c *conn) welcome(ctx context.Context, from *position, lastID uint64) error {
	lr := c.room
	for range epochTries {
		page, gap, err := lr.resume(ctx, from)
		if err != nil {
			return err
		}
		now := lr.hub.store.Now()
		lr.mu.Lock()
		if lr.ended {
			lr.mu.Unlock()
			c.start(nil) // with the end, which is queued
			return nil
		}
		if page.Epoch != lr.room.Epoch {
			// The one or the other has not heard of the new epoch.
			lr.mu.Unlock()
			if !pause(ctx, settleTime) {
				return unavailable(ctx)
			}
			continue
		}
		head := lr.welcomeHead(c, &page, lastID, now)
		head.Gap = gap
		c.cursor = page.Newest
		if last := page.Last(); last > 0 {
			c.cursor = last
		}
		c.live = c.cursor >= lr.room.Seq && c.cursor >= page.Newest
		behind := !c.live
		lr.redact(&page)
		lr.attach(c)
		lr.mu.Unlock()

		c.start(textFrame(encodeWith(head, page.Entries)))
		c.startPinging()
		if behind {
			// It ends when the connection is live, closed, or the room gone; the
			// hub waits for it.
			c.hub.running.Go(c.replay)
		}
		return nil
	}
	return room.ErrUnavailable
}

// resume reads what a client is to be given first, and reports whether it has
// missed something that is no longer to be had.
func (lr *liveRoom) resume(ctx context.Context, from *position) (page room.Page, gap bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, storeTimeout)
	defer cancel()
	if from != nil {
		page, err = lr.hub.store.After(ctx, lr.id, from.after, pieceSize)
		if err != nil {
			return page, false, err
		}
		if (from.epoch == "" || from.epoch == page.Epoch) && from.after <= page.Newest {
			return page, page.First > from.after+1, nil
		}
		// Its numbers are not these.
		gap = true
	}
	page, err = lr.hub.store.Before(ctx, lr.id, 0, welcomeHistory, pieceSize)
	return page, gap, err
}

// welcomeHead composes a welcome, without its messages. It is called with lr.mu
// held.
func (lr *liveRoom) welcomeHead(c *conn, page *room.Page, lastID uint64, now time.Time) welcomeFrame {
	head := welcomeFrame{
		Type:     "welcome",
		SocketID: c.socketID,
		UserID:   c.userID,
		Session:  c.session.Tag,
		Role:     c.session.Role,
		Room:     stateOf(&lr.room),
		Now:      message.FormatTime(now),
		Epoch:    lr.room.Epoch,
		Seq:      max(lr.room.Seq, page.Newest),
		LastID:   lastID,
		More:     olderKept(page),

		MaxMessage:  c.settings.Rooms.Limits().MaxMessage,
		MessageRate: c.settings.messageRate(),
		Retracted:   lr.keptRetractions(page),
	}
	// The event that says that this user has joined may still be under way.
	head.Online = make([]string, 1, min(len(lr.online)+1, maxNamed))
	head.Online[0] = c.userID
	head.OnlineCount = len(lr.online)
	if _, ok := lr.online[c.userID]; !ok {
		head.OnlineCount++
	}
	for userID := range lr.online {
		if len(head.Online) == maxNamed {
			break
		}
		if userID != c.userID {
			head.Online = append(head.Online, userID)
		}
	}
	slices.Sort(head.Online)
	return head
}

// olderKept reports whether messages are kept that precede those of the page.
func olderKept(page *room.Page) bool { return page.First > page.Oldest && page.Oldest > 0 }

// replay gives a connection what it is behind by, in pieces, each when the
// socket has taken the one before, until the fan-out can take over.
func (c *conn) replay() {
	ctx := c.context(&c.cancelReplay)
	defer c.cancelReplay()
	delay := settleTime
	for c.drained(ctx) {
		lr := c.room
		lr.mu.Lock()
		cursor, epoch, done := c.cursor, lr.room.Epoch, c.live || lr.ended
		lr.mu.Unlock()
		if done {
			return
		}
		page, err := c.pageAfter(ctx, cursor)
		switch {
		case errors.Is(err, room.ErrRoomNotFound):
			return // the end follows
		case err != nil: // and there may be many who wait for the store
			if !pause(ctx, delay) {
				return
			}
			delay = min(2*delay, maxDelay)
		case page.Epoch != epoch, len(page.Entries) == 0 && !c.caughtUp():
			// The store's events have not caught up.
			if !pause(ctx, settleTime) {
				return
			}
		case len(page.Entries) > 0:
			delay = settleTime
			c.sendPiece(&page, epoch, cursor)
		}
	}
}

func (c *conn) pageAfter(ctx context.Context, after uint64) (room.Page, error) {
	ctx, cancel := context.WithTimeout(ctx, storeTimeout)
	defer cancel()
	return c.hub.store.After(ctx, c.room.id, after, pieceSize)
}

// caughtUp makes the connection live if nothing has been said since its cursor.
func (c *conn) caughtUp() bool {
	lr := c.room
	lr.mu.Lock()
	defer lr.mu.Unlock()
	if c.cursor >= lr.room.Seq {
		c.live = true
	}
	return c.live
}

// sendPiece queues a piece that follows the cursor.
func (c *conn) sendPiece(page *room.Page, epoch string, cursor uint64) {
	f := textFrame(encodeWith(replayFrame{"replay"}, page.Entries))
	lr := c.room
	lr.mu.Lock()
	defer lr.mu.Unlock()
	if c.live || c.cursor != cursor || lr.room.Epoch != epoch {
		return // a gap has intervened: these messages belong to the past
	}
	if lr.redact(page) {
		f = textFrame(encodeWith(replayFrame{"replay"}, page.Entries))
	}
	if page.First > cursor+1 {
		// While the client was reading, the history moved on past its cursor.
		c.sendUnbounded(textFrame(encode(gapFrame{"gap", epoch, page.First - 1})))
	}
	c.sendUnbounded(f)
	c.cursor = page.Last()
	c.live = c.cursor >= lr.room.Seq && c.cursor >= page.Newest
}

// pause waits and reports whether ctx is not done.
func pause(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
