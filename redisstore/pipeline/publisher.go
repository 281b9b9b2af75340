// Package pipeline sends posts to Redis: one at a time with a round trip of its own,
// many at a time in pipelines, one set of pipelines per server.
package pipeline

import (
	"context"
	"maps"
	"sync"

	"github.com/redis/go-redis/v9"

	"github.com/ephemeralchat/caddy-ephemeral-chat/redisstore/client"
	"github.com/ephemeralchat/caddy-ephemeral-chat/redisstore/script"
	"github.com/ephemeralchat/caddy-ephemeral-chat/room"
)

// Publisher stores and publishes messages. Each server has its own batcher, so that no
// server delays the posts for another one. Safe for concurrent use.
type Publisher struct {
	// Fixed by New.
	topology client.Topology
	keys     script.Keyspace
	spawn    func(task func(context.Context)) // see batcher

	mu       sync.Mutex
	batchers map[*redis.Client]*batcher // guarded by mu
}

// New returns a Publisher. spawn runs a task in a goroutine, with a context that ends
// with the store; if the store is closed it runs the task before it returns, with that
// context, which is done.
func New(topology client.Topology, keys script.Keyspace, spawn func(task func(context.Context))) *Publisher {
	return &Publisher{topology: topology, keys: keys, spawn: spawn, batchers: make(map[*redis.Client]*batcher)}
}

// Post stores a message. Posts of one caller at a time are stored in their order.
func (p *Publisher) Post(ctx context.Context, instanceID string, post room.Post) (room.Receipt, error) {
	pending := &pendingPost{}
	pending.Init(ctx, p.keys, instanceID, post)
	if err := p.do(ctx, pending); err != nil {
		return room.Receipt{}, client.Unavailable("post", err)
	}
	return pending.Receipt()
}

// do sends a post. It returns the client's or the context's error.
func (p *Publisher) do(ctx context.Context, pending *pendingPost) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	server, err := p.topology.ClientFor(ctx, pending.Key())
	if err != nil {
		p.topology.NoteError(ctx, err)
		return err
	}
	return p.batcher(server).do(ctx, pending)
}

func (p *Publisher) batcher(server *redis.Client) *batcher {
	p.mu.Lock()
	defer p.mu.Unlock()
	b := p.batchers[server]
	if b == nil {
		b = &batcher{server: server, topology: p.topology, spawn: p.spawn}
		p.batchers[server] = b
	}
	return b
}

// Keep drops the batchers of all other servers. The posts in those still end there.
func (p *Publisher) Keep(servers map[*redis.Client]bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	maps.DeleteFunc(p.batchers, func(server *redis.Client, _ *batcher) bool { return !servers[server] })
}
