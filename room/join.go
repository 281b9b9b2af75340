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
	// Password is needed where the room has one, or the one that makes an admin of
	// a standing room. Username is optional.
	Password, Username string
	// User is the userId of whoever asks, see SignedInID, where Limits.SignedIn
	// is set; Username means nothing then.
	User string
	// Guard limits the checks of passwords; nil does not.
	Guard Guard
}

// Guard is asked before a password is checked. It fails with ErrRateLimited, or
// returns a function that is told afterwards whether the password was wrong.
type Guard func() (done func(wrong bool), err error)

// joinTries is how many lives of a standing room somebody may try to join: each may
// end in between.
const joinTries = 3

// Join admits somebody new. Where the site has signed them in, it also admits them
// again: they are the same user each time.
func (r *Rooms) Join(ctx context.Context, n JoinRequest) (Admission, error) {
	ids, err := r.candidates(n.User, n.Username)
	if err != nil {
		return Admission{}, err
	}
	if err := validPassword(n.Password); err != nil {
		return Admission{}, invalid(err)
	}
	for try := 1; ; try++ {
		admission, err := r.join(ctx, n, ids)
		if _, again := r.declaredAfter(n.RoomID, err); !again || try == joinTries {
			return admission, err
		}
	}
}

func (r *Rooms) join(ctx context.Context, n JoinRequest, ids []string) (Admission, error) {
	room, membership, err := r.find(ctx, n)
	var role Role
	opened := false
	if s, ok := r.declaredAfter(n.RoomID, err); ok {
		room, role, opened, err = r.openDeclared(ctx, s, n)
	} else if err == nil && membership != NotMember {
		return readmit(ctx, &room, membership, n)
	} else if err == nil {
		role, err = roleOf(ctx, &room, n)
	}
	if err != nil {
		return Admission{}, err
	}
	if role != RoleAdmin && !r.limits.SignedIn && name.IsReserved(n.Username) {
		return Admission{}, fmt.Errorf("%w: this username is for an admin only", ErrInvalidRequest)
	}
	joined, err := r.store.Join(ctx, room.InstanceID(), Join{
		Candidates: ids,
		MaxOnline:  r.limits.MaxMembers,
		MaxMembers: r.limits.MaxMembers * membersPerOnline,
	})
	if errors.Is(err, ErrRoomFull) && r.limits.SignedIn {
		// Whoever asks may have joined by another request.
		if _, membership, _ := r.store.Member(ctx, room.InstanceID(), n.User); membership != NotMember {
			return readmit(ctx, &room, membership, n)
		}
	}
	if err != nil {
		return Admission{}, err
	}
	admission := admit(joined.Room, joined.UserID, role)
	admission.Opened = opened
	return admission, nil
}

// candidates returns the userIds that somebody may get.
func (r *Rooms) candidates(user, username string) ([]string, error) {
	if r.limits.SignedIn {
		return []string{user}, nil
	}
	return candidates(username)
}

// find returns the room, and how whoever asks stands to it: a stranger, unless the
// site has signed them in.
func (r *Rooms) find(ctx context.Context, n JoinRequest) (Room, Membership, error) {
	if r.limits.SignedIn {
		return r.member(ctx, n.RoomID, n.User)
	}
	room, err := r.load(ctx, n.RoomID)
	return room, NotMember, err
}

// readmit admits somebody whom the site has signed in and who is a member already,
// without a password, and also when the room is locked.
func readmit(ctx context.Context, room *Room, membership Membership, n JoinRequest) (Admission, error) {
	if err := membership.Err(); err != nil {
		return Admission{}, err
	}
	role := RoleMember
	if n.User == room.Admin {
		role = RoleAdmin
	} else if len(room.AdminPassword) > 0 && n.Password != "" {
		isAdmin, err := checkGuarded(ctx, room, n.Password, n.Guard)
		if err != nil && !errors.Is(err, ErrWrongPassword) {
			return Admission{}, err
		}
		if isAdmin {
			role = RoleAdmin
		}
	}
	a := admit(*room, n.User, role)
	a.Rejoined = true
	return a, nil
}

// roleOf returns the role in which somebody new may join a room.
func roleOf(ctx context.Context, room *Room, n JoinRequest) (Role, error) {
	if room.Locked {
		return "", ErrRoomLocked // before the cost of a hash
	}
	if len(room.Password) == 0 && (len(room.AdminPassword) == 0 || n.Password == "") {
		return RoleMember, nil
	}
	isAdmin, err := checkGuarded(ctx, room, n.Password, n.Guard)
	switch {
	case err != nil:
		return "", err
	case isAdmin:
		return RoleAdmin, nil
	default:
		return RoleMember, nil
	}
}

// checkGuarded checks a password, and reports whether it is the one of admins.
func checkGuarded(ctx context.Context, room *Room, password string, guard Guard) (isAdmin bool, err error) {
	done := func(bool) {}
	if guard != nil {
		if done, err = guard(); err != nil {
			return false, err
		}
	}
	matching, err := checkPassword(ctx, password, room.Password, room.AdminPassword)
	done(errors.Is(err, ErrWrongPassword))
	return matching == 1, err
}

// candidates returns the userIds that a new member may get, in order of
// preference: the username, the username with a short suffix, a UUID.
func candidates(username string) ([]string, error) {
	if username == "" {
		return []string{newUUID()}, nil
	}
	name, err := name.Clean("username", username, name.MaxUser)
	if err != nil {
		return nil, invalid(err)
	}
	return []string{name, name + "-" + suffix(2), name + "-" + suffix(4), name + "-" + suffix(8), newUUID()}, nil
}

// suffix returns random lower-case letters and digits of which people can tell
// each from the others.
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
