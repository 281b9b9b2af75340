package room

import (
	"context"
	"errors"
	"fmt"
	"time"
	"unicode/utf8"

	"github.com/ephemeralchat/caddy-ephemeral-chat/room/message"
	"github.com/ephemeralchat/caddy-ephemeral-chat/room/name"
)

// Limits are what a site allows its rooms.
type Limits struct {
	// TTL is the time to live of a room that does not ask for one, MaxTTL the
	// longest that it may ask for. Whole seconds.
	TTL, MaxTTL time.Duration
	// Lobby is how long a room may wait to be started. Whole seconds.
	Lobby time.Duration
	// History is how many messages a room keeps.
	History int
	// MaxMessage is the size of a message in bytes of UTF-8.
	MaxMessage int
	// MaxMembers is how many users may be online in a room. Ten times as many
	// may be members of it.
	MaxMembers int
	// SignedIn means that users are those whom the site has signed in. Rooms are
	// made for one kind of users, and are there for that kind only.
	SignedIn bool
	// MaxRooms is how many rooms an in-process store may hold; zero is no limit.
	MaxRooms int
}

// membersPerOnline is how many members a room may have for each user that may
// be online: people come and go under ever new names.
const membersPerOnline = 10

// Rooms applies the rules of the chat, under the limits of one site, to the
// rooms of a store. It is safe for concurrent use and holds no state but these and
// the hashes of the passwords of standing rooms.
type Rooms struct {
	store    Store
	limits   Limits
	standing map[string]*DeclaredRoom // by their ids; never changed
}

// NewRooms returns the rooms of store under limits. The standing rooms, whose ids
// differ, are those that come into being when they are joined.
func NewRooms(store Store, limits Limits, standing ...*DeclaredRoom) *Rooms {
	r := &Rooms{store: store, limits: limits, standing: make(map[string]*DeclaredRoom, len(standing))}
	for _, s := range standing {
		r.standing[s.declared.ID] = s
	}
	return r
}

// Limits returns the limits that NewRooms was given.
func (r *Rooms) Limits() Limits { return r.limits }

// Credentials are what a client identifies itself with.
type Credentials struct {
	RoomID, UserID, SessionID string
}

// Member is a client whose credentials are good.
type Member struct {
	Room   Room
	UserID string
	Session
}

// Admission is what a client needs to take part.
type Admission struct {
	Room              Room
	UserID, SessionID string
	Role              Role
	// Rejoined means that the user was a member before.
	Rejoined bool
	// Opened means that with this a standing room came into being.
	Opened bool
}

// CreateRequest asks for a room.
type CreateRequest struct {
	// Name is required, Password and Username are optional.
	Name, Password, Username string
	// User is the userId of whoever asks, see SignedInID, where Limits.SignedIn
	// is set; Username means nothing then.
	User string
	// TTL is the wanted time to live; nil is the site's default.
	TTL *time.Duration
}

// Create makes a room and admits its admin.
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
	if err := validTTL(ttl, r.limits); err != nil {
		return Admission{}, invalid(err)
	}
	if err := validPassword(req.Password); err != nil {
		return Admission{}, invalid(err)
	}
	room := Room{ID: NewID(), Name: name, Admin: ids[0], TTL: ttl, Key: randomBytes(keySize), Epoch: newEpoch(), SignedIn: r.limits.SignedIn}
	if req.Password != "" {
		if room.Password, err = hashPassword(ctx, req.Password); err != nil {
			return Admission{}, err
		}
	}
	if err := r.store.Create(ctx, room, r.createLimits()); err != nil {
		return Admission{}, err
	}
	return admit(room, room.Admin, RoleAdmin), nil
}

func (r *Rooms) createLimits() CreateLimits {
	return CreateLimits{Lobby: r.limits.Lobby, MaxRooms: r.limits.MaxRooms}
}

// Info is what anybody who knows the id of a room may be told of it.
type Info struct {
	PasswordRequired, Locked bool
	// StartedAt and Deadline are zero until the room starts.
	StartedAt, Deadline time.Time
}

// Info returns what anybody may be told of a room; of a standing room of this site
// also while it is not there.
func (r *Rooms) Info(ctx context.Context, roomID string) (Info, error) {
	room, err := r.load(ctx, roomID)
	if s, ok := r.declaredAfter(roomID, err); ok {
		return s.info(), nil
	}
	if err != nil {
		return Info{}, err
	}
	return Info{len(room.Password) > 0, room.Locked, room.StartedAt, room.Deadline}, nil
}

