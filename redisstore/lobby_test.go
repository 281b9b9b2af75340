package redisstore_test

import (
	"context"
	"errors"
	"net"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/ephemeralchat/caddy-ephemeral-chat/redisstore/redistest"
	"github.com/ephemeralchat/caddy-ephemeral-chat/room"
)

// slow lets a script wait before it is sent.
type slow struct {
	script int32 // which, counted from the first that the store runs
	wait   time.Duration
	count  atomic.Int32
}

func (s *slow) DialHook(next redis.DialHook) redis.DialHook {
	return func(ctx context.Context, network, addr string) (net.Conn, error) { return next(ctx, network, addr) }
}

func (s *slow) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return next
}

func (s *slow) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		if cmd.Name() == "evalsha" && s.count.Add(1) == s.script {
			<-time.After(s.wait)
		}
		return next(ctx, cmd)
	}
}

// TestLateCreate has a room made so long after it was queued that its entry may
// be gone: nothing would ever reap it.
func TestLateCreate(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t, redistest.Options{})
	node := openNodes(t, optionsOf(server), 1)[0]
	const lobby = time.Second
	node.AddHook(&slow{script: 2, wait: lobby + 10*time.Millisecond})
	r := room.Room{ID: room.NewID(), Name: "late", Admin: admin, TTL: time.Hour, Key: []byte("key"), Epoch: "epoch"}
	if err := node.Create(t.Context(), r, room.CreateLimits{Lobby: lobby}); !errors.Is(err, room.ErrUnavailable) {
		t.Errorf("Create after the lobby time: %v, want ErrUnavailable", err)
	}
	if _, err := node.Load(t.Context(), r.ID); !errors.Is(err, room.ErrRoomNotFound) {
		t.Errorf("Load: %v, want ErrRoomNotFound", err)
	}
}
