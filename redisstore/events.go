package redisstore

import (
	"time"
	"unsafe"

	"github.com/ephemeralchat/caddy-ephemeral-chat/redisstore/pubsub"
	"github.com/ephemeralchat/caddy-ephemeral-chat/redisstore/script"
	"github.com/ephemeralchat/caddy-ephemeral-chat/room"
	"github.com/ephemeralchat/caddy-ephemeral-chat/room/message"
)

// maxRemoved is the maximum number of removals that a feed remembers.
const maxRemoved = 1000

// Received implements pubsub.Subscriber.
func (f *feed) Received(payload string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	switch {
	case f.over:
	case f.live:
		f.apply(payload)
	case f.marker == "":
		// The next resync reads the effect of the event.
	case f.hasMarker:
		f.queued += len(payload)
		if f.queued < maxQueued {
			f.queue = append(f.queue, payload)
		} else {
			f.queue = nil // the resync must be repeated
		}
	case payload == f.marker:
		f.hasMarker = true
		close(f.marked)
	}
}

// resumeLive applies the queued events and all that come from now on. The caller holds
// mu, as for all methods below.
func (f *feed) resumeLive() {
	queue := f.queue
	f.live, f.marker, f.queue, f.queued = true, "", nil, 0
	for _, payload := range queue {
		if !f.live {
			return
		}
		f.apply(payload)
	}
}

// apply updates the feed with an event and emits it.
func (f *feed) apply(payload string) {
	// Not copied: the bytes of a frame are shared and never changed, see room.Event.
	frame := unsafe.Slice(unsafe.StringData(payload), len(payload)) //nolint:gosec // G103: read only
	if seq, ok := message.SeqOfFrame(frame); ok {
		f.applyMessage(seq, frame)
		return
	}
	e, err := pubsub.DecodeEvent(frame)
	if err != nil {
		return // of another program: anyone may publish
	}
	switch e.Type {
	case pubsub.TypeStarted:
		f.applyStarted(room.Clock{StartedAt: time.UnixMilli(e.StartedAt), Deadline: time.UnixMilli(e.Deadline)})
	case pubsub.TypeLocked:
		f.applyLocked(e.Locked)
	case pubsub.TypeRemoved:
		f.applyRemoved(e.UserID)
	case pubsub.TypeOpened, pubsub.TypePresent, pubsub.TypeClosed:
		f.setOnline(script.PresenceEntry{Node: e.Node, UserID: e.UserID}, e.Type != pubsub.TypeClosed)
		if e.Type == pubsub.TypeOpened {
			f.applyOpened(room.Presence{UserID: e.UserID, SocketID: e.SocketID, Session: e.Session})
		}
	case pubsub.TypeTyping:
		f.emit(room.Event{Kind: room.EventTyping, UserID: e.UserID})
	case pubsub.TypeRetracted:
		f.applyRetracted(e.Seq, e.Oldest)
	case pubsub.TypeEpoch:
		if e.Epoch != f.epoch {
			f.resync()
		}
	case pubsub.TypeEnded:
		f.end(e.Reason)
	}
}

// applyMessage emits a message, or resyncs if it is not the next one.
func (f *feed) applyMessage(seq uint64, frame []byte) {
	switch {
	case seq == f.seq+1:
		f.emitMessage(seq, frame, false)
	case seq <= f.seq && f.fingerprints.has(seq, fingerprintOf(frame)):
		// A resync has read it already.
	default:
		f.resync()
	}
}

// emitMessage emits the next message. retracted means that its text is deleted already.
func (f *feed) emitMessage(seq uint64, frame []byte, retracted bool) {
	f.seq = seq
	f.fingerprints.add(seq, fingerprintOf(frame))
	if retracted {
		f.retracted.Add(seq)
	}
	f.emit(room.Event{Kind: room.EventMessage, Seq: seq, Frame: frame, Retracted: retracted})
}

func (f *feed) applyStarted(c room.Clock) {
	switch {
	case c.Deadline.Equal(f.clock.Deadline):
	case !f.clock.Deadline.IsZero() && c.Deadline.After(f.clock.Deadline):
		// Redis has lost the start, and a client has started the room again. The deadline
		// that users know is valid.
		f.resync()
	default:
		f.start(c)
	}
}

// start emits the start.
func (f *feed) start(c room.Clock) {
	f.clock = c
	f.emit(room.Event{Kind: room.EventStarted, StartedAt: c.StartedAt, Deadline: c.Deadline})
	f.setTimer()
}

func (f *feed) applyLocked(locked bool) {
	if locked != f.locked {
		f.locked = locked
		f.emit(room.Event{Kind: room.EventLocked, Locked: locked})
	}
}

// applyRemoved emits a removal and ends the user's presence through this node.
func (f *feed) applyRemoved(userID string) {
	if _, known := f.removed[userID]; known {
		return
	}
	if len(f.removed) < maxRemoved {
		f.removed[userID] = struct{}{}
	}
	f.emit(room.Event{Kind: room.EventRemoved, UserID: userID})
	f.store.presence.evict(f.user(userID))
}

// applyOpened emits a new connection.
func (f *feed) applyOpened(p room.Presence) {
	delete(f.announced, p.SocketID)
	f.emit(room.Event{Kind: room.EventOpened, UserID: p.UserID, SocketID: p.SocketID, Session: p.Session})
}

// setOnline notes whether a user is online through a node, and emits the difference
// that this makes. It is the only place that changes the set of online users.
func (f *feed) setOnline(e script.PresenceEntry, online bool) {
	before := f.online.usersOn[e.Node]
	var kind room.EventKind
	var changed bool
	if online {
		kind, changed = room.EventJoined, f.online.add(e.Node, e.UserID)
	} else {
		kind, changed = room.EventLeft, f.online.remove(e.Node, e.UserID)
	}
	if after := f.online.usersOn[e.Node]; before == 0 && after > 0 {
		f.store.presence.addPeer(e.Node)
	} else if before > 0 && after == 0 {
		f.store.presence.removePeer(e.Node)
	}
	if changed && f.open {
		f.emit(room.Event{Kind: kind, UserID: e.UserID})
	}
}

// applyRetracted emits a retraction, unless it was emitted.
func (f *feed) applyRetracted(seq, oldest uint64) {
	if seq > f.seq {
		f.resync() // the message itself was missed
		return
	}
	f.retracted.DropBelow(oldest)
	if f.retracted.Add(seq) {
		f.emit(room.Event{Kind: room.EventRetracted, Seq: seq, Oldest: oldest})
	}
}