// member returns the room and how a user stands to it.
func (r *Rooms) member(ctx context.Context, roomID, userID string) (Room, Membership, error) {
	if !ValidID(roomID) {
		return Room{}, NotMember, ErrRoomNotFound
	}
	room, membership, err := r.store.Member(ctx, roomID, userID)
	if err != nil {
		return Room{}, NotMember, err
	}
	return room, membership, r.Admits(room.SignedIn)
}

func (r *Rooms) load(ctx context.Context, roomID string) (Room, error) {
	if !ValidID(roomID) {
		return Room{}, ErrRoomNotFound
	}
	room, err := r.store.Load(ctx, roomID)
	if err != nil {
		return Room{}, err
	}
	return room, r.Admits(room.SignedIn)
}

// Admits reports why a room is not there for the users of this site, whose users
// are those whom its site has signed in, or are not. A room of a site that knows
// nobody is not there for those whom another has signed in: anybody could have
// taken their names in it.
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

// Rejoin admits a member who comes back: under a new session, in the role that
// the old one had, without a password, and also when the room is locked.
func (r *Rooms) Rejoin(ctx context.Context, c Credentials) (Admission, error) {
	m, err := r.Authenticate(ctx, c)
	if err != nil {
		return Admission{}, err
	}
	a := admit(m.Room, m.UserID, m.Role)
	a.Rejoined = true
	return a, nil
}

// Authenticate returns the member whose credentials these are. ErrInvalidSession
// if they are nobody's, ErrRemoved if they were a member's who no longer is one.
func (r *Rooms) Authenticate(ctx context.Context, c Credentials) (Member, error) {
	room, membership, err := r.member(ctx, c.RoomID, c.UserID)
	if err != nil {
		return Member{}, err
	}
	// The session first: only who has one may learn what became of its user.
	session, err := VerifySession(room.Key, c.RoomID, c.UserID, c.SessionID)
	if err != nil {
		return Member{}, err
	}
	if err := membership.Err(); err != nil {
		return Member{}, err
	}
	return Member{Room: room, UserID: c.UserID, Session: session}, nil
}

// Start starts the chat. Only the admin may.
func (r *Rooms) Start(ctx context.Context, c Credentials) (Clock, error) {
	m, err := r.admin(ctx, c)
	if err != nil {
		return Clock{}, err
	}
	return r.store.Start(ctx, m.Room.InstanceID())
}

// Delete ends the room at once. Only the admin may.
func (r *Rooms) Delete(ctx context.Context, c Credentials) error {
	m, err := r.admin(ctx, c)
	if err != nil {
		return err
	}
	return r.store.Delete(ctx, m.Room.InstanceID())
}

// SetLocked locks or unlocks the room for new members. Only the admin may.
func (r *Rooms) SetLocked(ctx context.Context, c Credentials, locked bool) error {
	m, err := r.admin(ctx, c)
	if err != nil {
		return err
	}
	return r.store.SetLocked(ctx, m.Room.InstanceID(), locked)
}

// Remove ends the membership of another user. Only an admin may, and not their
// own. The admins of a standing room may remove each other.
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

// Leave ends one's own membership. The admin may leave too: the room goes on
// without one.
func (r *Rooms) Leave(ctx context.Context, c Credentials) error {
	m, err := r.Authenticate(ctx, c)
	if err != nil {
		return err
	}
	return r.store.Remove(ctx, m.Room.InstanceID(), m.UserID)
}

// Post stores a message of a member, whose credentials were checked when its
// connection was opened, in the life of the room in which they were good. id is
// the member's number for the message, zero for none, and known the highest that was
// accepted.
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

// Retract takes back a message of a member's, or of anybody's if the role is the
// admin's. As with Post, the credentials were checked when the connection was
// opened.
func (r *Rooms) Retract(ctx context.Context, roomID, userID string, role Role, seq uint64, epoch string) error {
	return r.store.Retract(ctx, roomID, Retraction{Seq: seq, Epoch: epoch, UserID: userID, Any: role == RoleAdmin})
}

// admin returns the member with these credentials if it is the room's admin.
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
