package redisstore

import (
	"context"
	"time"

	"github.com/redis/go-redis/v9"
)

// Crash ends a store like the death of its process: without events, and with its lease
// until that expires. Close must still be called.
func (s *Store) Crash() {
	s.cancel()
	_ = s.topology.Close() // fails only if it is closed
}

// AddHook adds a hook for the commands of a store over one server.
func (s *Store) AddHook(h redis.Hook) {
	server, err := s.topology.ClientFor(context.Background(), "")
	if err != nil {
		panic(err) // a cluster without hooks
	}
	server.AddHook(h)
}

// Node returns the id of the node.
func (s *Store) Node() string { return s.node }

// Clock is the estimate of the server's time.
type Clock struct{ *clock }

// NewClock returns a clock without samples.
func NewClock() Clock { return Clock{newClock()} }

// Now returns the server's time.
func (c Clock) Now() time.Time { return c.now() }

// MarkDirty makes the store write again whether a user is online through it.
func (s *Store) MarkDirty(instanceID, userID string) {
	s.presence.markDirty(roomUser{instanceID, userID})
}
