package redisstore

import (
	"context"
	"errors"
	"net"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"
	"go.uber.org/zap"
)

// silence is how long the subscribed connection may say nothing before it
// is asked whether it is alive, and then before it is given up.
const silence = 3 * time.Second

// errLinkBroken ends the use of a subscribed connection.
var errLinkBroken = errors.New("redisstore: link broken")

// link is the one connection on which a node hears the events of all rooms that
// it watches. It is made with the first feed and made anew whenever it fails.
//
// One goroutine (read) owns the making of connections and reads them. Another
// (write) subscribes and unsubscribes, so that those who open and close feeds
// don't wait for the network, and many of them share one command.
type link struct {
	store  *Store
	demand chan struct{} // holds a token when a feed was added
	wake   chan struct{} // holds a token when some channel is dirty

	mu       sync.RWMutex
	closed   bool
	pubsub   *redis.PubSub // nil while there is no connection
	channels map[string]*subscription
	dirty    map[string]struct{} // channels that the writer must look at
}

func newLink(s *Store) *link {
	return &link{
		store:    s,
		demand:   make(chan struct{}, 1),
		wake:     make(chan struct{}, 1),
		channels: make(map[string]*subscription),
		dirty:    make(map[string]struct{}),
	}
}

func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// close ends the connection. The goroutines end with the store's context.
func (l *link) close() {
	l.mu.Lock()
	pubsub := l.pubsub
	l.closed = true
	l.mu.Unlock()
	if pubsub != nil {
		_ = pubsub.Close() // fails only if it is closed
	}
}

// read keeps a connection for as long as there are feeds.
func (l *link) read(ctx context.Context) {
	backoff, failing := minBackoff, false
	for {
		if !l.await(ctx) {
			return
		}
		pubsub := l.store.client.Subscribe(ctx) // connects with the first SUBSCRIBE
		if !l.begin(pubsub) {
			_ = pubsub.Close()
			return
		}
		err := l.listen(ctx, pubsub, func() {
			if failing {
				l.store.counters.down.Store(false)
				l.store.logger().Info("connection to Redis for events is back")
				l.store.heart.unsettle()
				signal(l.store.heart.kick)
				l.store.spawn(l.store.endAgain)
			}
			backoff, failing = minBackoff, false
		})
		_ = pubsub.Close() // fails only if it is closed
		l.broken()
		if ctx.Err() != nil {
			return
		}
		l.store.heart.unsettle()
		if !failing {
			failing = true
			l.store.counters.down.Store(true)
			l.store.counters.lost.Add(1)
			l.store.logger().Warn("connection to Redis for events lost", zap.String("reason", reason(err)))
		}
		if !pause(ctx, jitter(backoff)) {
			return
		}
		backoff = min(2*backoff, maxBackoff)
	}
}

// await waits until there are feeds; false if ctx is done.
func (l *link) await(ctx context.Context) bool {
	for l.idle() {
		select {
		case <-l.demand:
		case <-ctx.Done():
			return false
		}
	}
	return ctx.Err() == nil
}

// begin hands a new connection to the writer, which subscribes to everything.
func (l *link) begin(pubsub *redis.PubSub) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return false
	}
	for channel, c := range l.channels {
		if len(c.members) == 0 {
			delete(l.channels, channel)
			continue
		}
		c.wanted, c.sent, c.confirmed, c.leaving = false, 0, 0, 0
		l.dirty[channel] = struct{}{}
	}
	l.pubsub = pubsub
	signal(l.wake)
	return true
}

// broken tells all feeds that they hear nothing any more.
func (l *link) broken() {
	l.mu.Lock()
	l.pubsub = nil
	for _, c := range l.channels {
		c.wanted, c.sent, c.confirmed, c.leaving = false, 0, 0, 0
	}
	l.mu.Unlock()
	for _, f := range l.all() {
		f.linkDown()
	}
}

// listen reads a connection until it fails. up is called with its first word.
func (l *link) listen(ctx context.Context, pubsub *redis.PubSub, up func()) error {
	asked, greeted := false, false
	for {
		received, err := pubsub.ReceiveTimeout(ctx, silence)
		var timeout net.Error
		switch {
		case err == nil:
			asked = false
		case errors.As(err, &timeout) && timeout.Timeout() && !asked && ctx.Err() == nil:
			asked = true
			if err := pubsub.Ping(ctx); err != nil {
				return err
			}
			continue
		default:
			return err
		}
		if !greeted {
			greeted = true
			up()
		}
		switch m := received.(type) {
		case *redis.Message:
			for _, f := range l.feeds(m.Channel) {
				f.receive(m.Payload)
			}
		case *redis.Subscription:
			if err := l.confirm(m); err != nil {
				return err
			}
		}
	}
}
