package client

import (
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"sync"

	"github.com/redis/go-redis/v9"
)

// cluster is the set of masters of a Redis Cluster.
//
// Commands go straight to the client of the master that holds their key. The
// library's cluster client would retry after errors that leave open whether a command
// was executed; here it only keeps the slot map and follows keys that have moved.
type cluster struct {
	client *redis.ClusterClient

	mu   sync.Mutex
	last *redis.Client // the last subscriber; guarded by mu
}

func (c *cluster) ClientFor(ctx context.Context, key string) (*redis.Client, error) {
	return c.client.MasterForKey(ctx, key)
}

func (c *cluster) Masters(ctx context.Context) ([]*redis.Client, error) {
	return collect(ctx, c.client.ForEachMaster)
}

// Subscriber chooses among masters and replicas: each delivers events of all.
func (c *cluster) Subscriber(ctx context.Context) (*redis.Client, error) {
	all, err := collect(ctx, c.client.ForEachShard)
	if err != nil {
		return nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(all) > 1 {
		all = slices.DeleteFunc(all, func(server *redis.Client) bool { return server == c.last })
	}
	if len(all) == 0 {
		return nil, errors.New("redisstore: the cluster has no servers")
	}
	c.last = all[rand.IntN(len(all))] //nolint:gosec // G404: nothing secret
	return c.last, nil
}

// collect returns the clients that forEach calls its argument with.
func collect(ctx context.Context, forEach func(context.Context, func(context.Context, *redis.Client) error) error) ([]*redis.Client, error) {
	var mu sync.Mutex
	var all []*redis.Client
	err := forEach(ctx, func(_ context.Context, server *redis.Client) error {
		mu.Lock()
		defer mu.Unlock()
		all = append(all, server)
		return nil
	})
	return all, err
}

func (c *cluster) Pipeline(ctx context.Context, commands ...redis.Cmder) {
	pipeline := c.client.Pipeline()
	for _, command := range commands {
		_ = pipeline.Process(ctx, sentOnce{command}) // only queues it
	}
	_, _ = pipeline.Exec(ctx) // each command has its own error
}

// sentOnce is a command that the library resends only if it was not executed.
type sentOnce struct{ redis.Cmder }

// NoRetry is what the library asks for that.
func (sentOnce) NoRetry() bool { return true }

// NoteError refreshes the slot map after every error that does not concern a single
// command: a replica may have replaced a dead master. The library runs one refresh at
// a time.
func (c *cluster) NoteError(ctx context.Context, err error) {
	if err == nil || errors.Is(err, context.Canceled) || errors.Is(err, redis.ErrClosed) {
		return
	}
	var reply redis.Error
	if errors.As(err, &reply) && !slices.ContainsFunc(topologyErrors, func(prefix string) bool {
		return redis.HasErrorPrefix(err, prefix)
	}) {
		return
	}
	c.client.ReloadState(ctx)
}

// topologyErrors are the replies that suggest a topology change.
var topologyErrors = []string{"MOVED", "CLUSTERDOWN", "READONLY", "LOADING", "MASTERDOWN"}

func (c *cluster) Sharded() bool { return true }

func (c *cluster) Replaceable() bool { return true }

// CheckMaster does nothing: servers of a cluster redirect commands by themselves.
func (c *cluster) CheckMaster(context.Context) {}

func (c *cluster) Close() error { return c.client.Close() }
