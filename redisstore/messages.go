package redisstore

import (
	"context"

	"github.com/ephemeralchat/caddy-ephemeral-chat/redisstore/script"
	"github.com/ephemeralchat/caddy-ephemeral-chat/room"
)

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
