package room

import "time"

// EventKind says what an Event tells.
type EventKind uint8

// What happens in a room. The comments name the fields of Event that are set.
const (
	// EventMessage: a message was stored (Seq, Frame), and retracted before this
	// could be told if Retracted is set.
	EventMessage EventKind = iota + 1
	// EventStarted: the room's time has begun (StartedAt, Deadline).
	EventStarted
	// EventJoined: a user who was not online on any node is (UserID).
	EventJoined
	// EventLeft: a user is no longer online on any node (UserID).
	EventLeft
	// EventOpened: a connection was opened on some node; older ones of the same
	// session must go (UserID, SocketID, Session).
	EventOpened
	// EventTyping: a member is typing (UserID).
	EventTyping
	// EventLocked: the room was locked or unlocked (Locked).
	EventLocked
	// EventRemoved: a member was removed or has left for good (UserID).
	EventRemoved
	// EventGap: messages were lost, replaced or can no longer be told; the next
	// EventMessage has the number after Seq (Epoch, Seq).
	EventGap
	// EventRetracted: a message that was told, or is older than the snapshot, was
	// retracted (Seq); Oldest is the number of the oldest message that is kept.
	EventRetracted
	// EventEnded: the room is gone (Reason). It is the last event of a room.
	EventEnded
)

// Event is something that happened in a room. Which fields are set depends on
// Kind. The bytes of Frame are shared: whoever receives them must not change
// them.
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
