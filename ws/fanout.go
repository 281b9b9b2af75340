package ws

import (
	"time"

	"github.com/gorilla/websocket"

	"github.com/ephemeralchat/caddy-ephemeral-chat/internal/apierror"
	"github.com/ephemeralchat/caddy-ephemeral-chat/room"
	"github.com/ephemeralchat/caddy-ephemeral-chat/room/message"
)

const (
	// flushSize is about how many bytes of messages one flush gives to each connection.
	flushSize = 256 << 10
	// pacedConns is how many connections a flush writes to without a pause after it. In
	// a room that is not larger, no message waits.
	pacedConns = 64
)

// flushBatch collects the connections that must be written to after the frames of
// some events have been queued.
type flushBatch struct {
	pending []*conn
	writer  *writer
}

// queue queues a frame for a connection.
func (b *flushBatch) queue(c *conn, f *frame) {
	if c.enqueue(f) {
		b.pending = append(b.pending, c)
	}
}

// flush writes to the pending connections without blocking, and returns their number.
// No lock is held.
func (b *flushBatch) flush() int {
	n := len(b.pending)
	for i, c := range b.pending {
		c.flush(b.writer)
		b.pending[i] = nil
	}
	b.pending = b.pending[:0]
	return n
}

// apply turns events into frames and writes them, with one system call for all that a
// connection receives. It returns for how long to pause: system calls are the cost of
// a busy room, and messages that share them cost a fraction. The queue calls it.
func (hr *hubRoom) apply(events []room.Event) (pause time.Duration) {
	started := time.Now()
	hr.batch.writer = takeWriter()
	defer hr.batch.writer.release(&hr.hub.counters.bytes)
	written, expired := 0, false
	for len(events) > 0 {
		hr.mu.Lock()
		open := !hr.ended
		n := hr.applySome(&hr.batch, events)
		expired = open && hr.ended && hr.endReason == room.EndExpired
		hr.mu.Unlock()
		written = max(written, hr.batch.flush())
		events = events[n:]
	}
	if expired && hr.hub.observer != nil { // the caller that deletes a room reports that itself
		hr.hub.observer.RoomExpired(hr.roomID)
	}
	if hr.flushInterval == 0 || written <= pacedConns {
		return 0
	}
	return hr.flushInterval - time.Since(started)
}

// update queues frames that no event causes, and writes them. change is called with
// mu held, unless the room has ended.
func (hr *hubRoom) update(change func(b *flushBatch)) {
	b := flushBatch{writer: takeWriter()}
	defer b.writer.release(&hr.hub.counters.bytes)
	hr.mu.Lock()
	if !hr.ended {
		change(&b)
	}
	hr.mu.Unlock()
	b.flush()
}

// applySome applies at least one event, at most about flushSize bytes of messages,
// and returns the number of events. mu is held.
func (hr *hubRoom) applySome(b *flushBatch, events []room.Event) (n int) {
	for size := 0; n < len(events) && size < flushSize && !hr.ended; {
		if events[n].Kind != room.EventMessage {
			hr.applyOne(b, &events[n])
			n++
			continue
		}
		first := n
		for n < len(events) && size < flushSize && events[n].Kind == room.EventMessage {
			size += len(events[n].Frame)
			n++
		}
		hr.deliver(b, events[first:n])
	}
	if hr.ended {
		return len(events) // no event follows the end
	}
	return n
}

// applyOne applies an event that is no message. mu is held, here and below.
func (hr *hubRoom) applyOne(b *flushBatch, e *room.Event) {
	switch e.Kind {
	case room.EventStarted:
		hr.state.StartedAt, hr.state.Deadline = e.StartedAt, e.Deadline
		hr.broadcast(b, startedFrame{"started", message.FormatTime(e.StartedAt), message.FormatTime(e.Deadline)}, "")
	case room.EventJoined:
		hr.userJoined(b, e.UserID)
	case room.EventLeft:
		delete(hr.online, e.UserID)
		hr.announce(b, "left", e.UserID)
	case room.EventOpened:
		hr.closeReplaced(e)
	case room.EventTyping:
		if !hr.large() {
			hr.broadcast(b, userFrame{"typing", e.UserID}, e.UserID)
		}
	case room.EventLocked:
		hr.state.Locked = e.Locked
		hr.broadcast(b, lockedFrame{"locked", e.Locked}, "")
	case room.EventRemoved:
		hr.closeRemoved(e.UserID)
	case room.EventRetracted:
		hr.applyRetraction(b, e)
	case room.EventGap:
		hr.applyGap(b, e)
	case room.EventEnded:
		hr.applyEnd(e.Reason)
	case room.EventMessage: // see deliver
	}
}

