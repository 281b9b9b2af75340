package ws

import (
	"time"

	"github.com/ephemeralchat/caddy-ephemeral-chat/room"
)

// apply turns events into frames and queues these for the connections. It is
// called by the inbox.
func (lr *liveRoom) apply(events []room.Event) {
	lr.mu.Lock()
	defer lr.mu.Unlock()
	for i := range events {
		lr.applyOne(&events[i])
	}
}

func (lr *liveRoom) applyOne(e *room.Event) {
	if lr.ended {
		return
	}
	switch e.Kind {
	case room.EventMessage:
		lr.deliver(e)
	case room.EventStarted:
		lr.room.StartedAt, lr.room.Deadline = e.StartedAt, e.Deadline
		lr.tell(startedFrame{"started", room.FormatTime(e.StartedAt), room.FormatTime(e.Deadline)}, "")
	case room.EventJoined:
		lr.online[e.UserID] = struct{}{}
		lr.tellPresence("joined", e.UserID)
	case room.EventLeft:
		delete(lr.online, e.UserID)
		lr.tellPresence("left", e.UserID)
	case room.EventOpened:
		lr.replace(e)
	case room.EventTyping:
		if !lr.large() {
			lr.tell(userFrame{"typing", e.UserID}, e.UserID)
		}
	case room.EventLocked:
		lr.room.Locked = e.Locked
		lr.tell(lockedFrame{"locked", e.Locked}, "")
	case room.EventRemoved:
		lr.remove(e.UserID)
	case room.EventGap:
		lr.gap(e)
	case room.EventEnded:
		lr.end(e.Reason)
	}
}

// deliver gives a message to every connection that is live.
func (lr *liveRoom) deliver(e *room.Event) {
	lr.room.Seq = e.Seq
	if len(lr.conns) == 0 {
		return
	}
	if id, tag := room.SenderOfFrame(e.Frame); id > 0 {
		for _, c := range lr.sessions[string(tag)] {
			c.echoed.Store(max(c.echoed.Load(), id))
		}
	}
	f := textFrame(e.Frame)
	for _, c := range lr.conns {
		// A message at or below the cursor was part of the welcome or a replay,
		// which was read from the store before the event came.
		if c.live && e.Seq > c.cursor {
			c.send(f)
		}
	}
}

// tell gives a frame to every connection but those of one user.
func (lr *liveRoom) tell(v any, exceptUser string) {
	if len(lr.conns) == 0 {
		return
	}
	f := textFrame(encode(v))
	for _, c := range lr.conns {
		if c.userID != exceptUser || exceptUser == "" {
			c.send(f)
		}
	}
}

// replace closes the older connections of a session. The events tell which are
// older: those that have been seen before.
func (lr *liveRoom) replace(e *room.Event) {
	for _, c := range lr.sessions[e.Session] {
		switch {
		case c.socketID == e.SocketID:
			c.opened = true
		case c.opened:
			c.close(closeGrace, refusalFrame(room.ErrReplaced))
		}
	}
}

// remove closes the connections of a user whose membership has ended.
func (lr *liveRoom) remove(userID string) {
	user := lr.users[userID]
	if user == nil {
		return
	}
	user.removed = true
	for _, c := range user.conns {
		c.closeRemoved()
	}
}

// gap tells every connection that messages were lost. Whoever was behind goes
// on from here as well: what it was to be given may be gone.
func (lr *liveRoom) gap(e *room.Event) {
	same := e.Epoch == lr.room.Epoch
	lr.room.Epoch, lr.room.Seq = e.Epoch, e.Seq
	f := textFrame(encode(gapFrame{"gap", e.Epoch, e.Seq}))
	for _, c := range lr.conns {
		if !same || c.cursor < e.Seq { // else it has been given some of what follows
			c.cursor = e.Seq
		}
		c.live = true
		c.send(f)
	}
}

// end closes the connections of a room that is gone.
func (lr *liveRoom) end(reason room.EndReason) {
	lr.ended = true
	close(lr.gone)
	for _, user := range lr.users {
		for _, c := range user.conns {
			c.closeEnded(reason)
		}
	}
}

func (c *conn) closeRemoved() {
	c.close(closeGrace, textFrame(encode(removedFrame{"removed"})), closeFrame(room.RefusalOf(room.ErrRemoved).Close, "removed"))
}

func (c *conn) closeEnded(reason room.EndReason) {
	c.close(closeGrace, textFrame(encode(endedFrame{"ended", reason})), closeFrame(room.RefusalOf(room.ErrRoomGone).Close, string(reason)))
}

// In a large room who comes and goes is of interest to nobody, and telling all
// of all costs the square of their number: they are told how many are online.
const (
	maxNamed        = 100 // users online, beyond which a room is large
	counterInterval = time.Second
)

func (lr *liveRoom) large() bool { return len(lr.online) > maxNamed }

func (lr *liveRoom) isLarge() bool {
	lr.mu.Lock()
	defer lr.mu.Unlock()
	return lr.large()
}

// tellPresence tells of a user who has come or gone.
func (lr *liveRoom) tellPresence(what, userID string) {
	if !lr.large() {
		lr.tell(userFrame{what, userID}, userID)
		return
	}
	if lr.counter == nil {
		// The timer ends by itself; close stops it.
		lr.counter = time.AfterFunc(counterInterval, lr.count)
	}
}

// count tells how many are online in a large room.
func (lr *liveRoom) count() {
	lr.mu.Lock()
	defer lr.mu.Unlock()
	lr.counter = nil
	if !lr.ended {
		lr.tell(onlineFrame{"online", len(lr.online)}, "")
	}
}
