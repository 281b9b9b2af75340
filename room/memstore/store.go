// Package memstore is a room.Store in the memory of one process.
//
// Each room has a mutex of its own, under which everything in it happens and
// is told to its watchers: that is the one order of a room. The store's mutex
// is held to look a room up, to add one and to take one away, and never while
// waiting for a room's.
package memstore

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/ephemeralchat/caddy-ephemeral-chat/room"
)

// Store holds rooms in memory. They vanish with it. Methods answer at once and
// pay no heed to their contexts.
type Store struct {
	mu     sync.RWMutex
	rooms  map[string]*liveRoom
	closed bool
}

// New returns an empty store.
func New() *Store { return &Store{rooms: make(map[string]*liveRoom)} }

// Len returns how many rooms there are.
func (s *Store) Len() int {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return len(s.rooms)
}

// Now is the time in whole milliseconds.
func (s *Store) Now() time.Time { return now() }

// Synchronous implements room.Store.
func (s *Store) Synchronous() bool { return true }

func now() time.Time { return time.Now().UTC().Truncate(time.Millisecond) }

var errClosed = fmt.Errorf("%w: it is closed", room.ErrUnavailable)

// lock returns the life of a room, locked, and the time. The caller unlocks it.
func (s *Store) lock(instanceID string) (*liveRoom, time.Time, error) {
	roomID, life := room.SplitInstanceID(instanceID)
	l, at, err := s.lockAny(roomID)
	if err == nil && l.room.Instance != life {
		l.mu.Unlock()
		return nil, time.Time{}, room.ErrRoomNotFound
	}
	return l, at, err
}

// lockForRead is lock for those who may ask for whichever life the room is in.
func (s *Store) lockForRead(id string) (*liveRoom, time.Time, error) {
	if _, life := room.SplitInstanceID(id); life == "" {
		return s.lockAny(id)
	}
	return s.lock(id)
}

func (s *Store) lockAny(roomID string) (*liveRoom, time.Time, error) {
	s.mu.RLock()
	l, closed := s.rooms[roomID], s.closed
	s.mu.RUnlock()
	switch {
	case closed:
		return nil, time.Time{}, errClosed
	case l == nil:
		return nil, time.Time{}, room.ErrRoomNotFound
	}
	at, err := l.lock()
	if err != nil {
		return nil, time.Time{}, err
	}
	return l, at, nil
}

// forget takes a room that has ended out of the store.
func (s *Store) forget(l *liveRoom) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.rooms[l.room.ID] == l {
		delete(s.rooms, l.room.ID)
	}
}

// Close ends all rooms, about which nobody is told, and their timers.
func (s *Store) Close() error {
	s.mu.Lock()
	rooms := s.rooms
	s.rooms, s.closed = nil, true
	s.mu.Unlock()
	for _, l := range rooms {
		l.mu.Lock()
		if !l.ended {
			l.feeds = nil
			l.end(room.EndDeleted)
		}
		l.mu.Unlock()
	}
	return nil
}

// Load implements room.Store.
func (s *Store) Load(_ context.Context, instanceID string) (room.Room, error) {
	l, _, err := s.lockForRead(instanceID)
	if err != nil {
		return room.Room{}, err
	}
	defer l.mu.Unlock()
	return l.state(), nil
}

// Member implements room.Store.
func (s *Store) Member(_ context.Context, instanceID, userID string) (room.Room, room.Membership, error) {
	l, _, err := s.lockForRead(instanceID)
	if err != nil {
		return room.Room{}, room.NotMember, err
	}
	defer l.mu.Unlock()
	return l.state(), l.memberships[userID], nil
}

// Join implements room.Store.
func (s *Store) Join(_ context.Context, instanceID string, join room.Join) (room.Joined, error) {
	l, _, err := s.lock(instanceID)
	if err != nil {
		return room.Joined{}, err
	}
	defer l.mu.Unlock()
	userID, err := l.join(join)
	if err != nil {
		return room.Joined{}, err
	}
	return room.Joined{Room: l.state(), UserID: userID}, nil
}

// Start implements room.Store.
func (s *Store) Start(_ context.Context, instanceID string) (room.Clock, error) {
	l, at, err := s.lock(instanceID)
	if err != nil {
		return room.Clock{}, err
	}
	defer l.mu.Unlock()
	began := l.start(at)
	return room.Clock{StartedAt: l.room.StartedAt, Deadline: l.room.Deadline, Began: began}, nil
}

// SetLocked implements room.Store.
func (s *Store) SetLocked(_ context.Context, instanceID string, locked bool) error {
	l, _, err := s.lock(instanceID)
	if err != nil {
		return err
	}
	defer l.mu.Unlock()
	if l.room.Locked != locked {
		l.room.Locked = locked
		l.tell(room.Event{Kind: room.EventLocked, Locked: locked})
	}
	return nil
}

// Remove implements room.Store.
func (s *Store) Remove(_ context.Context, instanceID, userID string) error {
	l, _, err := s.lock(instanceID)
	if err != nil {
		return err
	}
	defer l.mu.Unlock()
	return l.remove(userID)
}

// Delete implements room.Store.
func (s *Store) Delete(_ context.Context, instanceID string) error {
	l, _, err := s.lock(instanceID)
	if err != nil {
		return err
	}
	defer l.mu.Unlock()
	l.end(room.EndDeleted)
	return nil
}

// Post implements room.Store.
func (s *Store) Post(_ context.Context, instanceID string, post room.Post) (room.Receipt, error) {
	l, at, err := s.lock(instanceID)
	if err != nil {
		return room.Receipt{}, err
	}
	defer l.mu.Unlock()
	return l.post(post, at)
}

// Retract implements room.Store.
func (s *Store) Retract(_ context.Context, instanceID string, r room.Retraction) error {
	l, _, err := s.lock(instanceID)
	if err != nil {
		return err
	}
	defer l.mu.Unlock()
	return l.retract(r)
}

// Before implements room.Store.
func (s *Store) Before(_ context.Context, instanceID string, before uint64, limit, maxBytes int) (room.Page, error) {
	l, _, err := s.lock(instanceID)
	if err != nil {
		return room.Page{}, err
	}
	run := l.history.before(before, limit, maxBytes)
	page := l.page(run)
	l.mu.Unlock()
	page.Entries = run.entries()
	return page, nil
}

// After implements room.Store.
func (s *Store) After(_ context.Context, instanceID string, after uint64, maxBytes int) (room.Page, error) {
	l, _, err := s.lock(instanceID)
	if err != nil {
		return room.Page{}, err
	}
	run := l.history.after(after, maxBytes)
	page := l.page(run)
	l.mu.Unlock()
	page.Entries = run.entries()
	return page, nil
}

// Watch implements room.Store. The watcher is called under the room's lock.
func (s *Store) Watch(_ context.Context, instanceID string, watcher func(room.Event)) (room.Snapshot, room.Feed, error) {
	l, _, err := s.lock(instanceID)
	if err != nil {
		return room.Snapshot{}, nil, err
	}
	defer l.mu.Unlock()
	snapshot, f := l.watch(watcher)
	return snapshot, f, nil
}
