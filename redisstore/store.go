package redisstore

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"
	"go.uber.org/zap"

	"github.com/ephemeralchat/caddy-ephemeral-chat/redisstore/client"
	"github.com/ephemeralchat/caddy-ephemeral-chat/redisstore/pipeline"
	"github.com/ephemeralchat/caddy-ephemeral-chat/redisstore/pubsub"
	"github.com/ephemeralchat/caddy-ephemeral-chat/redisstore/script"
	"github.com/ephemeralchat/caddy-ephemeral-chat/room"
)

type (
	// Options name the Redis that a store uses, and how it uses it.
	Options = client.Options
	// Sentinel names the master whose sentinels are asked for its address.
	Sentinel = client.Sentinel
)

// Store is a room.Store over Redis. Each Store is a node of its own, even if several
// of one process share a Redis.
type Store struct {
	// Fixed by New.
	log      func() *zap.Logger
	node     string // the id of this node
	topology client.Topology
	keys     script.Keyspace
	scripts  *script.Runner
	posts    *pipeline.Publisher
	conn     *pubsub.Conn[*feed]
	clock    *clock
	presence *presence
	resyncs  chan struct{} // holds a token for each resync in progress

	counters counters
	periodic periodicResync

	// The context of the store's goroutines.
	ctx    context.Context //nolint:containedctx // it belongs to no call: Close ends it
	cancel context.CancelFunc

	mu     sync.Mutex
	closed bool           // guarded by mu
	work   sync.WaitGroup // the goroutines; added to under mu
	// tombstones are the instances that this node has ended recently, the oldest first. A
	// Redis that comes back with an older state, after a failover for one, may still have
	// them. Guarded by mu.
	tombstones []string
}

// counters count the losses of the connection for events and their consequences.
type counters struct {
	down                atomic.Bool // from a loss until the connection is back
	lost, resyncs, gaps atomic.Uint64
}

// maxResyncs is the maximum number of resyncs in progress.
const maxResyncs = 12

// New returns a Store. It fails only if the options are wrong: the first command
// connects to Redis.
func New(o Options) (*Store, error) {
	topology, err := o.Open()
	if err != nil {
		return nil, err
	}
	s := &Store{
		log:      o.Log,
		node:     room.NewNonce(),
		topology: topology,
		keys:     script.Keyspace{Prefix: o.KeyPrefix, Tagged: topology.Sharded()},
		clock:    newClock(),
		resyncs:  make(chan struct{}, maxResyncs),
	}
	s.ctx, s.cancel = context.WithCancel(context.Background())
	s.scripts = script.NewRunner(topology, s.clock)
	s.posts = pipeline.New(topology, s.keys, func(task func(context.Context)) {
		if !s.spawn(task) {
			task(s.ctx)
		}
	})
	s.presence = newPresence(s)
	s.conn = pubsub.New[*feed](topology, s.keys.NodeChannel(s.node), pubsub.Hooks{
		Lost: s.connLost, Restored: s.connRestored, Probed: s.probed,
	})
	s.spawn(s.conn.Run)
	s.spawn(s.keepAlive)
	s.spawn(s.reapRooms)
	return s, nil
}

// Now implements room.Store.
func (s *Store) Now() time.Time { return s.clock.now() }

// Synchronous implements room.Store: Post waits for Redis.
func (s *Store) Synchronous() bool { return false }

// PubSubStats implements room.PubSub.
func (s *Store) PubSubStats() room.PubSubStats {
	n := &s.counters
	return room.PubSubStats{
		// Without subscribers the store does not connect.
		Up:    !n.down.Load() || s.conn.Idle(),
		Lost:  n.lost.Load(),
		Syncs: n.resyncs.Load(),
		Gaps:  n.gaps.Load(),
	}
}

// Close implements room.Store.
func (s *Store) Close() error {
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return nil
	}
	s.closed = true
	s.mu.Unlock()
	s.cancel()
	s.work.Wait()
	s.presence.shortenLease()
	if err := s.topology.Close(); err != nil && !errors.Is(err, redis.ErrClosed) {
		return client.Unavailable("close", err)
	}
	return nil
}

// spawn runs a task in a goroutine, and returns whether it does: not if the store is
// closed.
func (s *Store) spawn(task func(context.Context)) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return false
	}
	// Ends with its task, which ends with the store's context. Close waits.
	s.work.Go(func() { task(s.ctx) })
	return true
}

// logger returns the current logger, which may discard everything.
func (s *Store) logger() *zap.Logger {
	if s.log != nil {
		if l := s.log(); l != nil {
			return l
		}
	}
	return zap.NewNop()
}

// connLost is called when the connection for events fails.
func (s *Store) connLost(ctx context.Context, err error, attempt int) (retry bool) {
	s.presence.markUnstable()
	if attempt == 0 {
		s.counters.down.Store(true)
		s.counters.lost.Add(1)
		reason := client.Reason(err)
		if errors.Is(err, pubsub.ErrProbeTimeout) {
			reason = "it does not deliver what other servers publish"
		}
		s.logger().Warn("connection to Redis for events lost", zap.String("reason", reason))
	}
	return client.Backoff(ctx, attempt)
}

// connRestored is called when the connection for events works again.
func (s *Store) connRestored() {
	s.counters.down.Store(false)
	s.logger().Info("connection to Redis for events is back")
	s.repairNode()
}

// probed is called after each probe of the servers.
func (s *Store) probed(ctx context.Context, p pubsub.Probe) {
	if s.topology.Sharded() {
		if len(p.Returned) > 0 {
			s.resyncShards(ctx, p.Returned)
		}
		s.periodic.run(s.conn)
	}
	if p.Masters != nil {
		s.posts.Keep(p.Masters)
	}
}

// noteGone resyncs the feeds of an instance that Redis does not have, as err shows. It
// returns err.
func (s *Store) noteGone(instanceID string, err error) error {
	if errors.Is(err, room.ErrRoomNotFound) {
		for _, f := range s.conn.SubscribersOf(s.keys.Room(instanceID).Channel) {
			f.requestResync()
		}
	}
	return err
}

// Interface guards.
var (
	_ room.Store  = (*Store)(nil)
	_ room.PubSub = (*Store)(nil)
)
