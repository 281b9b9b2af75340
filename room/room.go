package room

import "time"

// Room is the state of one room as a Store holds it.
type Room struct {
	// ID names the room: 128 random bits as 22 base64url characters, or what the
	// site says where it is a standing room.
	ID string
	// Instance names the life of a standing room; empty for any other.
	Instance string
	// Name is what people see, 1 to 100 characters.
	Name string
	// Admin is the userId of the member who created the room; empty for a standing
	// room, which nobody has created.
	Admin string
	// SignedIn means that its users are those whom the site has signed in, each
	// always under the same userId.
	SignedIn bool
	// TTL is the time from the start to the deadline, in whole seconds.
	TTL time.Duration
	// Locked means that nobody new may join.
	Locked bool
	// Key is the secret under which the room's sessions are signed, 32 bytes.
	Key []byte
	// Password and AdminPassword are salts and hashes: of what is needed to join,
	// and to join a standing room as an admin. Empty where there is none.
	Password, AdminPassword []byte
	// CreatedAt, StartedAt and Deadline are times of the store's clock in
	// whole milliseconds. The latter two are zero until the room starts.
	CreatedAt, StartedAt, Deadline time.Time
	// Seq is the number of the newest message; the first one is 1.
	Seq uint64
	// Epoch names the numbering: where a store lost messages, numbers are
	// given out anew under another epoch.
	Epoch string
}

// InstanceID names the life that this is; see the function InstanceID.
func (r *Room) InstanceID() string { return InstanceID(r.ID, r.Instance) }

// Started reports whether the room's time runs.
func (r *Room) Started() bool { return !r.Deadline.IsZero() }

// Role says what a member may do.
type Role string

// The roles of a room.
const (
	RoleAdmin  Role = "admin"
	RoleMember Role = "member"
)

// EndReason says why a room has ended.
type EndReason string

// The ends of a room.
const (
	EndExpired EndReason = "expired"
	EndDeleted EndReason = "deleted"
)
