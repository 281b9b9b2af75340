// Package memstore is a room.Store in the memory of one process.
//
// Each room has its own mutex. All writes to the room, and the calls of its
// watchers, happen under it: that is the order of the room. The store's mutex
// guards the map of rooms; no goroutine waits for a room's mutex while holding it.
package memstore

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/ephemeralchat/caddy-ephemeral-chat/room"
	"github.com/ephemeralchat/caddy-ephemeral-chat/room/name"
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

// lock returns an instance, locked. The caller unlocks it.
func (s *Store) lock(instanceID string) (*instance, error) {
	roomID, part := room.SplitInstanceID(instanceID)
	in, err := s.lockAny(roomID)
	if err == nil && in.room.Instance != part {
		in.mu.Unlock()
		return nil, room.ErrRoomNotFound
	}
	return in, err
}

// lockForRead is lock, but takes a room id as well.
func (s *Store) lockForRead(id string) (*instance, error) {
	if _, part := room.SplitInstanceID(id); part == "" {
		return s.lockAny(id)
	}
	return s.lock(id)
}

// lockAny returns the current instance of a room, locked.
func (s *Store) lockAny(roomID string) (*instance, error) {
	s.mu.RLock()
	in, closed := s.rooms[roomID], s.closed
	s.mu.RUnlock()
	switch {
	case closed:
		return nil, errClosed
	case in == nil:
		return nil, room.ErrRoomNotFound
	}
	return in, in.lock()
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

// Create implements room.Store.
func (s *Store) Create(_ context.Context, r room.Room, limits room.CreateLimits) error {
	_, added, err := s.add(r, limits)
	if err == nil && !added {
		return fmt.Errorf("%w: a room with this id exists", room.ErrInternal)
	}
	return err
}

// Open implements room.Store.
func (s *Store) Open(_ context.Context, r room.Room, limits room.CreateLimits) (room.Room, error) {
	r.Admin = ""
	for {
		in, _, err := s.add(r, limits)
		if err != nil {
			return room.Room{}, err
		}
		if in.lock() == nil { // else the instance has ended since
			defer in.mu.Unlock()
			return in.room, nil
		}
	}
}

// add adds a room, or returns the existing one with its id.
func (s *Store) add(r room.Room, limits room.CreateLimits) (in *instance, added bool, err error) {
	r.CreatedAt, r.StartedAt, r.Deadline = now(), time.Time{}, time.Time{}
	r.Seq, r.Locked = 0, false
	in = &instance{
		store:       s,
		room:        r,
		due:         r.CreatedAt.Add(limits.Lobby),
		memberships: make(map[string]room.Membership),
		skeletons:   make(map[string]bool),
		online:      make(map[string]int),
		sent:        make(map[string]uint64),
	}
	if r.Admin != "" {
		in.admit(r.Admin)
	}

	s.mu.Lock()
	defer s.mu.Unlock()
	switch existing := s.rooms[r.ID]; {
	case s.closed:
		return nil, false, errClosed
	case existing != nil:
		return existing, false, nil
	case limits.MaxRooms > 0 && len(s.rooms) >= limits.MaxRooms:
		return nil, false, room.ErrTooManyRooms
	}
	s.rooms[r.ID] = in
	in.mu.Lock() // the timer may fire before it is assigned
	defer in.mu.Unlock()
	// The timer's goroutine ends with expire, which only waits for locks.
	in.timer = time.AfterFunc(time.Until(in.due), in.expire)
	return in, true, nil
}

// Load implements room.Store.
func (s *Store) Load(ctx context.Context, instanceID string) (room.Room, error) {
	r, _, err := s.Member(ctx, instanceID, "")
	return r, err
}

// Member implements room.Store.
func (s *Store) Member(_ context.Context, instanceID, userID string) (room.Room, room.Membership, error) {
	in, err := s.lockForRead(instanceID)
	if err != nil {
		return room.Room{}, room.NotMember, err
	}
	defer in.mu.Unlock()
	return in.room, in.memberships[userID], nil
}

// Join implements room.Store.
func (s *Store) Join(_ context.Context, instanceID string, join room.Join) (room.Joined, error) {
	in, err := s.lock(instanceID)
	if err != nil {
		return room.Joined{}, err
	}
	defer in.mu.Unlock()
	switch {
	case in.room.Locked:
		return room.Joined{}, room.ErrRoomLocked
	case in.members >= join.MaxMembers, len(in.online) >= join.MaxOnline:
		return room.Joined{}, room.ErrRoomFull
	}
	for _, userID := range join.Candidates {
		if in.memberships[userID] == room.NotMember && (in.room.SignedIn || !in.skeletons[name.Skeleton(userID)]) {
			in.admit(userID)
			return room.Joined{Room: in.room, UserID: userID}, nil
		}
	}
	return room.Joined{}, room.ErrRoomFull
}

// Start implements room.Store.
func (s *Store) Start(_ context.Context, instanceID string) (room.Clock, error) {
	in, err := s.lock(instanceID)
	if err != nil {
		return room.Clock{}, err
	}
	defer in.mu.Unlock()
	began := in.start()
	return room.Clock{StartedAt: in.room.StartedAt, Deadline: in.room.Deadline, Began: began}, nil
}

// SetLocked implements room.Store.
func (s *Store) SetLocked(_ context.Context, instanceID string, locked bool) error {
	in, err := s.lock(instanceID)
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
	in, err := s.lock(instanceID)
	if err != nil {
		return err
	}
	defer in.mu.Unlock()
	if in.memberships[userID] != room.IsMember {
		return room.ErrMemberNotFound
	}
	in.memberships[userID] = room.WasRemoved
	in.members--
	in.publish(room.Event{Kind: room.EventRemoved, UserID: userID})
	for _, f := range in.feeds {
		f.drop(userID)
	}
	return nil
}

// Delete implements room.Store.
func (s *Store) Delete(_ context.Context, instanceID string) error {
	in, err := s.lock(instanceID)
	if err != nil {
		return err
	}
	defer in.mu.Unlock()
	in.end(room.EndDeleted)
	return nil
}

// Watch implements room.Store. The watcher is called under the room's lock.
func (s *Store) Watch(_ context.Context, instanceID string, watcher func(room.Event)) (room.Snapshot, room.Feed, error) {
	in, err := s.lock(instanceID)
	if err != nil {
		return room.Snapshot{}, nil, err
	}
	defer in.mu.Unlock()
	f := &feed{
		room:    in,
		watcher: watcher,
		present: make(map[string]uint64),
		exited:  make(map[string]uint64),
	}
	in.feeds = append(in.feeds, f)
	in.dropRetractions()
	return room.Snapshot{
		Room:      in.room,
		Online:    slices.Collect(maps.Keys(in.online)),
		Retracted: slices.Clone(in.retracted),
	}, f, nil
}
