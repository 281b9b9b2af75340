package room

import (
	"context"
	"errors"
	"fmt"
	"time"
	"unicode/utf8"
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
	// MaxRooms is how many rooms an in-process store may hold; zero is no limit.
	MaxRooms int
}

// membersPerOnline is how many members a room may have for each user that may
// be online: people come and go under ever new names.
const membersPerOnline = 10

// Rooms applies the rules of the chat, under the limits of one site, to the
// rooms of a store. It is safe for concurrent use and holds no state but these.
type Rooms struct {
	store  Store
	limits Limits
}

// NewRooms returns the rooms of store under limits.
func NewRooms(store Store, limits Limits) *Rooms { return &Rooms{store: store, limits: limits} }

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
}

// NewRoom asks for a room.
type NewRoom struct {
	// Name is required, Password and Username are optional.
	Name, Password, Username string
	// TTL is the wanted time to live; nil is the site's default.
	TTL *time.Duration
}

// Create makes a room and admits its admin.
func (r *Rooms) Create(ctx context.Context, req NewRoom) (Admission, error) {
	name, err := cleanName("roomName", req.Name, MaxRoomName)
	if err != nil {
		return Admission{}, err
	}
	ids, err := candidates(req.Username)
	if err != nil {
		return Admission{}, err
	}
	ttl := r.limits.TTL
	if req.TTL != nil {
		ttl = *req.TTL
	}
	if ttl < time.Second || ttl > r.limits.MaxTTL || ttl%time.Second != 0 {
		return Admission{}, fmt.Errorf("%w: ttl must be whole seconds from 1 to %d",
			ErrInvalidRequest, r.limits.MaxTTL/time.Second)
	}
	if err := validPassword(req.Password); err != nil {
		return Admission{}, err
	}
	room := Room{ID: NewID(), Name: name, Admin: ids[0], TTL: ttl, Key: randomBytes(32), Epoch: newEpoch()}
	if req.Password != "" {
		if room.Password, err = hashPassword(ctx, req.Password); err != nil {
			return Admission{}, err
		}
	}
	limits := CreateLimits{Lobby: r.limits.Lobby, MaxRooms: r.limits.MaxRooms}
	if err := r.store.Create(ctx, room, limits); err != nil {
		return Admission{}, err
	}
	return admit(room, room.Admin, RoleAdmin), nil
}

// Info returns the room, of which anybody who knows its id may be told whether
// it has a password, whether it is locked, and its times; no more.
func (r *Rooms) Info(ctx context.Context, roomID string) (Room, error) {
	if !ValidID(roomID) {
		return Room{}, ErrRoomNotFound
	}
	return r.store.Load(ctx, roomID)
}

// Newcomer asks for a new membership of a room.
type Newcomer struct {
	RoomID string
	// Password is needed where the room has one, Username is optional.
	Password, Username string
	// Guard limits the checks of passwords; nil does not.
	Guard Guard
}

// Guard is asked before a password is checked. It fails with ErrRateLimited, or
// returns a function that is told afterwards whether the password was wrong.
type Guard func() (done func(wrong bool), err error)

// Join admits somebody new.
func (r *Rooms) Join(ctx context.Context, n Newcomer) (Admission, error) {
	ids, err := candidates(n.Username)
	if err != nil {
		return Admission{}, err
	}
	if err := validPassword(n.Password); err != nil {
		return Admission{}, err
	}
	room, err := r.Info(ctx, n.RoomID)
	if err != nil {
		return Admission{}, err
	}
	if room.Locked {
		return Admission{}, ErrRoomLocked // before the cost of a hash
	}
	if len(room.Password) > 0 {
		if err := checkGuarded(ctx, room.Password, n.Password, n.Guard); err != nil {
			return Admission{}, err
		}
	}
	joined, err := r.store.Join(ctx, n.RoomID, Join{
		Candidates: ids,
		MaxOnline:  r.limits.MaxMembers,
		MaxMembers: r.limits.MaxMembers * membersPerOnline,
	})
	if err != nil {
		return Admission{}, err
	}
	return admit(joined.Room, joined.UserID, RoleMember), nil
}