// deliver queues messages for every live connection, all of them as one frame.
func (hr *hubRoom) deliver(b *flushBatch, messages []room.Event) {
	first := messages[0].Seq
	hr.state.Seq = messages[len(messages)-1].Seq
	for i := range messages {
		if messages[i].Retracted {
			hr.retracted.Add(messages[i].Seq)
		}
	}
	if len(hr.conns) == 0 {
		return
	}
	size := 0
	for i := range messages {
		size += maxHeader + len(messages[i].Frame)
	}
	bytes := make([]byte, 0, size)
	for i := range messages {
		bytes = appendFrame(bytes, websocket.TextMessage, messages[i].Frame)
		hr.noteEcho(messages[i].Frame)
	}
	all := encodedFrame(bytes)
	deliveries := 0
	for _, c := range hr.conns {
		switch {
		case !c.live:
		case c.cursor < first:
			b.queue(c, all)
			deliveries += len(messages)
		case c.cursor < hr.state.Seq:
			// The welcome or a replay, read from the store before the events arrived,
			// had the messages up to the cursor.
			for i := range messages {
				if messages[i].Seq > c.cursor {
					b.queue(c, textFrame(messages[i].Frame))
					deliveries++
				}
			}
		}
	}
	hr.hub.counters.deliveries.Add(uint64(deliveries))
}

// noteEcho records for the sender's connections that a message with their id is stored.
func (hr *hubRoom) noteEcho(frame []byte) {
	if id, tag := message.SenderOfFrame(frame); id > 0 {
		for _, c := range hr.sessions[string(tag)] {
			c.lastEchoed.Store(max(c.lastEchoed.Load(), id))
		}
	}
}

// broadcast queues a frame for every connection, except those of exceptUser.
func (hr *hubRoom) broadcast(b *flushBatch, v any, exceptUser string) {
	if len(hr.conns) == 0 {
		return
	}
	f := jsonFrame(v)
	for _, c := range hr.conns {
		if c.userID != exceptUser || exceptUser == "" {
			b.queue(c, f)
		}
	}
}

// closeReplaced closes the older connections of a session: those whose own event has
// come before this one.
func (hr *hubRoom) closeReplaced(e *room.Event) {
	for _, c := range hr.sessions[e.Session] {
		switch {
		case c.socketID == e.SocketID:
			c.opened = true
		case c.opened:
			c.close(closeGrace, closeFrameOf(apierror.ErrReplaced))
		}
	}
}

// closeRemoved closes the connections of a user whose membership has ended.
func (hr *hubRoom) closeRemoved(userID string) {
	user := hr.users[userID]
	if user == nil {
		return
	}
	user.removed = true
	for _, c := range user.conns {
		c.closeRemoved()
	}
}

// applyRetraction announces a retracted message to the connections that have been
// given it, or may have been before they connected. The replay of the others gives
// it without its text.
func (hr *hubRoom) applyRetraction(b *flushBatch, e *room.Event) {
	hr.retracted.DropBelow(e.Oldest)
	if !hr.retracted.Add(e.Seq) || len(hr.conns) == 0 {
		return
	}
	f := jsonFrame(retractedFrame{"retracted", e.Seq})
	for _, c := range hr.conns {
		if c.live || e.Seq <= c.cursor {
			b.queue(c, f)
		}
	}
}

// applyGap announces to every connection that messages were lost. A connection that
// was behind goes on from here too: the messages of its replay may be gone.
func (hr *hubRoom) applyGap(b *flushBatch, e *room.Event) {
	sameEpoch := e.Epoch == hr.state.Epoch
	hr.state.Epoch, hr.state.Seq = e.Epoch, e.Seq
	hr.retracted.DropAbove(e.Seq)
	f := jsonFrame(gapFrame{"gap", e.Epoch, e.Seq})
	for _, c := range hr.conns {
		if !sameEpoch || c.cursor < e.Seq { // else it has some of the messages that follow
			c.cursor = e.Seq
		}
		c.live = true
		b.queue(c, f)
	}
}

// applyEnd closes the connections of a room that has ended.
func (hr *hubRoom) applyEnd(reason room.EndReason) {
	hr.ended, hr.endReason = true, reason
	close(hr.gone)
	for _, user := range hr.users {
		for _, c := range user.conns {
			c.closeEnded(reason)
		}
	}
}
