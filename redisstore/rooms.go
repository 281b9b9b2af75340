package redisstore

import (
	"context"
	"fmt"

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
		s.tombstones.add(instanceID)
	}
	return s.noteGone(instanceID, err)
}
