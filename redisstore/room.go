package redisstore

import (
	"context"
	"fmt"
	"time"

	"github.com/ephemeralchat/caddy-ephemeral-chat/room"
)

// decodeRoom makes a room of what scripts/fields.lua returns.
func decodeRoom(id string, fields reply) room.Room {
	return room.Room{
		ID:        id,
		Seq:       fields.count(0),
		Epoch:     fields.text(1),
		Deadline:  fields.time(2),
		StartedAt: fields.time(3),
		CreatedAt: fields.time(4),
		TTL:       time.Duration(fields.number(5)) * time.Second,
		Locked:    fields.text(6) != "",
		Admin:     fields.text(7),
		Name:      fields.text(8),
		Key:       fields.bytes(9),
		Password:  fields.bytes(10),
	}
}

// lobbyOf is how long the room may wait to be started.
func lobbyOf(fields reply) time.Duration { return time.Duration(fields.number(11)) * time.Second }

// wholeSeconds rounds up.
func wholeSeconds(d time.Duration) int64 { return int64((d + time.Second - 1) / time.Second) }

// Create implements room.Store. limits.MaxRooms is ignored.
func (s *Store) Create(ctx context.Context, r room.Room, limits room.CreateLimits) error {
	// First the lobby list, then the room: if this is cut off in between, a
	// bare id waits there in vain, but no room can be forgotten.
	lobby := max(1, wholeSeconds(limits.Lobby))
	queued, err := s.runTimed(ctx, scriptPush, s.keys.lobby(lobby), lobby, r.ID)
	if err != nil {
		return err
	}
	made, err := s.runTimed(ctx, scriptCreate, s.keys.room(r.ID).keys, queued.number(1), lobby, r.Admin, r.Name,
		wholeSeconds(r.TTL), r.Epoch, r.Key, r.Password)
	if err != nil {
		return err
	}
	switch made.number(0) {
	case replyOK:
		return nil
	case replyTooLate:
		return fmt.Errorf("redisstore: create: %w: it took longer than the lobby time", room.ErrUnavailable)
	case replyRoomTaken:
		return fmt.Errorf("redisstore: create: %w: the room id is taken", room.ErrInternal)
	default:
		return room.ErrInternal
	}
}

// Load implements room.Store.
func (s *Store) Load(ctx context.Context, roomID string) (room.Room, error) {
	r, err := s.runTimed(ctx, scriptLoad, s.keys.room(roomID).keys)
	if err != nil {
		return room.Room{}, err
	}
	if err := s.refusal(r.number(0), roomID); err != nil {
		return room.Room{}, err
	}
	return decodeRoom(roomID, r.list(2)), nil
}

// Start implements room.Store.
func (s *Store) Start(ctx context.Context, roomID string) (room.Clock, error) {
	k := s.keys.room(roomID)
	r, err := s.runTimed(ctx, scriptStart, k.keys, k.channel)
	if err != nil {
		return room.Clock{}, err
	}
	if err := s.refusal(r.number(0), roomID); err != nil {
		return room.Clock{}, err
	}
	return room.Clock{StartedAt: r.time(2), Deadline: r.time(3)}, nil
}

// Delete implements room.Store.
func (s *Store) Delete(ctx context.Context, roomID string) error {
	k := s.keys.room(roomID)
	r, err := s.run(ctx, scriptDelete, k.keys, k.channel, encodeEnded(room.EndDeleted), "")
	if err != nil {
		return err
	}
	if err := s.refusal(r.number(0), roomID); err != nil {
		return err
	}
	s.ended.add(roomID, r.text(1))
	return nil
}
