package room

import (
	"context"
	"time"
)

// Store holds rooms. Package storetest is this contract in executable form.
//
// Methods are safe for concurrent use. Each write is atomic, and all writes to one
// room have one order on every node that shares the store. A room past its deadline
// does not exist for any method, even if its data has not been deleted yet, and no
// write brings it back.
//
// A room is addressed by the id of one instance, see InstanceID: no method reads or
// changes another instance of the same room. Only Load and Member also take a room
// id, which finds the room in its current instance.
//
// Every method but Create and Open fails with ErrRoomNotFound if the instance does
// not exist. Every method fails with an error that wraps ErrUnavailable if the store
// cannot be reached, or not before ctx is done; such a write may have taken effect.
// Callers check room ids with ValidID first.
type Store interface {
	// Create makes the room r, with its admin as the only member and without a
	// deadline. The store sets CreatedAt and ignores StartedAt, Deadline, Seq and
	// Locked of r. ErrTooManyRooms if limits.MaxRooms rooms exist.
	Create(ctx context.Context, r Room, limits CreateLimits) error

	// Open begins the instance r.Instance of a declared room, without members, or
	// returns the instance that exists. Concurrent calls return the same instance.
	// Otherwise it is like Create.
	Open(ctx context.Context, r Room, limits CreateLimits) (Room, error)

	// Load returns the room.
	Load(ctx context.Context, instanceID string) (Room, error)

	// Member returns the room and the user's membership in it.
	Member(ctx context.Context, instanceID, userID string) (Room, Membership, error)

	// Join makes one new member. A userId is given out once in an instance, also
	// if its member was removed. ErrRoomLocked if the room is locked, ErrRoomFull if
	// a limit of join is reached or no candidate is free.
	Join(ctx context.Context, instanceID string, join Join) (Joined, error)

	// Start sets the room's deadline, now plus its TTL, unless it has one, and
	// returns the start and the deadline. Concurrent starts, by Start or by Post,
	// produce one deadline and one EventStarted; one of them returns Began.
	Start(ctx context.Context, instanceID string) (Clock, error)

	// SetLocked locks or unlocks the room. EventLocked follows a change.
	SetLocked(ctx context.Context, instanceID string, locked bool) error

	// Remove ends a user's membership until the room ends; EventRemoved follows.
	// ErrMemberNotFound if the user is not a member.
	Remove(ctx context.Context, instanceID, userID string) error

	// Delete ends the room at once; EventEnded with EndDeleted follows.
	Delete(ctx context.Context, instanceID string) error

	// Post stores a message under the next number and starts the room if it has not
	// started; EventStarted, then EventMessage follow. It stores nothing, and the
	// receipt reports why, if post.ID is set and not above the session's highest
	// stored ID (Duplicate), or if that highest ID is below post.Known (Lost): the
	// store has lost messages that it had accepted. ErrRemoved if the sender was
	// removed.
	Post(ctx context.Context, instanceID string, post Post) (Receipt, error)

	// Retract replaces a message's entry by message.WithoutText of it, for good.
	// EventRetracted follows, unless the message had been retracted.
	// ErrMessageNotFound if the room does not keep the message; ErrNotAdmin if it is
	// another user's and r.Any is not set; ErrRemoved if the user was removed.
	Retract(ctx context.Context, instanceID string, r Retraction) error

	// Before returns the newest messages kept below the number before, or of all if
	// before is zero: at most limit messages and maxBytes bytes of entries, but at
	// least one message if any matches.
	Before(ctx context.Context, instanceID string, before uint64, limit, maxBytes int) (Page, error)

	// After returns the oldest messages kept above the number after: at most
	// maxBytes bytes of entries, but at least one message if any matches.
	After(ctx context.Context, instanceID string, after uint64, maxBytes int) (Page, error)

	// Watch follows a room. After the snapshot, watcher receives every event in
	// order: messages above snapshot.Room.Seq without a hole and each once, until
	// EventEnded or Feed.Close. A store that cannot keep that promise sends EventGap.
	// EventEnded with EndExpired comes at the deadline or up to half a second later,
	// also while the store cannot be reached.
	//
	// One goroutine at a time calls watcher: possibly under a lock of the store,
	// before Watch returns, or on the goroutine of the write that caused the event.
	// So watcher must not block, must not call the store, and must not take a lock
	// that its owner holds while calling the store.
	Watch(ctx context.Context, instanceID string, watcher func(Event)) (Snapshot, Feed, error)

	// Now returns the time of the clock that deadlines are measured by, as well as
	// this process knows it. It may be behind that clock, never ahead.
	Now() time.Time

	// Synchronous reports whether Post never waits and delivers the message to every
	// watcher in the process before it returns.
	Synchronous() bool

	// Close releases the store's resources. The caller closes all feeds first and
	// calls Close once. Users online through this store count as gone after at
	// most 3 s.
	Close() error
}

// CreateLimits are the limits for creating a room.
type CreateLimits struct {
	// Lobby is how long the room may wait for its start. The store ends it soon
	// after, with EndExpired.
	Lobby time.Duration
	// MaxRooms is how many rooms the store may hold; zero is no limit. A store
	// that is shared by nodes may ignore it.
	MaxRooms int
}

