package redisstore

import (
	"context"
	"sync"

	"github.com/ephemeralchat/caddy-ephemeral-chat/room"
)

// maxEnded is how many rooms are remembered whose end may have to be repeated.
const maxEnded = 1024

// ended remembers rooms that this node has ended lately. A Redis that comes
// back with an older state, after a failover for one, may have them still.
type ended struct {
	mu    sync.Mutex
	rooms []endedRoom // the oldest first
}

type endedRoom struct{ id, createdAt string }

func newEnded() *ended { return &ended{} }

func (e *ended) add(roomID, createdAt string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if len(e.rooms) == maxEnded {
		e.rooms = append(e.rooms[:0], e.rooms[1:]...)
	}
	e.rooms = append(e.rooms, endedRoom{roomID, createdAt})
}

func (e *ended) all() []endedRoom {
	e.mu.Lock()
	defer e.mu.Unlock()
	return append([]endedRoom(nil), e.rooms...)
}

// endAgain ends the rooms again that Redis should have forgotten.
func (s *Store) endAgain(ctx context.Context) {
	for _, r := range s.ended.all() {
		k := s.keys.room(r.id)
		for {
			if _, err := s.run(ctx, scriptDelete, k.keys, k.channel, encodeEnded(room.EndDeleted), r.createdAt); err == nil {
				break
			}
			if !pause(ctx, jitter(maxBackoff)) {
				return
			}
		}
	}
}
