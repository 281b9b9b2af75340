package memstore

import (
	"bytes"
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
		// It was found, and has ended since.
	}
}

func (s *Store) open(r room.Room, limits room.CreateLimits) (room.Room, error) {
	l, err := s.add(r, limits)
	switch {
	case err != nil:
	case l == nil:
		l, _, err = s.lock(r.InstanceID())
	default:
		_, err = l.lock()
	}
	if err != nil {
		return room.Room{}, err
	}
	defer l.mu.Unlock()
	return l.state(), nil
}

// add adds a room, unless there is one with its id, which it returns then.
func (s *Store) add(r room.Room, limits room.CreateLimits) (existing *liveRoom, err error) {
	r.Key, r.Password, r.AdminPassword = bytes.Clone(r.Key), bytes.Clone(r.Password), bytes.Clone(r.AdminPassword)
	r.CreatedAt, r.StartedAt, r.Deadline = now(), time.Time{}, time.Time{}
	r.Seq, r.Locked = 0, false
	l := &liveRoom{
		store:       s,
		room:        r,
		due:         r.CreatedAt.Add(limits.Lobby),
		memberships: make(map[string]room.Membership),
		looks:       make(map[string]bool),
		online:      make(map[string]int),
		sent:        make(map[string]uint64),
	}
	if r.Admin != "" {
		l.admit(r.Admin)
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
	s.rooms[r.ID] = l
	l.mu.Lock() // the timer may fire before it is assigned
	defer l.mu.Unlock()
	// Its goroutine ends with expire, which waits for locks only.
	l.timer = time.AfterFunc(time.Until(l.due), l.expire)
	return nil, nil //nolint:nilnil // no error and no such room
}
