package room

import (
	"context"
	"errors"
	"fmt"

	"github.com/ephemeralchat/caddy-ephemeral-chat/room/name"
)

// JoinRequest asks for a new membership of a room.
type JoinRequest struct {
	RoomID string
	// Password is the room's, or the admin password of a declared room; empty if
	// the room has none. Username is optional.
	Password, Username string
	// User is the userId that name.SignedIn returned, where Limits.SignedIn is set;
	// Username has no effect there.
	User string
	// Guard limits password checks; nil is no limit.
	Guard Guard
}

// Guard is called before a password check. It fails with ErrRateLimited, or
// returns a function that receives the outcome of the check.
type Guard func() (done func(wrong bool), err error)

// joinTries is how many instances of a declared room one request may try to join:
// each may end in between.
const joinTries = 3

// Join admits a new member. Where the site signs users in, it also readmits a
// member: a signed-in user is the same member each time.
func (r *Rooms) Join(ctx context.Context, req JoinRequest) (Admission, error) {
	ids, err := r.candidates(req.User, req.Username)
	if err != nil {
		return Admission{}, err
	}
	if err := validPassword(req.Password); err != nil {
		return Admission{}, invalid(err)
	}
	for try := 1; ; try++ {
		admission, err := r.join(ctx, req, ids)
		if _, again := r.declaredIfMissing(req.RoomID, err); !again || try == joinTries {
			return admission, err
		}
	}
}

func (r *Rooms) join(ctx context.Context, req JoinRequest, ids []string) (Admission, error) {
	room, membership, err := r.find(ctx, req.RoomID, req.User)
	var role Role
	opened := false
	if d, ok := r.declaredIfMissing(req.RoomID, err); ok {
		room, role, opened, err = r.openDeclared(ctx, d, req)
	} else if err == nil && membership != NotMember {
		return readmit(ctx, &room, membership, req)
	} else if err == nil {
		role, err = roleOf(ctx, &room, req)
	}
	if err != nil {
		return Admission{}, err
	}
	if role != RoleAdmin && !r.limits.SignedIn && name.IsReserved(req.Username) {
		return Admission{}, fmt.Errorf("%w: this username is for an admin only", ErrInvalidRequest)
	}
	joined, err := r.store.Join(ctx, room.InstanceID(), Join{
		Candidates: ids,
		MaxOnline:  r.limits.MaxMembers,
		MaxMembers: r.limits.MaxMembers * membersPerOnline,
	})
	if errors.Is(err, ErrRoomFull) && r.limits.SignedIn {
		// The user may have joined by a concurrent request.
		_, membership, memberErr := r.store.Member(ctx, room.InstanceID(), req.User)
		if memberErr != nil {
			return Admission{}, memberErr
		}
		if membership != NotMember {
			return readmit(ctx, &room, membership, req)
		}
	}
	if err != nil {
		return Admission{}, err
	}
	admission := admit(joined.Room, joined.UserID, role)
	admission.Opened = opened
	return admission, nil
}

// readmit admits a signed-in user that is a member already, without a password,
// and also when the room is locked.
func readmit(ctx context.Context, room *Room, membership Membership, req JoinRequest) (Admission, error) {
	if err := membership.Err(); err != nil {
		return Admission{}, err
	}
	role := RoleMember
	if req.User == room.Admin {
		role = RoleAdmin
	} else if len(room.AdminPassword) > 0 && req.Password != "" {
		var err error
		if role, err = checkGuarded(ctx, room, req); err != nil && !errors.Is(err, ErrWrongPassword) {
			return Admission{}, err
		}
	}
	a := admit(*room, req.User, role)
	a.Rejoined = true
	return a, nil
}

// roleOf returns the role in which a new member may join a room.
func roleOf(ctx context.Context, room *Room, req JoinRequest) (Role, error) {
	if room.Locked {
		return "", ErrRoomLocked // before the cost of a hash
	}
	if len(room.Password) == 0 && (len(room.AdminPassword) == 0 || req.Password == "") {
		return RoleMember, nil
	}
	return checkGuarded(ctx, room, req)
}

// checkGuarded checks the password and returns the role that it is for, RoleMember if
// it is wrong.
func checkGuarded(ctx context.Context, room *Room, req JoinRequest) (role Role, err error) {
	done := func(bool) {}
	if req.Guard != nil {
		if done, err = req.Guard(); err != nil {
			return "", err
		}
	}
	matching, err := checkPassword(ctx, req.Password, room.Password, room.AdminPassword)
	done(errors.Is(err, ErrWrongPassword))
	if matching == 1 {
		return RoleAdmin, err
	}
	return RoleMember, err
}

// candidates returns the userIds that a new member may get, in order of
// preference: the username, the username with a short suffix, a UUID. A signed-in
// user has only its own.
func (r *Rooms) candidates(user, username string) ([]string, error) {
	if r.limits.SignedIn {
		return []string{user}, nil
	}
	if username == "" {
		return []string{newUUID()}, nil
	}
	cleaned, err := name.Clean("username", username, name.MaxUser)
	if err != nil {
		return nil, invalid(err)
	}
	return []string{
		cleaned, cleaned + "-" + suffix(2), cleaned + "-" + suffix(4), cleaned + "-" + suffix(8), newUUID(),
	}, nil
}

// suffix returns n random lower-case letters and digits, without those that people
// mistake for another.
func suffix(n int) string {
	const alphabet = "23456789abcdefghjkmnpqrstuvwxyz" // 31
	b := randomBytes(n)
	for i := range b {
		b[i] = alphabet[int(b[i])%len(alphabet)]
	}
	return string(b)
}

// invalid wraps a mistake of the client as ErrInvalidRequest.
func invalid(err error) error { return fmt.Errorf("%w: %w", ErrInvalidRequest, err) }
