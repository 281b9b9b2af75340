package redisstore

import (
	"context"
	"slices"

	"github.com/ephemeralchat/caddy-ephemeral-chat/room"
	"github.com/ephemeralchat/caddy-ephemeral-chat/room/name"
)

// Member implements room.Store.
func (s *Store) Member(ctx context.Context, instanceID, userID string) (room.Room, room.Membership, error) {
	k := s.keys.room(instanceID)
	r, err := s.runTimed(ctx, scriptLoad, k.keys, k.life, userID)
	if err != nil {
		return room.Room{}, 0, err
	}
	if err := s.refusal(r.status(), instanceID); err != nil {
		return room.Room{}, 0, err
	}
	membership := room.NotMember
	switch r.number(3) {
	case 1:
		membership = room.IsMember
	case 2:
		membership = room.WasRemoved
	}
	found, err := decodeRoom(instanceID, r.list(2))
	return found, membership, err
}

// Join implements room.Store. It is O(1), unless the room seems to be full of
// people who are online: then it reads who they are.
func (s *Store) Join(ctx context.Context, instanceID string, join room.Join) (room.Joined, error) {
	k := s.keys.room(instanceID)
	surplus := 0
	for look := range 2 {
		args := make([]any, 0, 4+2*len(join.Candidates))
		args = append(args, join.MaxOnline, surplus, join.MaxMembers, k.life)
		for _, candidate := range join.Candidates {
			args = append(args, candidate, name.Skeleton(candidate))
		}
		r, err := s.runTimed(ctx, scriptJoin, k.keys, args...)
		if err != nil {
			return room.Joined{}, err
		}
		if r.status() == replyFull && r.number(2) == 1 && look == 0 {
			c, err := s.takeCensus(ctx, k)
			if err != nil {
				return room.Joined{}, err
			}
			surplus = c.surplus()
			continue
		}
		if err := s.refusal(r.status(), instanceID); err != nil {
			return room.Joined{}, err
		}
		joined := room.Joined{UserID: r.text(3)}
		if !slices.Contains(join.Candidates, joined.UserID) {
			return room.Joined{}, errMalformed
		}
		joined.Room, err = decodeRoom(instanceID, r.list(2))
		return joined, err
	}
	return room.Joined{}, room.ErrRoomFull
}

// lookIn is how a name looks in a room where no two may look alike, else empty.
func lookIn(r *room.Room, userID string) string {
	if r.SignedIn || userID == "" {
		return ""
	}
	return name.Skeleton(userID)
}

// SetLocked implements room.Store.
func (s *Store) SetLocked(ctx context.Context, instanceID string, locked bool) error {
	k := s.keys.room(instanceID)
	flag := 0
	if locked {
		flag = 1
	}
	r, err := s.run(ctx, scriptLock, k.keys, k.channel, flag, encodeLocked(locked), k.life)
	if err != nil {
		return err
	}
	return s.refusal(r.status(), instanceID)
}

// Remove implements room.Store. Each node takes the user offline when it hears
// of the removal.
func (s *Store) Remove(ctx context.Context, instanceID, userID string) error {
	k := s.keys.room(instanceID)
	r, err := s.run(ctx, scriptRemove, k.keys, k.channel, userID, encodeRemoved(userID), 0, k.life)
	if err != nil {
		return err
	}
	if r.status() == replyNot {
		return room.ErrMemberNotFound
	}
	return s.refusal(r.status(), instanceID)
}
