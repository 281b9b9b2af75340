package redisstore

import (
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"sync"

	"github.com/redis/go-redis/v9"
)

// clustered are the masters of a Redis Cluster.
//
// Commands go straight to the client of the master that has their key. The
// client of the whole cluster would send them again after errors that leave open
// whether they were executed; here it finds out who has which keys, and follows
// keys that have moved.
type clustered struct {
	cluster *redis.ClusterClient

	mu   sync.Mutex
	last *redis.Client // the subscriber; guarded by mu
}

func newClustered(cluster *redis.ClusterClient) *clustered { return &clustered{cluster: cluster} }

func (c *clustered) of(ctx context.Context, key string) (*redis.Client, error) {
	return c.cluster.MasterForKey(ctx, key)
}

// masters asks who has which keys.
func (c *clustered) masters(ctx context.Context) ([]*redis.Client, error) {
	return collect(ctx, c.cluster.ForEachMaster)
}

// subscriber takes masters and replicas alike: all are told what is published on
// any.
func (c *clustered) subscriber(ctx context.Context) (*redis.Client, error) {
	all, err := collect(ctx, c.cluster.ForEachShard)
	if err != nil {
		return nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if others := slices.DeleteFunc(slices.Clone(all), func(o *redis.Client) bool { return o == c.last }); len(others) > 0 {
		all = others
	}
	if len(all) == 0 {
		return nil, errNoServers
	}
	c.last = all[rand.IntN(len(all))] //nolint:gosec // G404: nothing secret
	return c.last, nil
}

var errNoServers = errors.New("redisstore: the cluster has no servers")

// collect returns the clients that each is called with.
func collect(ctx context.Context, each func(context.Context, func(context.Context, *redis.Client) error) error) ([]*redis.Client, error) {
	var mu sync.Mutex
	var all []*redis.Client
	err := each(ctx, func(_ context.Context, server *redis.Client) error {
		mu.Lock()
		defer mu.Unlock()
		all = append(all, server)
		return nil
	})
	return all, err
}

func (c *clustered) pipeline(ctx context.Context, commands ...redis.Cmder) {
	pipeline := c.cluster.Pipeline()
	for _, command := range commands {
		_ = pipeline.Process(ctx, unrepeated{command}) // only puts them together
	}
	_, _ = pipeline.Exec(ctx) // each command has its own error
}

// unrepeated is a command that the library does not send again after an error,
// unless it was not executed.
type unrepeated struct{ redis.Cmder }

// NoRetry says so.
func (unrepeated) NoRetry() bool { return true }

// failed looks up who has which keys after every error that does not concern a
// single command: a master may be dead and another one in its place. There is one
// look-up at a time.
func (c *clustered) failed(ctx context.Context, err error) {
	if err == nil || errors.Is(err, context.Canceled) || errors.Is(err, redis.ErrClosed) {
		return
	}
	var reply redis.Error
	if errors.As(err, &reply) && !slices.ContainsFunc(hintsAtChange, func(prefix string) bool {
		return redis.HasErrorPrefix(err, prefix)
	}) {
		return
	}
	c.cluster.ReloadState(ctx)
}

// hintsAtChange are replies upon which it is worth asking who has which keys.
var hintsAtChange = []string{"MOVED", "CLUSTERDOWN", "READONLY", "LOADING", "MASTERDOWN"}

func (c *clustered) spread() bool { return true }

func (c *clustered) replaceable() bool { return true }

// review does nothing: servers of a cluster answer who has which keys now.
func (c *clustered) review(context.Context) {}

func (c *clustered) close() error { return c.cluster.Close() }
