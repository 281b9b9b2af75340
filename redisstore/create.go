package redisstore

import (
	"context"
	"fmt"
	"time"

	"github.com/ephemeralchat/caddy-ephemeral-chat/room"
)

// Create implements room.Store. limits.MaxRooms is ignored.
func (s *Store) Create(ctx context.Context, r room.Room, limits room.CreateLimits) error {
	_, made, err := s.make(ctx, r, limits)
	if err == nil && !made {
		return fmt.Errorf("redisstore: create: %w: the room id is taken", room.ErrInternal)
	}
	return err
}

// Open implements room.Store. limits.MaxRooms is ignored.
func (s *Store) Open(ctx context.Context, r room.Room, limits room.CreateLimits) (room.Room, error) {
	r.Admin = ""
	there, _, err := s.make(ctx, r, limits)
	return there, err
}

// make makes a room, unless it is there, and returns the one that is there then.
func (s *Store) make(ctx context.Context, r room.Room, limits room.CreateLimits) (there room.Room, made bool, err error) {
	// First the lobby list, then the room: if this is cut off in between, or the
	// room is there, a bare id waits in the list in vain, but no room can be
	// forgotten.
	lobby := max(1, wholeSeconds(limits.Lobby))
	queued, err := s.runTimed(ctx, scriptPush, s.keys.lobby(lobby), lobby, r.InstanceID())
	if err != nil {
		return room.Room{}, false, err
	}
	reply, err := s.runTimed(ctx, scriptCreate, s.keys.room(r.ID).keys, queued.number(1), lobby, r.Admin, r.Name,
		wholeSeconds(r.TTL), r.Epoch, r.Key, r.Password, r.AdminPassword, r.Instance, flag(r.SignedIn), lookIn(&r, r.Admin))
	if err != nil {
		return room.Room{}, false, err
	}
	switch reply.status() {
	case replyOK:
		r.CreatedAt, r.StartedAt, r.Deadline = queued.time(1), time.Time{}, time.Time{}
		r.Seq, r.Locked = 0, false
		return r, true, nil
	case replyTooLate:
		return room.Room{}, false, fmt.Errorf("redisstore: create: %w: it took longer than the lobby time", room.ErrUnavailable)
	case replyRoomTaken:
		there, err = decodeRoom(r.ID, reply.list(2))
		return there, false, err
	default:
		return room.Room{}, false, errMalformed
	}
}
