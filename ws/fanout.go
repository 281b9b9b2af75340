package ws

import (
	"time"

	"github.com/gorilla/websocket"

	"github.com/ephemeralchat/caddy-ephemeral-chat/internal/apierror"
	"github.com/ephemeralchat/caddy-ephemeral-chat/room"
	"github.com/ephemeralchat/caddy-ephemeral-chat/room/message"
)

const (
	// passSize is how many bytes of messages one pass over the connections gives
	// to each, about.
	passSize = 256 << 10
	// pacedConns is how many connections a pass has to write to for the next one
	// to wait. In a room that is not larger, nothing ever waits.
	pacedConns = 64
)

// pass collects the connections that are to be written to when the frames of
// some events have been queued.
type pass struct {
	dirty  []*conn
	writer *writer
}

// send queues a frame for a connection.
func (p *pass) send(c *conn, f *frame) {
	if c.enqueue(f) {
		p.dirty = append(p.dirty, c)
	}
}

// flush writes to the connections, without waiting for any, and returns how many
// there were. No lock is held.
func (p *pass) flush() int {
	n := len(p.dirty)
	for i, c := range p.dirty {
		c.flush(p.writer)
		p.dirty[i] = nil
	}
	p.dirty = p.dirty[:0]
	return n
}

// apply turns events into frames and writes these to the connections, as many as
// there are for each in one system call. It returns how long the next events are
// to wait: what a busy room costs is the system calls, and if those that follow
// each other closely are made one, it costs a fraction. It is called by the inbox.
func (lr *liveRoom) apply(events []room.Event) (rest time.Duration) {
	began := time.Now()
	lr.pass.writer = takeWriter()
	defer lr.pass.writer.release()
	served, over := 0, false
	for len(events) > 0 {
		lr.mu.Lock()
		over = lr.ended
		n := lr.applySome(&lr.pass, events)
		over = lr.ended && !over
		lr.mu.Unlock()
		served = max(served, lr.pass.flush())
		events = events[n:]
	}
	lr.hub.counters.bytes.Add(lr.pass.writer.takeCount())
	if over {
		lr.observeEnd()
	}
	if lr.pace == 0 || served <= pacedConns {
		return 0
	}
	return lr.pace - time.Since(began)
}

// now tells the connections something that is no event. say is called with mu
// held, and not at all once the room has ended.
func (lr *liveRoom) now(say func(p *pass)) {
	p := pass{writer: takeWriter()}
	defer p.writer.release()
	lr.mu.Lock()
	if !lr.ended {
		say(&p)
	}
	lr.mu.Unlock()
	p.flush()
	lr.hub.counters.bytes.Add(p.writer.takeCount())
}

// applySome applies as many events as fit a pass, one at least, and returns how
// many those are.
func (lr *liveRoom) applySome(p *pass, events []room.Event) (n int) {
	for size := 0; n < len(events) && size < passSize && !lr.ended; {
		if events[n].Kind != room.EventMessage {
			lr.applyOne(p, &events[n])
			n++
			continue
		}
		first := n
		for n < len(events) && size < passSize && events[n].Kind == room.EventMessage {
			size += len(events[n].Frame)
			n++
		}
		lr.deliver(p, events[first:n])
	}
	if lr.ended {
		return len(events) // what comes after the end is of no room
	}
	return n
}

func (lr *liveRoom) applyOne(p *pass, e *room.Event) {
	switch e.Kind {
	case room.EventStarted:
		lr.room.StartedAt, lr.room.Deadline = e.StartedAt, e.Deadline
		lr.tell(p, startedFrame{"started", message.FormatTime(e.StartedAt), message.FormatTime(e.Deadline)}, "")
	case room.EventJoined:
		lr.joined(p, e.UserID)
	case room.EventLeft:
		delete(lr.online, e.UserID)
		lr.tellPresence(p, "left", e.UserID)
	case room.EventOpened:
		lr.replace(e)
	case room.EventTyping:
		if !lr.large() {
			lr.tell(p, userFrame{"typing", e.UserID}, e.UserID)
		}
	case room.EventLocked:
		lr.room.Locked = e.Locked
		lr.tell(p, lockedFrame{"locked", e.Locked}, "")
	case room.EventRemoved:
		lr.remove(e.UserID)
	case room.EventRetracted:
		lr.retract(p, e)
	case room.EventGap:
		lr.gap(p, e)
	case room.EventEnded:
		lr.end(e.Reason)
	case room.EventMessage: // see deliver
	}
}

