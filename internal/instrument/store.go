package instrument

import (
	"context"
	"time"

	"github.com/ephemeralchat/caddy-ephemeral-chat/room"
)

// store counts and times the calls of a store that may take time. The embedded store
// serves the others.
type store struct {
	room.Store
	calls *Calls
}

func (s *store) Create(ctx context.Context, r room.Room, limits room.CreateLimits) (err error) {
	defer s.calls.observe("create", time.Now(), &err)
	return s.Store.Create(ctx, r, limits)
}

func (s *store) Open(ctx context.Context, r room.Room, limits room.CreateLimits) (opened room.Room, err error) {
	defer s.calls.observe("open", time.Now(), &err)
	return s.Store.Open(ctx, r, limits)
}

func (s *store) Load(ctx context.Context, instanceID string) (r room.Room, err error) {
	defer s.calls.observe("load", time.Now(), &err)
	return s.Store.Load(ctx, instanceID)
}

func (s *store) Member(ctx context.Context, instanceID, userID string) (r room.Room, membership room.Membership, err error) {
	defer s.calls.observe("member", time.Now(), &err)
	return s.Store.Member(ctx, instanceID, userID)
}

func (s *store) Join(ctx context.Context, instanceID string, join room.Join) (joined room.Joined, err error) {
	defer s.calls.observe("join", time.Now(), &err)
	return s.Store.Join(ctx, instanceID, join)
}

func (s *store) Start(ctx context.Context, instanceID string) (clock room.Clock, err error) {
	defer s.calls.observe("start", time.Now(), &err)
	return s.Store.Start(ctx, instanceID)
}

func (s *store) SetLocked(ctx context.Context, instanceID string, locked bool) (err error) {
	defer s.calls.observe("set_locked", time.Now(), &err)
	return s.Store.SetLocked(ctx, instanceID, locked)
}

func (s *store) Remove(ctx context.Context, instanceID, userID string) (err error) {
	defer s.calls.observe("remove", time.Now(), &err)
	return s.Store.Remove(ctx, instanceID, userID)
}

func (s *store) Delete(ctx context.Context, instanceID string) (err error) {
	defer s.calls.observe("delete", time.Now(), &err)
	return s.Store.Delete(ctx, instanceID)
}

func (s *store) Post(ctx context.Context, instanceID string, post room.Post) (receipt room.Receipt, err error) {
	defer s.calls.observe("post", time.Now(), &err)
	return s.Store.Post(ctx, instanceID, post)
}

func (s *store) Retract(ctx context.Context, instanceID string, r room.Retraction) (err error) {
	defer s.calls.observe("retract", time.Now(), &err)
	return s.Store.Retract(ctx, instanceID, r)
}

func (s *store) Before(ctx context.Context, instanceID string, before uint64, limit, maxBytes int) (page room.Page, err error) {
	defer s.calls.observe("before", time.Now(), &err)
	return s.Store.Before(ctx, instanceID, before, limit, maxBytes)
}

func (s *store) After(ctx context.Context, instanceID string, after uint64, maxBytes int) (page room.Page, err error) {
	defer s.calls.observe("after", time.Now(), &err)
	return s.Store.After(ctx, instanceID, after, maxBytes)
}

func (s *store) Watch(ctx context.Context, instanceID string, watcher func(room.Event)) (snapshot room.Snapshot, f room.Feed, err error) {
	defer s.calls.observe("watch", time.Now(), &err)
	snapshot, f, err = s.Store.Watch(ctx, instanceID, watcher)
	if err != nil {
		return snapshot, nil, err
	}
	return snapshot, &feed{f, s.calls}, nil
}

// feed counts and times the calls of a feed.
type feed struct {
	room.Feed
	calls *Calls
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
