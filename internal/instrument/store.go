package instrument

import (
	"context"
	"time"

	"github.com/ephemeralchat/caddy-ephemeral-chat/room"
)

// Store counts and times the calls of a store that may take time. The embedded store
// serves the others.
type Store struct {
	room.Store
	name  string
	calls calls
}

// Wrap returns the store with its metrics, which begin at zero. The name is the
// value of the label "store" and must be unique until Forget is called.
func Wrap(store room.Store, name string) *Store { return &Store{store, name, newCalls(name)} }

// Create implements room.Store.
func (s *Store) Create(ctx context.Context, r room.Room, limits room.CreateLimits) (err error) {
	defer s.calls.observe("create", time.Now(), &err)
	return s.Store.Create(ctx, r, limits)
}

// Open implements room.Store.
func (s *Store) Open(ctx context.Context, r room.Room, limits room.CreateLimits) (opened room.Room, err error) {
	defer s.calls.observe("open", time.Now(), &err)
	return s.Store.Open(ctx, r, limits)
}

// Load implements room.Store.
func (s *Store) Load(ctx context.Context, instanceID string) (r room.Room, err error) {
	defer s.calls.observe("load", time.Now(), &err)
	return s.Store.Load(ctx, instanceID)
}

// Member implements room.Store.
func (s *Store) Member(ctx context.Context, instanceID, userID string) (r room.Room, membership room.Membership, err error) {
	defer s.calls.observe("member", time.Now(), &err)
	return s.Store.Member(ctx, instanceID, userID)
}

// Join implements room.Store.
func (s *Store) Join(ctx context.Context, instanceID string, join room.Join) (joined room.Joined, err error) {
	defer s.calls.observe("join", time.Now(), &err)
	return s.Store.Join(ctx, instanceID, join)
}

// Start implements room.Store.
func (s *Store) Start(ctx context.Context, instanceID string) (clock room.Clock, err error) {
	defer s.calls.observe("start", time.Now(), &err)
	return s.Store.Start(ctx, instanceID)
}

// SetLocked implements room.Store.
func (s *Store) SetLocked(ctx context.Context, instanceID string, locked bool) (err error) {
	defer s.calls.observe("set_locked", time.Now(), &err)
	return s.Store.SetLocked(ctx, instanceID, locked)
}

// Remove implements room.Store.
func (s *Store) Remove(ctx context.Context, instanceID, userID string) (err error) {
	defer s.calls.observe("remove", time.Now(), &err)
	return s.Store.Remove(ctx, instanceID, userID)
}

// Delete implements room.Store.
func (s *Store) Delete(ctx context.Context, instanceID string) (err error) {
	defer s.calls.observe("delete", time.Now(), &err)
	return s.Store.Delete(ctx, instanceID)
}

// Post implements room.Store.
func (s *Store) Post(ctx context.Context, instanceID string, post room.Post) (receipt room.Receipt, err error) {
	defer s.calls.observe("post", time.Now(), &err)
	return s.Store.Post(ctx, instanceID, post)
}

// Retract implements room.Store.
func (s *Store) Retract(ctx context.Context, instanceID string, r room.Retraction) (err error) {
	defer s.calls.observe("retract", time.Now(), &err)
	return s.Store.Retract(ctx, instanceID, r)
}

// Before implements room.Store.
func (s *Store) Before(ctx context.Context, instanceID string, before uint64, limit, maxBytes int) (page room.Page, err error) {
	defer s.calls.observe("before", time.Now(), &err)
	return s.Store.Before(ctx, instanceID, before, limit, maxBytes)
}

// After implements room.Store.
func (s *Store) After(ctx context.Context, instanceID string, after uint64, maxBytes int) (page room.Page, err error) {
	defer s.calls.observe("after", time.Now(), &err)
	return s.Store.After(ctx, instanceID, after, maxBytes)
}

// Watch implements room.Store. Calls of the feed are counted as well.
func (s *Store) Watch(ctx context.Context, instanceID string, watcher func(room.Event)) (room.Snapshot, room.Feed, error) {
	snapshot, watched, err := s.watch(ctx, instanceID, watcher)
	if err != nil {
		return snapshot, nil, err
	}
	return snapshot, &feed{watched, s.calls}, nil
}

func (s *Store) watch(ctx context.Context, instanceID string, watcher func(room.Event)) (snapshot room.Snapshot, f room.Feed, err error) {
	defer s.calls.observe("watch", time.Now(), &err)
	return s.Store.Watch(ctx, instanceID, watcher)
}

// feed counts and times the calls of a feed.
type feed struct {
	room.Feed
	calls calls
}

func (f *feed) Enter(ctx context.Context, presence room.Presence, maxOnline int) (lastID uint64, err error) {
	defer f.calls.observe("enter", time.Now(), &err)
	return f.Feed.Enter(ctx, presence, maxOnline)
}

func (f *feed) Exit(ctx context.Context, userID string, order uint64) {
	defer f.calls.observe("exit", time.Now(), new(error))
	f.Feed.Exit(ctx, userID, order)
}

func (f *feed) Typing(ctx context.Context, userID string) (err error) {
	defer f.calls.observe("typing", time.Now(), &err)
	return f.Feed.Typing(ctx, userID)
}
