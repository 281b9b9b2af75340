package redisstore

import (
	"context"
	"fmt"

	"github.com/ephemeralchat/caddy-ephemeral-chat/redisstore/script"
	"github.com/ephemeralchat/caddy-ephemeral-chat/room"
)

// Create implements room.Store. It ignores limits.MaxRooms.
func (s *Store) Create(ctx context.Context, r room.Room, limits room.CreateLimits) error {
	_, created, err := s.create(ctx, r, limits)
	if err == nil && !created {
		return fmt.Errorf("redisstore: create: %w: the room id is taken", room.ErrInternal)
	}
	return err
}

// Open implements room.Store. It ignores limits.MaxRooms.
func (s *Store) Open(ctx context.Context, r room.Room, limits room.CreateLimits) (room.Room, error) {
	r.Admin = ""
	existing, _, err := s.create(ctx, r, limits)
	return existing, err
}

// create creates a room unless it exists, and returns the one that exists then. The
// lobby list comes first: if the second call fails, or the room exists, an id waits in
// the list in vain, but no room can be forgotten.
func (s *Store) create(ctx context.Context, r room.Room, limits room.CreateLimits) (existing room.Room, created bool, err error) {
	createdAt, lobby, err := s.scripts.LobbyEnqueue(ctx, s.keys, r.InstanceID(), limits.Lobby)
	if err != nil {
		return room.Room{}, false, err
	}
	return s.scripts.Create(ctx, s.keys.Room(r.ID), r, createdAt, lobby)
}

// Load implements room.Store.
func (s *Store) Load(ctx context.Context, instanceID string) (room.Room, error) {
	r, _, err := s.Member(ctx, instanceID, "")
	return r, err
}

// Start implements room.Store.
func (s *Store) Start(ctx context.Context, instanceID string) (room.Clock, error) {
	c, err := s.scripts.Start(ctx, s.keys.Room(instanceID))
	return c, s.noteGone(instanceID, err)
}

// SetLocked implements room.Store.
func (s *Store) SetLocked(ctx context.Context, instanceID string, locked bool) error {
	return s.noteGone(instanceID, s.scripts.SetLocked(ctx, s.keys.Room(instanceID), locked))
}

// Delete implements room.Store.
func (s *Store) Delete(ctx context.Context, instanceID string) error {
	err := s.scripts.Delete(ctx, s.keys.Room(instanceID))
	if err == nil {
		s.addTombstone(instanceID)
	}
	return s.noteGone(instanceID, err)
}

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

// Post implements room.Store, in one round trip, which concurrent posts share.
func (s *Store) Post(ctx context.Context, instanceID string, post room.Post) (room.Receipt, error) {
	receipt, err := s.posts.Post(ctx, instanceID, post)
	return receipt, s.noteGone(instanceID, err)
}

// Retract implements room.Store.
func (s *Store) Retract(ctx context.Context, instanceID string, r room.Retraction) error {
	return s.noteGone(instanceID, s.scripts.Retract(ctx, s.keys.Room(instanceID), r))
}

// Before implements room.Store.
func (s *Store) Before(ctx context.Context, instanceID string, before uint64, limit, maxBytes int) (room.Page, error) {
	page, err := s.scripts.History(ctx, s.keys.Room(instanceID), script.Before, before, limit, maxBytes)
	return page, s.noteGone(instanceID, err)
}

// After implements room.Store.
func (s *Store) After(ctx context.Context, instanceID string, after uint64, maxBytes int) (room.Page, error) {
	const unlimited = 1 << 30
	page, err := s.scripts.History(ctx, s.keys.Room(instanceID), script.After, after, unlimited, maxBytes)
	return page, s.noteGone(instanceID, err)
}
