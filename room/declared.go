package room

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/ephemeralchat/caddy-ephemeral-chat/room/name"
)

// Declaration is what a site says of a room that anybody may join without
// anybody having created it.
type Declaration struct {
	// ID is the id under which it is joined, see ValidID.
	ID string
	// Name is what people see, 1 to 100 characters.
	Name string
	// TTL is the time from the start of a life to its deadline: whole seconds; zero
	// is the site's default.
	TTL time.Duration
	// Password is needed to join, unless it is empty. Whoever joins with the
	// AdminPassword instead becomes an admin; nobody does if it is empty.
	Password, AdminPassword string
}

// DeclaredRoom is a standing room of a site. It comes into being when somebody joins
// who may, lives like any other room, and after its end begins anew with the next
// who joins. It is safe for concurrent use.
type DeclaredRoom struct {
	declared Declaration

	making chan struct{} // holds a token while hashes are made or looked at
	hashed bool
	// password and adminPassword are the hashes of what is declared.
	password, adminPassword []byte
}

// NewDeclaredRoom returns a standing room of a site with these limits. Its error says
// what is wrong with what is declared, and holds no password. Passwords are hashed
// with the first join.
func NewDeclaredRoom(s Declaration, limits Limits) (*DeclaredRoom, error) {
	if !ValidID(s.ID) {
		return nil, fmt.Errorf("room id %q: must be 1 to 64 characters of A-Z a-z 0-9 - _", s.ID)
	}
	name, err := name.Clean("name", s.Name, name.MaxRoom)
	if err != nil {
		return nil, fmt.Errorf("room %s: %w", s.ID, err)
	}
	s.Name = name
	if s.TTL == 0 {
		s.TTL = limits.TTL
	}
	if err := validTTL(s.TTL, limits); err != nil {
		return nil, fmt.Errorf("room %s: %w", s.ID, err)
	}
	if err := validPassword(s.Password); err != nil {
		return nil, fmt.Errorf("room %s: %w", s.ID, err)
	}
	if err := validPassword(s.AdminPassword); err != nil {
		return nil, fmt.Errorf("room %s: admin_password: %w", s.ID, err)
	}
	if s.AdminPassword != "" && s.AdminPassword == s.Password {
		return nil, fmt.Errorf("room %s: password and admin_password are the same, so that everybody would be an admin", s.ID)
	}
	return &DeclaredRoom{declared: s, making: make(chan struct{}, 1)}, nil
}

// next returns a life that the room has not begun. Lives that begin under one
// configuration have the same hashes of passwords; everything else is new.
func (s *DeclaredRoom) next(ctx context.Context) (Room, error) {
	password, adminPassword, err := s.hashes(ctx)
	if err != nil {
		return Room{}, err
	}
	return Room{
		ID: s.declared.ID, Instance: newInstance(), Name: s.declared.Name, TTL: s.declared.TTL,
		Key: randomBytes(keySize), Epoch: newEpoch(),
		Password: password, AdminPassword: adminPassword,
	}, nil
}

// hashes makes the hashes when they are needed first: it takes time, which loading
// a configuration should not. Both have the same salt, so that one hash of what
// somebody shows can be compared with either.
func (s *DeclaredRoom) hashes(ctx context.Context) (password, adminPassword []byte, err error) {
	select {
	case s.making <- struct{}{}:
		defer func() { <-s.making }()
	case <-ctx.Done():
		return nil, nil, fmt.Errorf("%w: %w", ErrUnavailable, ctx.Err())
	}
	if s.hashed {
		return s.password, s.adminPassword, nil
	}
	salt := randomBytes(saltSize)
	if s.declared.Password != "" {
		if password, err = hashWith(ctx, salt, s.declared.Password); err != nil {
			return nil, nil, err
		}
	}
	if s.declared.AdminPassword != "" {
		if adminPassword, err = hashWith(ctx, salt, s.declared.AdminPassword); err != nil {
			return nil, nil, err
		}
	}
	s.hashed, s.password, s.adminPassword = true, password, adminPassword
	return password, adminPassword, nil
}

// info is what may be told of the room while it is not there.
func (s *DeclaredRoom) info() Info { return Info{PasswordRequired: s.declared.Password != ""} }

// openDeclared returns the room for a request who may join it, and the role: as it is
// there, or else as it comes into being now, of which somebody else may be first:
// opened is whether it was this request.
func (r *Rooms) openDeclared(ctx context.Context, s *DeclaredRoom, n JoinRequest) (there Room, role Role, opened bool, err error) {
	next, err := s.next(ctx)
	if err != nil {
		return Room{}, "", false, err
	}
	next.SignedIn = r.limits.SignedIn
	// A password that is wrong brings nothing into being.
	role, err = roleOf(ctx, &next, n)
	if err != nil {
		return Room{}, "", false, err
	}
	there, err = r.store.Open(ctx, next, r.createLimits())
	if err != nil {
		return Room{}, "", false, err
	}
	if err := r.Admits(there.SignedIn); err != nil {
		return Room{}, "", false, err
	}
	if opened = there.InstanceID() == next.InstanceID(); !opened {
		role, err = roleOf(ctx, &there, n) // its password may be another
	}
	return there, role, opened, err
}

// declaredAfter returns the standing room of this site that err says is not there.
func (r *Rooms) declaredAfter(roomID string, err error) (s *DeclaredRoom, ok bool) {
	s, ok = r.standing[roomID]
	return s, ok && errors.Is(err, ErrRoomNotFound)
}
