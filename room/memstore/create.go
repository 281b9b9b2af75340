package memstore

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/ephemeralchat/caddy-ephemeral-chat/room"
)

// Create implements room.Store.
func (s *Store) Create(_ context.Context, r room.Room, limits room.CreateLimits) error {
	existing, err := s.add(r, limits)
	if err == nil && existing != nil {
		return fmt.Errorf("%w: a room with this id exists", room.ErrInternal)
	}
	return err
}

// Open implements room.Store.
func (s *Store) Open(_ context.Context, r room.Room, limits room.CreateLimits) (room.Room, error) {
	r.Admin = ""
	for {
		opened, err := s.open(r, limits)
		if !errors.Is(err, room.ErrRoomNotFound) {
			return opened, err
		}
		// The instance that add found has ended since.
	}
}

func (s *Store) open(r room.Room, limits room.CreateLimits) (room.Room, error) {
	in, err := s.add(r, limits)
	switch {
	case err != nil:
	case in == nil:
		in, _, err = s.lock(r.InstanceID())
	default:
		_, err = in.lock()
	}
	if err != nil {
		return room.Room{}, err
	}
	defer in.mu.Unlock()
	return in.room, nil
}

// add adds a room, or returns the existing one with its id.
func (s *Store) add(r room.Room, limits room.CreateLimits) (existing *instance, err error) {
	r.CreatedAt, r.StartedAt, r.Deadline = now(), time.Time{}, time.Time{}
	r.Seq, r.Locked = 0, false
	in := &instance{
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
		return nil, errClosed
	case existing != nil:
		return existing, nil
	case limits.MaxRooms > 0 && len(s.rooms) >= limits.MaxRooms:
		return nil, room.ErrTooManyRooms
	}
	s.rooms[r.ID] = in
	in.mu.Lock() // the timer may fire before it is assigned
	defer in.mu.Unlock()
	// The timer's goroutine ends with expire, which only waits for locks.
	in.timer = time.AfterFunc(time.Until(in.due), in.expire)
	return nil, nil //nolint:nilnil // no error, and no room with this id
}
