package redisstore

import (
	"context"
	"sync"

	"github.com/ephemeralchat/caddy-ephemeral-chat/room"
)

// maxEnded is how many lives are remembered whose end may have to be repeated.
const maxEnded = 1024

// ended remembers rooms that this node has ended lately. A Redis that comes
// back with an older state, after a failover for one, may have them still.
type ended struct {
	mu    sync.Mutex
	lives []string // their ids, the oldest first
}

func newEnded() *ended { return &ended{} }

func (e *ended) add(instanceID string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if len(e.lives) == maxEnded {
		e.lives = append(e.lives[:0], e.lives[1:]...)
	}
	e.lives = append(e.lives, instanceID)
}

func (e *ended) all() []string {
	e.mu.Lock()
	defer e.mu.Unlock()
	return append([]string(nil), e.lives...)
}

// endAgain ends the rooms again that Redis should have forgotten.
func (s *Store) endAgain(ctx context.Context) {
	for _, instanceID := range s.ended.all() {
		k := s.keys.room(instanceID)
		for {
			if _, err := s.run(ctx, scriptDelete, k.keys, k.channel, encodeEnded(room.EndDeleted), k.life); err == nil {
				break
			}
			if !pause(ctx, jitter(maxBackoff)) {
				return
			}
		}
	}
}