func checkGuarded(ctx context.Context, stored []byte, password string, guard Guard) error {
	if guard == nil {
		return checkPassword(ctx, stored, password)
	}
	done, err := guard()
	if err != nil {
		return err
	}
	err = checkPassword(ctx, stored, password)
	done(errors.Is(err, ErrWrongPassword))
	return err
}

// Return admits a member who comes back: under a new session, in the role that
// the old one had, without a password, and also when the room is locked.
func (r *Rooms) Return(ctx context.Context, c Credentials) (Admission, error) {
	m, err := r.Authenticate(ctx, c)
	if err != nil {
		return Admission{}, err
	}
	return admit(m.Room, m.UserID, m.Role), nil
}

// Authenticate returns the member whose credentials these are. ErrInvalidSession
// if they are nobody's, ErrRemoved if they were a member's who no longer is one.
func (r *Rooms) Authenticate(ctx context.Context, c Credentials) (Member, error) {
	if !ValidID(c.RoomID) {
		return Member{}, ErrRoomNotFound
	}
	room, membership, err := r.store.Member(ctx, c.RoomID, c.UserID)
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
	if _, err := r.admin(ctx, c); err != nil {
		return Clock{}, err
	}
	return r.store.Start(ctx, c.RoomID)
}

// Delete ends the room at once. Only the admin may.
func (r *Rooms) Delete(ctx context.Context, c Credentials) error {
	if _, err := r.admin(ctx, c); err != nil {
		return err
	}
	return r.store.Delete(ctx, c.RoomID)
}

// SetLocked locks or unlocks the room for new members. Only the admin may.
func (r *Rooms) SetLocked(ctx context.Context, c Credentials, locked bool) error {
	if _, err := r.admin(ctx, c); err != nil {
		return err
	}
	return r.store.SetLocked(ctx, c.RoomID, locked)
}

// Remove ends the membership of another user. Only the admin may, and not their
// own.
func (r *Rooms) Remove(ctx context.Context, c Credentials, userID string) error {
	m, err := r.admin(ctx, c)
	if err != nil {
		return err
	}
	if userID == m.Room.Admin {
		return fmt.Errorf("%w: the admin cannot be removed", ErrInvalidRequest)
	}
	return r.store.Remove(ctx, c.RoomID, userID)
}

// Leave ends one's own membership. The admin may leave too: the room goes on
// without one.
func (r *Rooms) Leave(ctx context.Context, c Credentials) error {
	m, err := r.Authenticate(ctx, c)
	if err != nil {
		return err
	}
	return r.store.Remove(ctx, c.RoomID, m.UserID)
}

// Post stores a message of a member, whose credentials were checked when its
// connection was opened. id is the member's number for the message, zero for
// none.
func (r *Rooms) Post(ctx context.Context, roomID, userID, session string, id uint64, message string) (Receipt, error) {
	if message == "" {
		return Receipt{}, ErrInvalidMessage
	}
	if len(message) > r.limits.MaxMessage {
		return Receipt{}, fmt.Errorf("%w (max %d bytes)", ErrMessageTooLong, r.limits.MaxMessage)
	}
	return r.store.Post(ctx, roomID, Post{
		UserID:  userID,
		Session: session,
		ID:      id,
		Body:    EncodeBody(message, r.store.Now(), userID, id, session),
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

func validPassword(password string) error {
	if len(password) > MaxPassword {
		return fmt.Errorf("%w: password too long (max %d bytes)", ErrInvalidRequest, MaxPassword)
	}
	if !utf8.ValidString(password) {
		return fmt.Errorf("%w: password is not valid UTF-8", ErrInvalidRequest)
	}
	return nil
}
