package redisstore

import (
	"context"
	"strconv"
	"time"

	"github.com/redis/go-redis/v9"
	"go.uber.org/zap"

	"github.com/ephemeralchat/caddy-ephemeral-chat/redisstore/client"
	"github.com/ephemeralchat/caddy-ephemeral-chat/redisstore/script"
	"github.com/ephemeralchat/caddy-ephemeral-chat/room"
)

// confirmTimeout is how long after a deadline, by this node's clock, Redis may take to
// confirm it. Then the room ends without confirmation.
const confirmTimeout = 200 * time.Millisecond

// setTimer sets the timer to the deadline. The caller holds mu.
func (f *feed) setTimer() {
	if f.timer != nil {
		f.timer.Stop()
	}
	if f.over || f.clock.Deadline.IsZero() {
		return
	}
	// At the first moment at which it may have passed by Redis's clock.
	f.expireIn(f.clock.Deadline.Sub(f.store.Now()) - f.store.clock.slack())
}

func (f *feed) expireIn(d time.Duration) {
	// Runs at most once; the goroutine that it starts ends with the store.
	f.timer = time.AfterFunc(max(0, d)+time.Millisecond, func() { f.store.spawn(f.expire) })
}

// expire ends the room if Redis confirms that its deadline has passed, or does not
// answer in time.
func (f *feed) expire(ctx context.Context) {
	f.mu.Lock()
	over, deadline := f.over, f.clock.Deadline
	f.mu.Unlock()
	if over || deadline.IsZero() {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, max(deadline.Sub(f.store.Now())+confirmTimeout, confirmTimeout/4))
	defer cancel()
	gone, now, err := f.store.scripts.Expire(ctx, f.keys, deadline)
	f.mu.Lock()
	defer f.mu.Unlock()
	switch {
	case f.over || !f.clock.Deadline.Equal(deadline):
	case gone:
		f.end(room.EndExpired)
	case err == nil:
		f.expireIn(deadline.Sub(now)) // it was too early
	case f.store.Now().Before(deadline):
		f.setTimer()
	default:
		f.store.addTombstone(f.keys.InstanceID)
		f.end(room.EndExpired)
	}
}

const (
	// reapInterval is how often a node reads the lobby lists.
	reapInterval = time.Second
	// reapBatch is the number of entries that are read at once.
	reapBatch = 64
)

// reapRooms ends rooms whose lobby time is over. Every node does, and all but the first
// find nothing to do. It ends with ctx.
func (s *Store) reapRooms(ctx context.Context) {
	ticker := time.NewTicker(reapInterval)
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
			s.redelete(ctx)
		}
		failing = err != nil
	}
}

// reapDue reaps the due rooms of all lobby lists.
func (s *Store) reapDue(ctx context.Context) error {
	lobbies := redis.NewStringSliceCmd(ctx, "smembers", s.keys.Lobbies())
	if err := client.Send(ctx, s.topology, s.keys.Lobbies(), lobbies); err != nil {
		return client.Unavailable("lobby", err)
	}
	for _, member := range lobbies.Val() {
		lobby, err := strconv.ParseInt(member, 10, 64)
		if err != nil {
			continue // of another program
		}
		for more := true; more; {
			if more, err = s.reapNext(ctx, lobby); err != nil {
				return err
			}
		}
	}
	return nil
}

// reapNext reaps the due rooms at the head of a lobby list, and returns whether there
// may be more. It removes an entry after ending its room, so that an interruption
// forgets none.
func (s *Store) reapNext(ctx context.Context, lobby int64) (more bool, err error) {
	now, entries, err := s.scripts.LobbyPeek(ctx, s.keys, lobby, reapBatch)
	if err != nil {
		return false, err
	}
	done := make([]string, 0, len(entries))
	for _, entry := range entries {
		if createdAt, instanceID, ok := script.ParseLobbyEntry(entry); ok {
			if now < createdAt+lobby*1000 {
				break
			}
			if err := s.scripts.Reap(ctx, s.keys.Room(instanceID), createdAt); err != nil {
				return false, err
			}
		}
		done = append(done, entry)
	}
	if len(done) > 0 || len(entries) == 0 {
		if err := s.scripts.LobbyDequeue(ctx, s.keys, lobby, done); err != nil {
			return false, err
		}
	}
	return len(done) == reapBatch, nil
}
