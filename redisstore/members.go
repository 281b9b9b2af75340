package redisstore

import (
	"context"

	"github.com/ephemeralchat/caddy-ephemeral-chat/room"
)

// Member implements room.Store.
func (s *Store) Member(ctx context.Context, instanceID, userID string) (room.Room, room.Membership, error) {
	r, membership, err := s.scripts.Load(ctx, s.keys.Room(instanceID), userID)
	return r, membership, s.noteGone(instanceID, err)
}

// Join implements room.Store. It takes O(1), unless too many users seem to be online:
// then it reads the presence entries of the room.
func (s *Store) Join(ctx context.Context, instanceID string, join room.Join) (room.Joined, error) {
	k := s.keys.Room(instanceID)
	joined, tooManyOnline, err := s.scripts.Join(ctx, k, join, 0)
	if tooManyOnline {
		online, readErr := s.presence.readOnline(ctx, k)
		if readErr != nil {
			return room.Joined{}, readErr
		}
		joined, _, err = s.scripts.Join(ctx, k, join, online.surplus())
	}
	return joined, s.noteGone(instanceID, err)
}

// Remove implements room.Store. Each node ends the user's presence when it receives the
// event.
func (s *Store) Remove(ctx context.Context, instanceID, userID string) error {
	return s.noteGone(instanceID, s.scripts.Remove(ctx, s.keys.Room(instanceID), userID, false))
}