// deliver gives messages to every connection that is live: all of them as one.
func (lr *liveRoom) deliver(p *pass, messages []room.Event) {
	first := messages[0].Seq
	lr.room.Seq = messages[len(messages)-1].Seq
	for i := range messages {
		if messages[i].Retracted {
			lr.retracted.Add(messages[i].Seq)
		}
	}
	if len(lr.conns) == 0 {
		return
	}
	size := 0
	for i := range messages {
		size += maxHeader + len(messages[i].Frame)
	}
	b := make([]byte, 0, size)
	for i := range messages {
		b = appendFrame(b, websocket.TextMessage, messages[i].Frame)
		lr.noteEcho(messages[i].Frame)
	}
	all := wireFrame(b)
	told := 0
	for _, c := range lr.conns {
		switch {
		case !c.live:
		case c.cursor < first:
			p.send(c, all)
			told += len(messages)
		case c.cursor < lr.room.Seq:
			// Those up to the cursor were part of the welcome or a replay, which was
			// read from the store before the events came.
			for i := range messages {
				if messages[i].Seq > c.cursor {
					p.send(c, textFrame(messages[i].Frame))
					told++
				}
			}
		}
	}
	lr.hub.counters.deliveries.Add(uint64(told))
}

// noteEcho tells the sender's connections that a message with their id is stored.
func (lr *liveRoom) noteEcho(frame []byte) {
	if id, tag := message.SenderOfFrame(frame); id > 0 {
		for _, c := range lr.sessions[string(tag)] {
			c.echoed.Store(max(c.echoed.Load(), id))
		}
	}
}

// tell gives a frame to every connection but those of one user.
func (lr *liveRoom) tell(p *pass, v any, exceptUser string) {
	if len(lr.conns) == 0 {
		return
	}
	f := textFrame(encode(v))
	for _, c := range lr.conns {
		if c.userID != exceptUser || exceptUser == "" {
			p.send(c, f)
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
			c.close(closeGrace, refusalFrame(apierror.ErrReplaced))
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
func (lr *liveRoom) gap(p *pass, e *room.Event) {
	same := e.Epoch == lr.room.Epoch
	lr.room.Epoch, lr.room.Seq = e.Epoch, e.Seq
	lr.retracted.DropAbove(e.Seq)
	f := textFrame(encode(gapFrame{"gap", e.Epoch, e.Seq}))
	for _, c := range lr.conns {
		if !same || c.cursor < e.Seq { // else it has been given some of what follows
			c.cursor = e.Seq
		}
		c.live = true
		p.send(c, f)
	}
}

// end closes the connections of a room that is gone.
func (lr *liveRoom) end(reason room.EndReason) {
	lr.ended, lr.endReason = true, reason
	close(lr.gone)
	for _, user := range lr.users {
		for _, c := range user.conns {
			c.closeEnded(reason)
		}
	}
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

// joined puts a user among those who are online, unless it is one of them.
func (lr *liveRoom) joined(p *pass, userID string) {
	if _, ok := lr.online[userID]; !ok {
		lr.online[userID] = struct{}{}
		lr.tellPresence(p, "joined", userID)
	}
}

// tellPresence tells of a user who has come or gone.
func (lr *liveRoom) tellPresence(p *pass, what, userID string) {
	if !lr.large() {
		lr.tell(p, userFrame{what, userID}, userID)
		return
	}
	if lr.counter == nil {
		// The timer ends by itself; close stops it.
		lr.counter = time.AfterFunc(counterInterval, lr.count)
	}
}

// count tells how many are online in a large room.
func (lr *liveRoom) count() {
	lr.now(func(p *pass) {
		lr.counter = nil
		lr.tell(p, onlineFrame{"online", len(lr.online)}, "")
	})
}
