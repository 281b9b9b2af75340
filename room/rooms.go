package room

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"
	"unicode/utf8"

	"github.com/ephemeralchat/caddy-ephemeral-chat/room/message"
	"github.com/ephemeralchat/caddy-ephemeral-chat/room/name"
)

// Limits are a site's limits for its rooms.
type Limits struct {
	// TTL is the default time to live of a room, MaxTTL the longest that a creator
	// may ask for. Whole seconds.
	TTL, MaxTTL time.Duration
	// Lobby is how long a room may wait for its start. Whole seconds.
	Lobby time.Duration
	// History is how many messages a room keeps.
	History int
	// MaxMessage is the size of a message in bytes of UTF-8.
	MaxMessage int
	// MaxMembers is how many users may be online in a room. Ten times as many may
	// be members of it.
	MaxMembers int
	// SignedIn means that the site signs users in. A room belongs to the kind of
	// users it was made by, and doesn't exist for the other kind.
	SignedIn bool
	// MaxRooms is how many rooms an in-process store may hold; zero is no limit.
	MaxRooms int
}

// membersPerOnline is how many members a room may have for each user that may be
// online: people come and go under new names.
const membersPerOnline = 10

// Rooms applies the rules of the chat, under the limits of one site, to the rooms
// of a store. It is safe for concurrent use. Its only state are the password hashes
// of declared rooms.
type Rooms struct {
	store    Store
	limits   Limits
	declared map[string]*DeclaredRoom // by room id; fixed
}

// NewRooms returns the rooms of store under limits. The declared rooms, whose ids
// differ, open when they are joined.
func NewRooms(store Store, limits Limits, declared ...*DeclaredRoom) *Rooms {
	r := &Rooms{store: store, limits: limits, declared: make(map[string]*DeclaredRoom, len(declared))}
	for _, d := range declared {
		r.declared[d.declared.ID] = d
	}
	return r
}

// Limits returns the limits that NewRooms was given.
func (r *Rooms) Limits() Limits { return r.limits }

// Credentials identify a client as a member of a room.
type Credentials struct {
	RoomID, UserID, SessionID string
}

// Member is a client with valid credentials.
type Member struct {
	Room   Room
	UserID string
	Session
}

// Admission is the result of creating, joining or rejoining a room.
type Admission struct {
	Room              Room
	UserID, SessionID string
	Role              Role
	// Rejoined means that the user already was a member.
	Rejoined bool
	// Opened means that this join opened a declared room.
	Opened bool
}

// CreateRequest asks for a new room.
type CreateRequest struct {
	// Name is required, Password and Username are optional.
	Name, Password, Username string
	// User is the userId that name.SignedIn returned, where Limits.SignedIn is set;
	// Username has no effect there.
	User string
	// TTL is the time to live; nil is the site's default.
	TTL *time.Duration
}

// Create makes a room and admits its creator as the admin.
func (r *Rooms) Create(ctx context.Context, req CreateRequest) (Admission, error) {
	name, err := name.Clean("roomName", req.Name, name.MaxRoom)
	if err != nil {
		return Admission{}, invalid(err)
	}
	ids, err := r.candidates(req.User, req.Username)
	if err != nil {
		return Admission{}, err
	}
	ttl := r.limits.TTL
	if req.TTL != nil {
		ttl = *req.TTL
	}
	if err := cmp.Or(validTTL(ttl, r.limits), validPassword(req.Password)); err != nil {
		return Admission{}, invalid(err)
	}
	room := Room{ID: NewID(), Name: name, Admin: ids[0], TTL: ttl, Key: randomBytes(keySize), Epoch: newEpoch(), SignedIn: r.limits.SignedIn}
	if room.Password, err = hashPassword(ctx, req.Password, randomBytes(saltSize)); err != nil {
		return Admission{}, err
	}
	if err := r.store.Create(ctx, room, r.createLimits()); err != nil {
		return Admission{}, err
	}
	return admit(room, room.Admin, RoleAdmin), nil
}

func (r *Rooms) createLimits() CreateLimits {
	return CreateLimits{Lobby: r.limits.Lobby, MaxRooms: r.limits.MaxRooms}
}

// Info is the public information about a room.
type Info struct {
	PasswordRequired, Locked bool
	// StartedAt and Deadline are zero until the room starts.
	StartedAt, Deadline time.Time
}

// Info returns the public information about a room. A declared room of this site
// has it also while it has no instance.
func (r *Rooms) Info(ctx context.Context, roomID string) (Info, error) {
	room, _, err := r.find(ctx, roomID, "")
	if d, ok := r.declaredIfMissing(roomID, err); ok {
		return Info{PasswordRequired: d.declared.Password != ""}, nil
	}
	if err != nil {
		return Info{}, err
	}
	return Info{len(room.Password) > 0, room.Locked, room.StartedAt, room.Deadline}, nil
}

// find returns the room and the user's membership in it, without a user NotMember.
func (r *Rooms) find(ctx context.Context, roomID, userID string) (room Room, membership Membership, err error) {
	if !ValidID(roomID) {
		return Room{}, NotMember, ErrRoomNotFound
	}
	if userID == "" {
		room, err = r.store.Load(ctx, roomID)
	} else {
		room, membership, err = r.store.Member(ctx, roomID, userID)
	}
	if err != nil {
		return Room{}, NotMember, err
	}
	return room, membership, r.Admits(room.SignedIn)
}

