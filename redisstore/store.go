package redisstore

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"
	"go.uber.org/zap"

	"github.com/ephemeralchat/caddy-ephemeral-chat/room"
)

// Store is a room.Store over Redis. Each Store is a node of its own, also where
// several of one process share a Redis.
type Store struct {
	// Fixed by New.
	log      func() *zap.Logger
	keys     keyspace
	node     string // the id of this node
	servers  servers
	clock    *clock
	link     *link
	pulse    *pulse
	presence *presence
	nodes    *nodes
	heart    *heart
	ended    *ended
	departed departed
	syncs    chan struct{} // holds a token for each synchronization under way
	posts    *lanes
	counters counters

	// The life of the store's goroutines.
	ctx    context.Context //nolint:containedctx // it is no call's: Close ends it
	cancel context.CancelFunc

	mu     sync.Mutex
	closed bool           // guarded by mu
	work   sync.WaitGroup // the goroutines; added to under mu
}

// maxSyncs is how many rooms synchronize at a time.
const maxSyncs = 12

// New returns a Store. It fails only where the options are wrong: Redis is
// connected to when it is needed first.
func New(o Options) (*Store, error) {
	place, err := o.place()
	if err != nil {
		return nil, err
	}
	s := &Store{
		log:      o.Log,
		node:     room.NewNonce(),
		servers:  place.servers(),
		clock:    newClock(),
		presence: newPresence(),
		nodes:    newNodes(),
		ended:    newEnded(),
		syncs:    make(chan struct{}, maxSyncs),
	}
	s.keys = keyspace{prefix: o.KeyPrefix, tagged: s.servers.spread()}
	s.posts = &lanes{servers: s.servers, spawn: s.spawnOrRun, all: make(map[*redis.Client]*batcher)}
	s.link = newLink(s)
	s.pulse = newPulse(s)
	s.heart = newHeart(s)
	s.ctx, s.cancel = context.WithCancel(context.Background())
	s.spawn(s.link.read)
	s.spawn(s.link.write)
	s.spawn(s.pulse.run)
	s.spawn(s.heart.run)
	s.spawn(s.reapRooms)
	return s, nil
}

// Now implements room.Store.
func (s *Store) Now() time.Time { return s.clock.now() }

// Synchronous implements room.Store: Post waits for Redis.
func (s *Store) Synchronous() bool { return false }

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
	s.link.close()
	s.work.Wait()
	s.heart.stop()
	if err := s.servers.close(); err != nil && !errors.Is(err, redis.ErrClosed) {
		return unavailable("close", err)
	}
	return nil
}

// spawn runs a task in a goroutine. It reports whether it does: not if the store
// is closed.
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

// spawnOrRun runs a task that must be done: in a goroutine, or at once if the
// store is closed.
func (s *Store) spawnOrRun(task func(context.Context)) {
	if !s.spawn(task) {
		task(s.ctx)
	}
}

// logger returns the logger of the moment, one that does nothing where there is
// none.
func (s *Store) logger() *zap.Logger {
	if s.log != nil {
		if l := s.log(); l != nil {
			return l
		}
	}
	return zap.NewNop()
}

// run runs a script in one round trip. Errors are room.ErrUnavailable.
func (s *Store) run(ctx context.Context, sc script, keys []string, args ...any) (reply, error) {
	if err := ctx.Err(); err != nil {
		return nil, unavailable(sc.name, err)
	}
	call := sc.bySHA1(ctx, keys, args)
	err := s.send(ctx, keys[0], call)
	if err != nil && redis.HasErrorPrefix(err, "NOSCRIPT") {
		call = sc.inFull(ctx, keys, args)
		err = s.send(ctx, keys[0], call)
	}
	if err != nil {
		return nil, unavailable(sc.name, err)
	}
	result, err := call.Slice()
	if err != nil {
		return nil, unavailable(sc.name, err)
	}
	return result, nil
}

// runTimed runs a script whose reply has the server's time second. Without one it
// fails: the clock would go back to the year 1.
func (s *Store) runTimed(ctx context.Context, sc script, keys []string, args ...any) (reply, error) {
	sent := s.clock.local()
	r, err := s.run(ctx, sc, keys, args...)
	if err != nil {
		return nil, err
	}
	now := r.time(1)
	if now.IsZero() {
		return nil, errMalformed
	}
	s.clock.add(now, sent, s.clock.local())
	return r, nil
}

// refusal is the error that the status of a reply stands for. A room that
// this node still watches though it is gone is looked at.
func (s *Store) refusal(code int64, instanceID string) error {
	switch code {
	case replyOK:
		return nil
	case replyGone:
		for _, f := range s.link.feeds(s.keys.room(instanceID).channel) {
			f.requestSync()
		}
		return room.ErrRoomNotFound
	case replyRemoved:
		return room.ErrRemoved
	case replyLocked:
		return room.ErrRoomLocked
	case replyFull:
		return room.ErrRoomFull
	case replyNoMessage:
		return room.ErrMessageNotFound
	case replyNotOwn:
		return room.ErrNotAdmin
	default:
		return errMalformed
	}
}

// Interface guard.
var _ room.Store = (*Store)(nil)
