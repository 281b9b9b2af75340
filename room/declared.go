package room

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/ephemeralchat/caddy-ephemeral-chat/room/name"
)

// Declaration describes a room that a site declares in its configuration: users
// can join it without a member having created it.
type Declaration struct {
	// ID is the room id, see ValidID.
	ID string
	// Name is shown to people, 1 to 100 characters.
	Name string
	// TTL is the time from the start of an instance to its deadline, in whole
	// seconds; zero is the site's default.
	TTL time.Duration
	// Password is needed to join; empty for none. A user that joins with
	// AdminPassword instead becomes an admin; empty for no admins.
	Password, AdminPassword string
}

// DeclaredRoom is a declared room of a site. The first join opens an instance,
// which lives like any other room; the first join after its end opens the next.
// It is safe for concurrent use.
type DeclaredRoom struct {
	declared Declaration // fixed

	token  chan struct{} // holds one while a goroutine uses the fields below
	hashed bool
	// password and adminPassword are the hashes of the declared passwords.
	password, adminPassword []byte
}

// NewDeclaredRoom checks a declaration against the site's limits. Its error names
// the mistake and contains no password.
func NewDeclaredRoom(d Declaration, limits Limits) (*DeclaredRoom, error) {
	if !ValidID(d.ID) {
		return nil, fmt.Errorf("room id %q: must be 1 to 64 characters of A-Z a-z 0-9 - _", d.ID)
	}
	cleaned, err := name.Clean("name", d.Name, name.MaxRoom)
	if err != nil {
		return nil, fmt.Errorf("room %s: %w", d.ID, err)
	}
	d.Name = cleaned
	if d.TTL == 0 {
		d.TTL = limits.TTL
	}
	if err := cmp.Or(validTTL(d.TTL, limits), validPassword(d.Password)); err != nil {
		return nil, fmt.Errorf("room %s: %w", d.ID, err)
	}
	if err := validPassword(d.AdminPassword); err != nil {
		return nil, fmt.Errorf("room %s: admin_password: %w", d.ID, err)
	}
	if d.AdminPassword != "" && d.AdminPassword == d.Password {
		return nil, fmt.Errorf("room %s: password and admin_password are the same, so that everybody would be an admin", d.ID)
	}
	return &DeclaredRoom{declared: d, token: make(chan struct{}, 1)}, nil
}

// nextInstance returns a new instance. The instances of one configuration share
// the password hashes; all else is new. The first call computes the hashes: it takes
// time that loading a configuration should not. Both share one salt, so that one
// hash of a given password can be compared with either.
func (d *DeclaredRoom) nextInstance(ctx context.Context) (Room, error) {
	select {
	case d.token <- struct{}{}:
		defer func() { <-d.token }()
	case <-ctx.Done():
		return Room{}, fmt.Errorf("%w: %w", ErrUnavailable, ctx.Err())
	}
	if !d.hashed {
		salt := randomBytes(saltSize)
		password, err := hashPassword(ctx, d.declared.Password, salt)
		if err != nil {
			return Room{}, err
		}
		adminPassword, err := hashPassword(ctx, d.declared.AdminPassword, salt)
		if err != nil {
			return Room{}, err
		}
		d.hashed, d.password, d.adminPassword = true, password, adminPassword
	}
	return Room{
		// The instance is random, not a timestamp: two instances may begin within a
		// millisecond, and clocks may step back.
		ID: d.declared.ID, Instance: randomText(6), Name: d.declared.Name, TTL: d.declared.TTL,
		Key: randomBytes(keySize), Epoch: newEpoch(),
		Password: d.password, AdminPassword: d.adminPassword,
	}, nil
}

// openDeclared opens the declared room on a first join, or returns the instance
// that a concurrent join opened; opened reports which. role is the joining user's.
func (r *Rooms) openDeclared(ctx context.Context, d *DeclaredRoom, req JoinRequest) (current Room, role Role, opened bool, err error) {
	next, err := d.nextInstance(ctx)
	if err != nil {
		return Room{}, "", false, err
	}
	next.SignedIn = r.limits.SignedIn
	// The password first: a wrong one must not open the room.
	role, err = roleOf(ctx, &next, req)
	if err != nil {
		return Room{}, "", false, err
	}
	current, err = r.store.Open(ctx, next, r.createLimits())
	if err != nil {
		return Room{}, "", false, err
	}
	if err := r.Admits(current.SignedIn); err != nil {
		return Room{}, "", false, err
	}
	if opened = current.InstanceID() == next.InstanceID(); !opened {
		role, err = roleOf(ctx, &current, req) // its password may differ
	}
	return current, role, opened, err
}

// declaredIfMissing returns the site's declared room with this id, if err reports
// that no instance of it exists.
func (r *Rooms) declaredIfMissing(roomID string, err error) (d *DeclaredRoom, ok bool) {
	d, ok = r.declared[roomID]
	return d, ok && errors.Is(err, ErrRoomNotFound)
}