// Admits returns an error unless this site and the room agree on whether users are
// signed in. Signed-in users cannot enter a room of a site without sign-in: other
// users of that room could have taken their names.
func (r *Rooms) Admits(signedIn bool) error {
	switch {
	case signedIn == r.limits.SignedIn:
		return nil
	case signedIn:
		return ErrNotSignedIn
	default:
		return ErrRoomNotFound
	}
}

// Rejoin admits a returning member: under a new session, in the role of the old
// one, without a password, and also when the room is locked.
func (r *Rooms) Rejoin(ctx context.Context, c Credentials) (Admission, error) {
	m, err := r.Authenticate(ctx, c)
	if err != nil {
		return Admission{}, err
	}
	a := admit(m.Room, m.UserID, m.Role)
	a.Rejoined = true
	return a, nil
}

// Authenticate returns the member with these credentials. ErrInvalidSession if the
// session is not valid, ErrRemoved if it is and its user is no longer a member.
func (r *Rooms) Authenticate(ctx context.Context, c Credentials) (Member, error) {
	room, membership, err := r.find(ctx, c.RoomID, c.UserID)
	if err != nil {
		return Member{}, err
	}
	// The session first: without a valid one, the membership stays secret.
	session, err := VerifySession(room.Key, c.RoomID, c.UserID, c.SessionID)
	if err != nil {
		return Member{}, err
	}
	if err := membership.Err(); err != nil {
		return Member{}, err
	}
	return Member{Room: room, UserID: c.UserID, Session: session}, nil
}

// Start starts the room. Only an admin may.
func (r *Rooms) Start(ctx context.Context, c Credentials) (Clock, error) {
	m, err := r.admin(ctx, c)
	if err != nil {
		return Clock{}, err
	}
	return r.store.Start(ctx, m.Room.InstanceID())
}

// Delete ends the room at once. Only an admin may.
func (r *Rooms) Delete(ctx context.Context, c Credentials) error {
	m, err := r.admin(ctx, c)
	if err != nil {
		return err
	}
	return r.store.Delete(ctx, m.Room.InstanceID())
}

// SetLocked locks or unlocks the room for new members. Only an admin may.
func (r *Rooms) SetLocked(ctx context.Context, c Credentials, locked bool) error {
	m, err := r.admin(ctx, c)
	if err != nil {
		return err
	}
	return r.store.SetLocked(ctx, m.Room.InstanceID(), locked)
}

// Remove ends the membership of another user. Only an admin may, and not its own.
// The admins of a declared room may remove each other.
func (r *Rooms) Remove(ctx context.Context, c Credentials, userID string) error {
	m, err := r.admin(ctx, c)
	if err != nil {
		return err
	}
	if userID == m.Room.Admin || userID == m.UserID {
		return fmt.Errorf("%w: the admin cannot be removed", ErrInvalidRequest)
	}
	return r.store.Remove(ctx, m.Room.InstanceID(), userID)
}

// Leave ends the caller's own membership. The admin may leave too: the room goes
// on without one.
func (r *Rooms) Leave(ctx context.Context, c Credentials) error {
	m, err := r.Authenticate(ctx, c)
	if err != nil {
		return err
	}
	return r.store.Remove(ctx, m.Room.InstanceID(), m.UserID)
}

// Post stores a message of a member in the instance in which the connection's
// credentials were checked. id is the member's number for the message, zero for
// none; known is the highest id that the store has acknowledged.
func (r *Rooms) Post(ctx context.Context, instanceID, userID, session string, id, known uint64, text string) (Receipt, error) {
	if text == "" {
		return Receipt{}, ErrInvalidMessage
	}
	if len(text) > r.limits.MaxMessage {
		return Receipt{}, fmt.Errorf("%w (max %d bytes)", ErrMessageTooLong, r.limits.MaxMessage)
	}
	return r.store.Post(ctx, instanceID, Post{
		UserID:  userID,
		Session: session,
		ID:      id,
		Known:   known,
		Body:    message.EncodeBody(text, r.store.Now(), userID, id, session),
		History: r.limits.History,
	})
}

// Retract takes back a message of the member, or of any member if the role is
// admin. Like Post, it relies on the check when the connection was opened.
func (r *Rooms) Retract(ctx context.Context, instanceID, userID string, role Role, seq uint64, epoch string) error {
	return r.store.Retract(ctx, instanceID, Retraction{Seq: seq, Epoch: epoch, UserID: userID, Any: role == RoleAdmin})
}

// admin returns the member with these credentials if it is an admin.
func (r *Rooms) admin(ctx context.Context, c Credentials) (Member, error) {
	m, err := r.Authenticate(ctx, c)
	if err != nil {
		return Member{}, err
	}
	if m.Role != RoleAdmin {
		return Member{}, ErrNotAdmin
	}
	return m, nil
}

func admit(room Room, userID string, role Role) Admission {
	return Admission{Room: room, UserID: userID, SessionID: NewSession(room.Key, room.ID, userID, role), Role: role}
}

func validTTL(ttl time.Duration, limits Limits) error {
	if ttl < time.Second || ttl > limits.MaxTTL || ttl%time.Second != 0 {
		return fmt.Errorf("ttl must be whole seconds from 1 to %d", limits.MaxTTL/time.Second)
	}
	return nil
}

func validPassword(password string) error {
	if len(password) > MaxPassword {
		return fmt.Errorf("password too long (max %d bytes)", MaxPassword)
	}
	if !utf8.ValidString(password) {
		return errors.New("password is not valid UTF-8")
	}
	return nil
}
