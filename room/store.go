package room

import (
	"context"
	"time"
)

// Store holds rooms. Package storetest is this contract in executable form.
//
// Methods are safe for concurrent use. Each write is atomic: it happens wholly
// or not at all, and in one order with all other writes to the same room, on
// every node that shares the store. A room that is past its deadline does not
// exist for any method, not even if its remains have not been cleared away,
// and no write brings it back.
//
// A room is asked for by the id of one of its lives, see InstanceID: no method does
// or tells anything of another life of the same room. Only Load and Member take
// a room id as well, which finds the room in whichever life it is.
//
// Every method but Create and Open fails with ErrRoomNotFound if there is no such
// room, or not this life of it, and every method fails with an error that wraps
// ErrUnavailable if the store cannot be asked, or not before ctx is done; such a
// write may have happened. Callers check room ids with ValidID first.
type Store interface {
	// Create makes the room r, with its admin as the only member. It has no
	// deadline yet. The store sets CreatedAt; StartedAt, Deadline, Seq and
	// Locked of r are ignored. ErrTooManyRooms if limits.MaxRooms rooms exist.
	Create(ctx context.Context, r Room, limits CreateLimits) error

	// Open begins the life r.Instance of a standing room, without members, unless the
	// room is there; it returns the room that is there then. However many open a
	// room at once, they are returned the same life. Otherwise it is Create.
	Open(ctx context.Context, r Room, limits CreateLimits) (Room, error)

	// Load returns the room.
	Load(ctx context.Context, instanceID string) (Room, error)

	// Member returns the room and whether the user is a member of it.
	Member(ctx context.Context, instanceID, userID string) (Room, Membership, error)

	// Join makes one new member. A userId is given out once in the life of a
	// room: neither a member's nor a removed member's is given to another.
	// ErrRoomLocked if the room is locked, ErrRoomFull if one of the limits of
	// join is reached or no candidate is free.
	Join(ctx context.Context, instanceID string, join Join) (Joined, error)

	// Start gives the room its deadline, now plus its TTL, unless it has one,
	// and returns when it started and its deadline. However many start it at
	// once, by Start or by Post, there is one deadline and one EventStarted, and one
	// of them is told that it began.
	Start(ctx context.Context, instanceID string) (Clock, error)

	// SetLocked locks or unlocks the room. EventLocked follows if that is a
	// change.
	SetLocked(ctx context.Context, instanceID string, locked bool) error

	// Remove ends the membership of a user for the rest of the room's life;
	// EventRemoved follows. ErrMemberNotFound if the user is not a member.
	Remove(ctx context.Context, instanceID, userID string) error

	// Delete ends the room at once; EventEnded with EndDeleted follows.
	Delete(ctx context.Context, instanceID string) error

	// Post stores a message under the next number and starts the room if it
	// has not started; EventStarted, then EventMessage follow. If post.ID is
	// not zero and not above the highest that was stored for post.Session, the
	// message is not stored, and the receipt says so. The same if that highest one
	// is below post.Known: the store has lost messages that it had accepted.
	// ErrRemoved if the sender was removed.
	Post(ctx context.Context, instanceID string, post Post) (Receipt, error)

	// Retract takes the text of a message away, for good: its entry becomes what
	// WithoutText makes of it. EventRetracted follows, unless it had been retracted.
	// ErrMessageNotFound if there is no such message, or it is no longer kept;
	// ErrNotAdmin if it is another user's and r.Any is not set; ErrRemoved if the
	// user was removed.
	Retract(ctx context.Context, instanceID string, r Retraction) error

	// Before returns the newest messages that are kept below the number before
	// (of all if before is zero): as many as limit and at most maxBytes bytes
	// of entries, but one at least if there is any.
	Before(ctx context.Context, instanceID string, before uint64, limit, maxBytes int) (Page, error)

	// After returns the oldest messages that are kept above the number after:
	// at most maxBytes bytes of entries, but one at least if there is any.
	After(ctx context.Context, instanceID string, after uint64, maxBytes int) (Page, error)

	// Watch follows a room. The snapshot and then every event reaches watcher,
	// in the order in which they happened: messages above snapshot.Room.Seq
	// without a hole and each once, until EventEnded or Feed.Close. Where the
	// store cannot keep that promise it sends EventGap. EventEnded with
	// EndExpired comes within half a second of the deadline, not before it,
	// also while the store cannot be asked.
	//
	// watcher is called by one goroutine at a time, possibly under a lock of
	// the store, possibly before Watch returns, and possibly on the goroutine of
	// a caller whose write it tells of: it must not block, must not call the
	// store, and must not take a lock that is held around calls of the store.
	Watch(ctx context.Context, instanceID string, watcher func(Event)) (Snapshot, Feed, error)

	// Now is the time of the clock that deadlines are measured by, as well as
	// this process knows it. It may be behind that clock, never ahead.
	Now() time.Time

	// Synchronous reports whether Post never waits and delivers the message to every
	// watcher in the process before it returns.
	Synchronous() bool

	// Close releases what the store holds. It is called once, after all feeds
	// are closed. Users who are online through it are counted as gone after
	// 3 s, or sooner.
	Close() error
}

