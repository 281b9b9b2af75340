package redisstore

import (
	"context"
	"unsafe"

	"github.com/ephemeralchat/caddy-ephemeral-chat/room"
	"github.com/ephemeralchat/caddy-ephemeral-chat/room/message"
)

// receive takes a payload from the room's channel.
func (f *feed) receive(payload string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	switch {
	case f.over:
	case f.live:
		f.apply(payload)
	case f.mark == "":
		// A synchronization is still to come, and will read what this did.
	case f.hasMark:
		f.queued += len(payload)
		if f.queued < maxQueued {
			f.queue = append(f.queue, payload)
		} else {
			f.queue = nil // the synchronization must be done again
		}
	case payload == f.mark:
		f.hasMark = true
		close(f.marked)
	}
}

// goLive tells what waits in the queue and whatever comes from now on. The
// caller holds mu.
func (f *feed) goLive() {
	queue := f.queue
	f.live, f.mark, f.queue, f.queued = true, "", nil, 0
	for _, payload := range queue {
		if !f.live {
			return
		}
		f.apply(payload)
	}
}

// apply tells what a payload says. The caller holds mu.
func (f *feed) apply(payload string) {
	frame := bytesOf(payload)
	if seq, ok := message.SeqOfFrame(frame); ok {
		f.applyMessage(seq, frame)
		return
	}
	e, err := decodeEvent(frame)
	if err != nil {
		return // not ours: anybody may publish
	}
	switch e.Type {
	case typeStarted:
		f.applyStarted(e)
	case typeLocked:
		f.applyLocked(e.Locked)
	case typeRemoved:
		f.applyRemoved(e.UserID)
	case typeOpened:
		f.appear(e.Node, e.UserID)
		delete(f.unheard, e.SocketID)
		f.tell(room.Event{Kind: room.EventOpened, UserID: e.UserID, SocketID: e.SocketID, Session: e.Session})
	case typePresent:
		f.appear(e.Node, e.UserID)
	case typeClosed:
		f.disappear(e.Node, e.UserID)
	case typeTyping:
		f.tell(room.Event{Kind: room.EventTyping, UserID: e.UserID})
	case typeRetracted:
		f.applyRetracted(e.Seq, e.Oldest)
	case typeEpoch:
		if e.Epoch != f.epoch {
			f.resync()
		}
	case typeEnded:
		f.end(e.Reason)
	}
}

// bytesOf returns the bytes of a payload without copying them. Nobody may change
// them; those of a frame nobody does, see room.Event.
func bytesOf(payload string) []byte {
	return unsafe.Slice(unsafe.StringData(payload), len(payload)) //nolint:gosec // G103: read only, as said above
}

// applyMessage tells a message, or synchronizes if it is not the next one.
func (f *feed) applyMessage(seq uint64, frame []byte) {
	switch {
	case seq == f.seq+1:
		f.deliver(seq, frame, false)
	case seq <= f.seq && f.recent.holds(seq, hashOf(frame)):
		// Read by a synchronization already.
	default:
		f.resync()
	}
}

// deliver tells the next message. retracted says that its text is gone by now.
func (f *feed) deliver(seq uint64, frame []byte, retracted bool) {
	f.seq = seq
	f.recent.add(seq, hashOf(frame))
	if retracted {
		f.retracted.Add(seq)
	}
	f.tell(room.Event{Kind: room.EventMessage, Seq: seq, Frame: frame, Retracted: retracted})
}

func (f *feed) applyStarted(e wireEvent) {
	switch {
	case e.deadline().Equal(f.deadline):
	case !f.deadline.IsZero() && e.deadline().After(f.deadline):
		// Redis has lost the start, and somebody has started the room anew.
		// The deadline that people were told holds.
		f.resync()
	default:
		f.begin(room.Clock{StartedAt: e.startedAt(), Deadline: e.deadline()})
	}
}

// begin tells the start.
func (f *feed) begin(c room.Clock) {
	f.started, f.deadline = c.StartedAt, c.Deadline
	f.tell(room.Event{Kind: room.EventStarted, StartedAt: c.StartedAt, Deadline: c.Deadline})
	f.arm()
}

func (f *feed) applyLocked(locked bool) {
	if locked != f.locked {
		f.locked = locked
		f.tell(room.Event{Kind: room.EventLocked, Locked: locked})
	}
}

// maxRemoved is how many removals a feed remembers.
const maxRemoved = 1000

// applyRemoved tells a removal and takes the user offline on this node.
func (f *feed) applyRemoved(userID string) {
	if _, known := f.removed[userID]; known {
		return
	}
	if len(f.removed) < maxRemoved {
		f.removed[userID] = struct{}{}
	}
	f.tell(room.Event{Kind: room.EventRemoved, UserID: userID})
	if f.store.presence.socket(lifeUser{f.instanceID, userID}) != "" {
		f.store.spawn(func(ctx context.Context) { f.store.expel(ctx, f.instanceID, userID) })
	}
}

// appear says that a user is on a node.
func (f *feed) appear(node, userID string) {
	if f.enterCrowd(node, userID) {
		f.tell(room.Event{Kind: room.EventJoined, UserID: userID})
	}
}

// enterCrowd reports whether the user was on no node.
func (f *feed) enterCrowd(node, userID string) (isNew bool) {
	if node != f.store.node && f.online.on(node) == 0 {
		f.store.nodes.join(node)
	}
	return f.online.add(node, userID)
}

// disappear says that a user is not on a node.
func (f *feed) disappear(node, userID string) {
	before := f.online.on(node)
	left := f.online.remove(node, userID)
	if node != f.store.node && before > 0 && f.online.on(node) == 0 {
		f.store.nodes.leave(node)
	}
	if left {
		f.tell(room.Event{Kind: room.EventLeft, UserID: userID})
	}
}
