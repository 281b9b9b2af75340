package redisstore

import (
	"context"
	"sync"

	"github.com/redis/go-redis/v9"
)

// lanes are the batchers of all servers. Posts to one server share their calls
// with each other only, so that no server holds up what is for another one.
type lanes struct {
	servers servers
	spawn   func(task func(context.Context)) // see batcher

	mu  sync.RWMutex
	all map[*redis.Client]*batcher
}

// do sends a post, and returns the script's reply. An error is the client's or
// the context's.
func (l *lanes) do(ctx context.Context, p *posting) (int64, error) {
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	server, err := l.servers.of(ctx, p.keys.keys[0])
	if err != nil {
		l.servers.failed(ctx, err)
		return 0, err
	}
	return l.of(server).do(ctx, p)
}

func (l *lanes) of(server *redis.Client) *batcher {
	l.mu.RLock()
	b := l.all[server]
	l.mu.RUnlock()
	if b != nil {
		return b
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if b = l.all[server]; b == nil {
		b = &batcher{server: server, servers: l.servers, spawn: l.spawn}
		l.all[server] = b
	}
	return b
}

// keep forgets the lanes of all other servers. Whoever is in one of those ends
// there.
func (l *lanes) keep(servers map[*redis.Client]bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for server := range l.all {
		if !servers[server] {
			delete(l.all, server)
		}
	}
}