// CreateLimits are the limits that the creation of a room is subject to.
type CreateLimits struct {
	// Lobby is how long the room may exist without being started. It is reaped
	// soon after, with EndExpired.
	Lobby time.Duration
	// MaxRooms is how many rooms the store may hold; zero is no limit. A store
	// that is shared by nodes may ignore it.
	MaxRooms int
}

// Join asks for a new membership.
type Join struct {
	// Candidates are userIds in order of preference. The first that was never
	// given out in the room is taken; where the room is not for those whom a site
	// has signed in, the first that does not look like one that was, see Look.
	Candidates []string
	// MaxOnline is how many users may be online for somebody new to join.
	MaxOnline int
	// MaxMembers is how many members the room may have.
	MaxMembers int
}

// Membership is how a user stands to a room.
type Membership uint8

// What a user can be to a room.
const (
	NotMember Membership = iota
	IsMember
	WasRemoved
)

// Err returns nil for a member, ErrRemoved for somebody who was one, and
// ErrInvalidSession for anybody else.
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

// Clock is when a room started and when it ends.
type Clock struct {
	StartedAt, Deadline time.Time
	// Began means that it was this call that started the room.
	Began bool
}

// Post is a message to be stored.
type Post struct {
	// UserID is the sender.
	UserID string
	// Session is the public tag of the sender's session; ID the number that the
	// sender gave the message, zero for none.
	Session string
	ID      uint64
	// Known is the highest ID of the session that the store is known to have
	// accepted, zero for none. It says nothing of a message without ID.
	Known uint64
	// Body is what EncodeBody made. The store keeps it.
	Body []byte
	// History is how many messages the room keeps: so many of the newest, at
	// least, and at most a quarter more.
	History int
}

// Receipt is what became of a Post.
type Receipt struct {
	// Seq is the number of the message; zero if it was not stored.
	Seq uint64
	// Duplicate means that a message with this ID, or a later one of the
	// session, had been stored before.
	Duplicate bool
	// Lost means that the store does not have all messages of the session up to
	// Known any more.
	Lost bool
	// Began means that it was this message that started the room.
	Began bool
}

// Page is a run of messages, ascending and without holes.
type Page struct {
	// Entries are the messages as JSON objects. They must not be changed.
	Entries [][]byte
	// First is the number of Entries[0]; zero if there is none.
	First uint64
	// Oldest is the number of the oldest message that is kept, zero if there is
	// none. Newest is the number of the newest that was stored.
	Oldest, Newest uint64
	// Epoch is the epoch of all these numbers.
	Epoch string
}

// Last returns the number of the last entry, zero if there is none.
func (p *Page) Last() uint64 {
	if len(p.Entries) == 0 {
		return 0
	}
	return p.First + uint64(len(p.Entries)) - 1
}

// Snapshot is a room at the moment from which a Feed tells what happens.
type Snapshot struct {
	Room Room
	// Online are the users who are online, on all nodes.
	Online []string
	// Retracted are the numbers of the messages that are kept and were retracted.
	Retracted Retractions
}

// Feed is one node's hold on a room that it watches. Methods are safe for
// concurrent use.
type Feed interface {
	// Enter says that a connection of a member was opened on this node. It
	// returns the highest Post.ID that was stored for the session. EventOpened
	// follows on every node, and EventJoined if the user was not online.
	// ErrRemoved or ErrInvalidSession if the user is not a member, ErrRoomFull
	// if the user is not online and maxOnline users are. After any error that
	// does not wrap ErrUnavailable nothing was changed; after ErrUnavailable it
	// takes an Exit to be sure of that.
	Enter(ctx context.Context, presence Presence, maxOnline int) (lastID uint64, err error)

	// Exit says that none of the user's connections on this node is left, of
	// which order was the newest. It takes back each Enter of the user with an
	// order up to this one, also one that is still under way or was not heard
	// of again, and leaves alone what a later Enter says, whichever of the two
	// the store is told first. EventLeft follows when no node has the user. When
	// the store cannot be asked, it makes up for the call later.
	Exit(ctx context.Context, userID string, order uint64)

	// Typing says that the user is typing; EventTyping follows. It is told to
	// those who listen now and kept nowhere.
	Typing(ctx context.Context, userID string) error

	// Close ends the feed: no event is delivered after it has returned. Users
	// who entered through it and have not exited stay online until the store is
	// closed, or less long. It may be called by the watcher's
	// owner at any time, but not from within the watcher. Closing twice is fine.
	Close()
}

// Presence is a connection of a member.
type Presence struct {
	UserID string
	// SocketID names the connection, uniquely among all nodes.
	SocketID string
	// Order numbers the connections of a user on this node, as their owner
	// opens them; it is above zero and grows. It decides between an Enter and an
	// Exit that overtake each other.
	Order uint64
	// Session is the public tag of the member's session.
	Session string
}
