// Package memstore is a room.Store in the memory of one process.
//
// Each room has its own mutex. All writes to the room, and the calls of its
// watchers, happen under it: that is the order of the room. The store's mutex
// guards the map of rooms; no goroutine waits for a room's mutex while holding it.
package memstore

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/ephemeralchat/caddy-ephemeral-chat/room"
)

// Store holds rooms in memory, until it is closed. Methods return at once and ignore
// their contexts.
type Store struct {
	mu     sync.RWMutex
	rooms  map[string]*instance
	closed bool
}

// New returns an empty store.
func New() *Store { return &Store{rooms: make(map[string]*instance)} }

// Len returns the number of rooms.
func (s *Store) Len() int {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return len(s.rooms)
}

// Now returns the time in whole milliseconds.
func (s *Store) Now() time.Time { return now() }

// Synchronous implements room.Store.
func (s *Store) Synchronous() bool { return true }

func now() time.Time { return time.Now().UTC().Truncate(time.Millisecond) }

var errClosed = fmt.Errorf("%w: it is closed", room.ErrUnavailable)

// lock returns an instance, locked, and the time. The caller unlocks it.
func (s *Store) lock(instanceID string) (*instance, time.Time, error) {
	roomID, name := room.SplitInstanceID(instanceID)
	in, at, err := s.lockAny(roomID)
	if err == nil && in.room.Instance != name {
		in.mu.Unlock()
		return nil, time.Time{}, room.ErrRoomNotFound
	}
	return in, at, err
}

// lockForRead is lock, but takes a room id as well.
func (s *Store) lockForRead(id string) (*instance, time.Time, error) {
	if _, name := room.SplitInstanceID(id); name == "" {
		return s.lockAny(id)
	}
	return s.lock(id)
}

// lockAny returns the current instance of a room, locked, and the time.
func (s *Store) lockAny(roomID string) (*instance, time.Time, error) {
	s.mu.RLock()
	in, closed := s.rooms[roomID], s.closed
	s.mu.RUnlock()
	switch {
	case closed:
		return nil, time.Time{}, errClosed
	case in == nil:
		return nil, time.Time{}, room.ErrRoomNotFound
	}
	at, err := in.lock()
	if err != nil {
		return nil, time.Time{}, err
	}
	return in, at, nil
}

// forget removes an ended room from the store.
func (s *Store) forget(in *instance) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.rooms[in.room.ID] == in {
		delete(s.rooms, in.room.ID)
	}
}

// Close ends all rooms and their timers, without any event.
func (s *Store) Close() error {
	s.mu.Lock()
	rooms := s.rooms
	s.rooms, s.closed = nil, true
	s.mu.Unlock()
	for _, in := range rooms {
		in.mu.Lock()
		if !in.ended {
			in.feeds = nil
			in.end(room.EndDeleted)
		}
		in.mu.Unlock()
	}
	return nil
}

// Load implements room.Store.
func (s *Store) Load(_ context.Context, instanceID string) (room.Room, error) {
	in, _, err := s.lockForRead(instanceID)
	if err != nil {
		return room.Room{}, err
	}
	defer in.mu.Unlock()
	return in.room, nil
}

// Member implements room.Store.
func (s *Store) Member(_ context.Context, instanceID, userID string) (room.Room, room.Membership, error) {
	in, _, err := s.lockForRead(instanceID)
	if err != nil {
		return room.Room{}, room.NotMember, err
	}
	defer in.mu.Unlock()
	return in.room, in.memberships[userID], nil
}

// Join implements room.Store.
func (s *Store) Join(_ context.Context, instanceID string, join room.Join) (room.Joined, error) {
	in, _, err := s.lock(instanceID)
	if err != nil {
		return room.Joined{}, err
	}
	defer in.mu.Unlock()
	userID, err := in.join(join)
	if err != nil {
		return room.Joined{}, err
	}
	return room.Joined{Room: in.room, UserID: userID}, nil
}

// Start implements room.Store.
func (s *Store) Start(_ context.Context, instanceID string) (room.Clock, error) {
	in, at, err := s.lock(instanceID)
	if err != nil {
		return room.Clock{}, err
	}
	defer in.mu.Unlock()
	began := in.start(at)
	return room.Clock{StartedAt: in.room.StartedAt, Deadline: in.room.Deadline, Began: began}, nil
}

// SetLocked implements room.Store.
func (s *Store) SetLocked(_ context.Context, instanceID string, locked bool) error {
	in, _, err := s.lock(instanceID)
	if err != nil {
		return err
	}
	defer in.mu.Unlock()
	if in.room.Locked != locked {
		in.room.Locked = locked
		in.publish(room.Event{Kind: room.EventLocked, Locked: locked})
	}
	return nil
}

// Remove implements room.Store.
func (s *Store) Remove(_ context.Context, instanceID, userID string) error {
	in, _, err := s.lock(instanceID)
	if err != nil {
		return err
	}
	defer in.mu.Unlock()
	return in.remove(userID)
}

// Delete implements room.Store.
func (s *Store) Delete(_ context.Context, instanceID string) error {
	in, _, err := s.lock(instanceID)
	if err != nil {
		return err
	}
	defer in.mu.Unlock()
	in.end(room.EndDeleted)
	return nil
}

// Post implements room.Store.
func (s *Store) Post(_ context.Context, instanceID string, post room.Post) (room.Receipt, error) {
	in, at, err := s.lock(instanceID)
	if err != nil {
		return room.Receipt{}, err
	}
	defer in.mu.Unlock()
	return in.post(post, at)
}

// Retract implements room.Store.
func (s *Store) Retract(_ context.Context, instanceID string, r room.Retraction) error {
	in, _, err := s.lock(instanceID)
	if err != nil {
		return err
	}
	defer in.mu.Unlock()
	return in.retract(r)
}

// Before implements room.Store.
func (s *Store) Before(_ context.Context, instanceID string, before uint64, limit, maxBytes int) (room.Page, error) {
	in, _, err := s.lock(instanceID)
	if err != nil {
		return room.Page{}, err
	}
	run := in.history.before(before, limit, maxBytes)
	page := in.page(run)
	in.mu.Unlock()
	page.Entries = run.entries()
	return page, nil
}

// After implements room.Store.
func (s *Store) After(_ context.Context, instanceID string, after uint64, maxBytes int) (room.Page, error) {
	in, _, err := s.lock(instanceID)
	if err != nil {
		return room.Page{}, err
	}
	run := in.history.after(after, maxBytes)
	page := in.page(run)
	in.mu.Unlock()
	page.Entries = run.entries()
	return page, nil
}

// Watch implements room.Store. The watcher is called under the room's lock.
func (s *Store) Watch(_ context.Context, instanceID string, watcher func(room.Event)) (room.Snapshot, room.Feed, error) {
	in, _, err := s.lock(instanceID)
	if err != nil {
		return room.Snapshot{}, nil, err
	}
	defer in.mu.Unlock()
	snapshot, f := in.watch(watcher)
	return snapshot, f, nil
}
