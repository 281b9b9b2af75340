package redisstore

import (
	"context"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
	"go.uber.org/zap"

	"github.com/ephemeralchat/caddy-ephemeral-chat/room"
)

const (
	// reapEvery is how often rooms are looked for that were never started.
	reapEvery = time.Second
	// reapBatch is how many entries of a lobby list are read at once.
	reapBatch = 64
)

// reapRooms ends rooms whose lobby time is over. Every node does: whoever comes
// second finds nothing to do. It ends with ctx.
func (s *Store) reapRooms(ctx context.Context) {
	ticker := time.NewTicker(reapEvery)
	defer ticker.Stop()
	failing := false
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		err := s.reapDue(ctx)
		switch {
		case ctx.Err() != nil:
			return
		case err != nil && !failing:
			s.logger().Warn("Redis cannot be reached", zap.Error(err))
		case err == nil && failing:
			s.logger().Info("Redis is back")
			s.endAgain(ctx)
		}
		failing = err != nil
	}
}

// reapDue drains all lobby lists of what is due.
func (s *Store) reapDue(ctx context.Context) error {
	lengths := redis.NewStringSliceCmd(ctx, "smembers", s.keys.lobbies())
	if err := s.send(ctx, s.keys.lobbies(), lengths); err != nil {
		return unavailable("lobby", err)
	}
	for _, length := range lengths.Val() {
		lobby, err := strconv.ParseInt(length, 10, 64)
		if err != nil {
			continue // not ours
		}
		for more := true; more; {
			if more, err = s.reapBatch(ctx, lobby); err != nil {
				return err
			}
		}
	}
	return nil
}

// reapBatch reaps what is due at the head of a lobby list, and reports whether
// there may be more. An entry is taken off only when its room has been dealt
// with, so that nothing is forgotten when this is cut off.
func (s *Store) reapBatch(ctx context.Context, lobby int64) (more bool, err error) {
	list := s.keys.lobby(lobby)
	r, err := s.runTimed(ctx, scriptPeek, list[:1], reapBatch)
	if err != nil {
		return false, err
	}
	now, entries := r.number(1), r.list(2)
	done := []any{lobby}
	for i := range entries {
		entry := entries.text(i)
		createdAt, instanceID, ok := strings.Cut(entry, ":")
		created, err := strconv.ParseInt(createdAt, 10, 64)
		if ok && err == nil {
			if now < created+lobby*1000 {
				break
			}
			k := s.keys.room(instanceID)
			if _, err := s.run(ctx, scriptReap, k.keys, k.channel, encodeEnded(room.EndExpired), createdAt, k.life); err != nil {
				return false, err
			}
		}
		done = append(done, entry)
	}
	if len(done) > 1 || len(entries) == 0 {
		if _, err := s.run(ctx, scriptPop, list, done...); err != nil {
			return false, err
		}
	}
	return len(done) > reapBatch, nil
}
