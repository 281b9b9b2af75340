package room

import "time"

// EventKind is the kind of an Event.
type EventKind uint8

// The kinds of events. Each comment names the fields of Event that are set.
const (
	// EventMessage: a message was stored (Seq, Frame). Retracted is set if it was
	// retracted before this event was delivered.
	EventMessage EventKind = iota + 1
	// EventStarted: the room has started (StartedAt, Deadline).
	EventStarted
	// EventJoined: a user came online, on the first of all nodes (UserID).
	EventJoined
	// EventLeft: a user is no longer online on any node (UserID).
	EventLeft
	// EventOpened: a connection was opened on some node; older connections of the
	// same session must close (UserID, SocketID, Session).
	EventOpened
	// EventTyping: a member is typing (UserID).
	EventTyping
	// EventLocked: the room was locked or unlocked (Locked).
	EventLocked
	// EventRemoved: a member was removed or has left for good (UserID).
	EventRemoved
	// EventGap: messages were lost or replaced, or are no longer kept; the next
	// EventMessage has the number after Seq (Epoch, Seq).
	EventGap
	// EventRetracted: a message that was delivered, or is older than the snapshot,
	// was retracted (Seq). Oldest is the number of the oldest message kept.
	EventRetracted
	// EventEnded: the room is gone (Reason). It is the last event of a room.
	EventEnded
)

// Event is a change in a room. Kind decides which fields are set. The bytes of
// Frame are shared: receivers must not change them.
type Event struct {
	Kind      EventKind
	Locked    bool
	Retracted bool
	Oldest    uint64
	Seq       uint64
	Frame     []byte
	UserID    string
	SocketID  string
	Session   string
	Epoch     string
	Reason    EndReason
	StartedAt time.Time
	Deadline  time.Time
}
