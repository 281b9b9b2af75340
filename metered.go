package ephemeralchat

import (
	"context"
	"time"

	"github.com/ephemeralchat/caddy-ephemeral-chat/room"
)

// metered returns a store whose calls are counted.
func metered(store room.Store, m *meter) room.Store { return &meteredStore{store, m} }

// meteredStore counts the calls of a store. What takes no time it passes on.
type meteredStore struct {
	room.Store
	meter *meter
}

func (s *meteredStore) Create(ctx context.Context, r room.Room, limits room.CreateLimits) error {
	began := time.Now()
	err := s.Store.Create(ctx, r, limits)
	s.meter.observe(opCreate, began, err)
	return err
}

func (s *meteredStore) Open(ctx context.Context, r room.Room, limits room.CreateLimits) (room.Room, error) {
	began := time.Now()
	opened, err := s.Store.Open(ctx, r, limits)
	s.meter.observe(opOpen, began, err)
	return opened, err
}

func (s *meteredStore) Load(ctx context.Context, instanceID string) (room.Room, error) {
	began := time.Now()
	r, err := s.Store.Load(ctx, instanceID)
	s.meter.observe(opLoad, began, err)
	return r, err
}

func (s *meteredStore) Member(ctx context.Context, instanceID, userID string) (room.Room, room.Membership, error) {
	began := time.Now()
	r, membership, err := s.Store.Member(ctx, instanceID, userID)
	s.meter.observe(opMember, began, err)
	return r, membership, err
}

func (s *meteredStore) Join(ctx context.Context, instanceID string, join room.Join) (room.Joined, error) {
	began := time.Now()
	joined, err := s.Store.Join(ctx, instanceID, join)
	s.meter.observe(opJoin, began, err)
	return joined, err
}

func (s *meteredStore) Start(ctx context.Context, instanceID string) (room.Clock, error) {
	began := time.Now()
	clock, err := s.Store.Start(ctx, instanceID)
	s.meter.observe(opStart, began, err)
	return clock, err
}

func (s *meteredStore) SetLocked(ctx context.Context, instanceID string, locked bool) error {
	began := time.Now()
	err := s.Store.SetLocked(ctx, instanceID, locked)
	s.meter.observe(opSetLocked, began, err)
	return err
}

func (s *meteredStore) Remove(ctx context.Context, instanceID, userID string) error {
	began := time.Now()
	err := s.Store.Remove(ctx, instanceID, userID)
	s.meter.observe(opRemove, began, err)
	return err
}

func (s *meteredStore) Delete(ctx context.Context, instanceID string) error {
	began := time.Now()
	err := s.Store.Delete(ctx, instanceID)
	s.meter.observe(opDelete, began, err)
	return err
}

func (s *meteredStore) Post(ctx context.Context, instanceID string, post room.Post) (room.Receipt, error) {
	began := time.Now()
	receipt, err := s.Store.Post(ctx, instanceID, post)
	s.meter.observe(opPost, began, err)
	return receipt, err
}

func (s *meteredStore) Retract(ctx context.Context, instanceID string, r room.Retraction) error {
	began := time.Now()
	err := s.Store.Retract(ctx, instanceID, r)
	s.meter.observe(opRetract, began, err)
	return err
}

func (s *meteredStore) Before(ctx context.Context, instanceID string, before uint64, limit, maxBytes int) (room.Page, error) {
	began := time.Now()
	page, err := s.Store.Before(ctx, instanceID, before, limit, maxBytes)
	s.meter.observe(opBefore, began, err)
	return page, err
}

func (s *meteredStore) After(ctx context.Context, instanceID string, after uint64, maxBytes int) (room.Page, error) {
	began := time.Now()
	page, err := s.Store.After(ctx, instanceID, after, maxBytes)
	s.meter.observe(opAfter, began, err)
	return page, err
}

func (s *meteredStore) Watch(ctx context.Context, instanceID string, watcher func(room.Event)) (room.Snapshot, room.Feed, error) {
	began := time.Now()
	snapshot, feed, err := s.Store.Watch(ctx, instanceID, watcher)
	s.meter.observe(opWatch, began, err)
	if err != nil {
		return snapshot, nil, err
	}
	return snapshot, &meteredFeed{feed, s.meter}, nil
}

// meteredFeed counts the calls of a feed.
type meteredFeed struct {
	room.Feed
	meter *meter
}

func (f *meteredFeed) Enter(ctx context.Context, presence room.Presence, maxOnline int) (uint64, error) {
	began := time.Now()
	lastID, err := f.Feed.Enter(ctx, presence, maxOnline)
	f.meter.observe(opEnter, began, err)
	return lastID, err
}

func (f *meteredFeed) Exit(ctx context.Context, userID string, order uint64) {
	began := time.Now()
	f.Feed.Exit(ctx, userID, order)
	f.meter.observe(opExit, began, nil)
}

func (f *meteredFeed) Typing(ctx context.Context, userID string) error {
	began := time.Now()
	err := f.Feed.Typing(ctx, userID)
	f.meter.observe(opTyping, began, err)
	return err
}