// Join describes a new membership.
type Join struct {
	// Candidates are userIds in order of preference. The store takes the first that
	// the room never gave out. Unless the site signs users in, it also skips those
	// whose name.Skeleton equals that of a name given out.
	Candidates []string
	// MaxOnline is the number of online users at which new members are refused.
	MaxOnline int
	// MaxMembers is the number of members at which new members are refused.
	MaxMembers int
}

// Membership is a user's relation to a room.
type Membership uint8

// The values of Membership.
const (
	NotMember Membership = iota
	IsMember
	WasRemoved
)

// Err returns nil for a member, ErrRemoved for a removed member, and
// ErrInvalidSession for other users.
func (m Membership) Err() error {
	switch m {
	case IsMember:
		return nil
	case WasRemoved:
		return ErrRemoved
	default:
		return ErrInvalidSession
	}
}

// Joined is a new membership.
type Joined struct {
	Room   Room
	UserID string
}

// Clock is a room's start and its deadline.
type Clock struct {
	StartedAt, Deadline time.Time
	// Began means that this call started the room.
	Began bool
}

// Post is a message to store.
type Post struct {
	// UserID is the sender.
	UserID string
	// Session is the public tag of the sender's session. ID is the sender's number
	// for the message, zero for none.
	Session string
	ID      uint64
	// Known is the highest ID of the session that the store has acknowledged, zero
	// for none. It has no effect on a message without ID.
	Known uint64
	// Body is the result of message.EncodeBody. The store keeps it.
	Body []byte
	// History is how many of the newest messages the room keeps: at least so many,
	// at most a quarter more.
	History int
}

// Receipt is the result of a Post.
type Receipt struct {
	// Seq is the number of the message; zero if it was not stored.
	Seq uint64
	// Duplicate means that the store already has this ID, or a later one of the
	// session.
	Duplicate bool
	// Lost means that the store no longer has all messages of the session up to
	// Known.
	Lost bool
	// Began means that this message started the room.
	Began bool
}

// Page is a run of messages, ascending and without holes.
type Page struct {
	// Entries are the messages as JSON objects. Callers must not change them.
	Entries [][]byte
	// First is the number of Entries[0]; zero for an empty page.
	First uint64
	// Oldest is the number of the oldest message kept, zero for none. Newest is the
	// number of the newest message stored.
	Oldest, Newest uint64
	// Epoch is the epoch of all these numbers.
	Epoch string
}

// Last returns the number of the last entry, zero for an empty page.
func (p *Page) Last() uint64 {
	if len(p.Entries) == 0 {
		return 0
	}
	return p.First + uint64(len(p.Entries)) - 1
}

// Snapshot is a room at the moment from which a Feed delivers events.
type Snapshot struct {
	Room Room
	// Online are the online users, on all nodes.
	Online []string
	// Retracted are the numbers of kept messages that were retracted.
	Retracted Retractions
}

// Feed is one node's watch of a room. Methods are safe for concurrent use.
type Feed interface {
	// Enter registers a member's connection on this node and returns the session's
	// highest stored Post.ID. EventOpened follows on every node, and EventJoined if
	// the user was offline. ErrRemoved or ErrInvalidSession if the user is not a
	// member, ErrRoomFull if the user is offline and maxOnline users are online.
	// An error that does not wrap ErrUnavailable changed nothing; after
	// ErrUnavailable, call Exit to make sure of that.
	Enter(ctx context.Context, presence Presence, maxOnline int) (lastID uint64, err error)

	// Exit registers that the user has no connection left on this node; order is
	// that of the newest one closed. It reverses each Enter with an order up to this
	// one, also one still in progress or with an unknown outcome, and no later one,
	// in whichever order the store receives the two. EventLeft follows when the user
	// is on no node. If the store cannot be reached, it applies the call later.
	Exit(ctx context.Context, userID string, order uint64)

	// Typing publishes EventTyping to the current watchers. The store keeps nothing.
	Typing(ctx context.Context, userID string) error

	// Close ends the feed: no event is delivered after it has returned. Users that
	// entered and have not exited stay online at most until the store is closed.
	// Don't call it from within the watcher. A second call does nothing.
	Close()
}

// Presence is a connection of a member.
type Presence struct {
	UserID string
	// SocketID identifies the connection, uniquely among all nodes.
	SocketID string
	// Order numbers a user's connections on this node as they open, from 1 up. It
	// decides between an Enter and an Exit that overtake each other.
	Order uint64
	// Session is the public tag of the member's session.
	Session string
}

// PubSub is implemented by stores that receive the events of other nodes over a
// connection.
type PubSub interface {
	Store
	// PubSubStats returns the state of that connection without any I/O. It is safe
	// for concurrent use.
	PubSubStats() PubSubStats
}

// PubSubStats are the state of a store's pub/sub connection, and its counts since
// the store was opened.
type PubSubStats struct {
	// Up is false while events may be missed: the node watches rooms, and the
	// connection is lost or cannot be made.
	Up bool `json:"up"`
	// Lost counts the losses of the connection.
	Lost uint64 `json:"losses"`
	// Syncs counts comparisons of a room with the store, after events of the room
	// were missed or had become doubtful.
	Syncs uint64 `json:"resyncs"`
	// Gaps counts comparisons that found messages lost for good (EventGap).
	Gaps uint64 `json:"gaps"`
}
