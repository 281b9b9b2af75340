package room

import "time"

// Room is the state of one room as a Store holds it.
type Room struct {
	// ID identifies the room: 128 random bits as 22 base64url characters, or the id
	// that the site declares.
	ID string
	// Instance identifies this instance of a declared room; empty for a created room.
	Instance string
	// Name is shown to people, 1 to 100 characters.
	Name string
	// Admin is the userId of the member that created the room; empty for a declared
	// room.
	Admin string
	// SignedIn means that the site signs the room's users in, each always under the
	// same userId.
	SignedIn bool
	// TTL is the time from the start to the deadline, in whole seconds.
	TTL time.Duration
	// Locked means that the room takes no new members.
	Locked bool
	// Key is the secret under which the room's sessions are signed, 32 bytes.
	Key []byte
	// Password and AdminPassword are each a salt and a hash: of the password to join,
	// and of the one to join a declared room as an admin. Empty for none.
	Password, AdminPassword []byte
	// CreatedAt, StartedAt and Deadline are times of the store's clock in
	// whole milliseconds. The latter two are zero until the room starts.
	CreatedAt, StartedAt, Deadline time.Time
	// Seq is the number of the newest message; the first one is 1.
	Seq uint64
	// Epoch identifies the numbering: a store that lost messages gives their numbers
	// out anew under another epoch.
	Epoch string
}

// InstanceID identifies this instance of the room; see the function InstanceID.
func (r *Room) InstanceID() string { return InstanceID(r.ID, r.Instance) }

// Started reports whether the room has a deadline.
func (r *Room) Started() bool { return !r.Deadline.IsZero() }

// Role decides what a member may do.
type Role string

// The roles of a room.
const (
	RoleAdmin  Role = "admin"
	RoleMember Role = "member"
)

// EndReason is why a room has ended.
type EndReason string

// The ends of a room.
const (
	EndExpired EndReason = "expired"
	EndDeleted EndReason = "deleted"
)
