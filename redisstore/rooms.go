package redisstore

import (
	"context"
	"math"
	"time"

	"github.com/ephemeralchat/caddy-ephemeral-chat/room"
)

// decodeRoom makes a room of what scripts/fields.lua returns. Of the id, only what
// names the room counts. It fails where something is missing that every room has:
// sessions are signed with the key, and a time to live of zero is over at once.
func decodeRoom(instanceID string, fields reply) (room.Room, error) {
	id, _ := room.SplitInstanceID(instanceID)
	seconds := fields.number(5)
	if fields.text(1) == "" || fields.text(9) == "" || seconds <= 0 || seconds > math.MaxInt64/int64(time.Second) {
		return room.Room{}, errMalformed
	}
	return room.Room{
		ID:        id,
		Seq:       fields.count(0),
		Epoch:     fields.text(1),
		Deadline:  fields.time(2),
		StartedAt: fields.time(3),
		CreatedAt: fields.time(4),
		TTL:       time.Duration(seconds) * time.Second,
		Locked:    fields.text(6) != "",
		Admin:     fields.text(7),
		Name:      fields.text(8),
		Key:       fields.bytes(9),
		Password:  fields.bytes(10),

		AdminPassword: fields.bytes(12),
		Instance:      fields.text(13),
		SignedIn:      fields.text(14) == flag(true),
	}, nil
}

// lobbyOf is how long the room may wait to be started.
func lobbyOf(fields reply) time.Duration { return time.Duration(fields.number(11)) * time.Second }

// flag is how a field says yes; one that says no is not there.
func flag(yes bool) string {
	if yes {
		return "1"
	}
	return ""
}

// wholeSeconds rounds up.
func wholeSeconds(d time.Duration) int64 { return int64((d + time.Second - 1) / time.Second) }

// Load implements room.Store.
func (s *Store) Load(ctx context.Context, instanceID string) (room.Room, error) {
	k := s.keys.room(instanceID)
	r, err := s.runTimed(ctx, scriptLoad, k.keys, k.life)
	if err != nil {
		return room.Room{}, err
	}
	if err := s.refusal(r.status(), instanceID); err != nil {
		return room.Room{}, err
	}
	return decodeRoom(instanceID, r.list(2))
}

// Start implements room.Store.
func (s *Store) Start(ctx context.Context, instanceID string) (room.Clock, error) {
	k := s.keys.room(instanceID)
	r, err := s.runTimed(ctx, scriptStart, k.keys, k.channel, k.life)
	if err != nil {
		return room.Clock{}, err
	}
	if err := s.refusal(r.status(), instanceID); err != nil {
		return room.Clock{}, err
	}
	c := room.Clock{StartedAt: r.time(2), Deadline: r.time(3), Began: r.number(4) == 1}
	if c.StartedAt.IsZero() || !c.Deadline.After(c.StartedAt) {
		return room.Clock{}, errMalformed
	}
	return c, nil
}

// Delete implements room.Store.
func (s *Store) Delete(ctx context.Context, instanceID string) error {
	k := s.keys.room(instanceID)
	r, err := s.run(ctx, scriptDelete, k.keys, k.channel, encodeEnded(room.EndDeleted), k.life)
	if err != nil {
		return err
	}
	if err := s.refusal(r.status(), instanceID); err != nil {
		return err
	}
	s.ended.add(instanceID)
	return nil
}
