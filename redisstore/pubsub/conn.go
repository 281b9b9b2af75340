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

	beat string // the channel in which the node hears itself

	mu       sync.RWMutex
	closed   bool
	pubsub   *redis.PubSub // nil while there is no connection
	fault    error         // why cut was called, until the reader knows
	greeting bool          // beat is to be subscribed to
	greeted  bool          // and has been
	channels map[string]*subscription
	dirty    map[string]struct{} // channels that the writer must look at
}

func newLink(s *Store) *link {
	return &link{
		store:    s,
		demand:   make(chan struct{}, 1),
		wake:     make(chan struct{}, 1),
		beat:     s.keys.beat(s.node),
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

// cut ends the connection of the moment, for a reason that it does not show by
// itself. The reader makes a new one.
func (l *link) cut(fault error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.pubsub != nil {
		l.fault = fault
		_ = l.pubsub.Close() // fails only if it is closed
	}
}

// read keeps a connection for as long as there are feeds.
func (l *link) read(ctx context.Context) {
	backoff, failing := minBackoff, false
	for {
		if !l.await(ctx) {
			return
		}
		err := l.attempt(ctx, func() {
			if failing {
				l.store.counters.down.Store(false)
				l.store.logger().Info("connection to Redis for events is back")
				l.store.heart.unsettle()
				l.store.departAgain()
				signal(l.store.heart.kick)
				l.store.spawn(l.store.endAgain)
			}
			backoff, failing = minBackoff, false
		})
		if ctx.Err() != nil {
			return
		}
		l.store.servers.failed(ctx, err)
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

// attempt makes a connection and reads it until it fails. up is called with its
// first word.
func (l *link) attempt(ctx context.Context, up func()) error {
	server, err := l.store.servers.subscriber(ctx)
	if err != nil {
		return err
	}
	pubsub := server.Subscribe(ctx) // connects with the first SUBSCRIBE
	if l.begin(pubsub) {
		err = l.listen(ctx, pubsub, up)
	}
	_ = pubsub.Close() // fails only if it is closed
	if fault := l.broken(); fault != nil {
		err = fault
	}
	return err
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
	l.pubsub, l.fault, l.greeting, l.greeted = pubsub, nil, true, false
	signal(l.wake)
	return true
}

// broken tells all feeds that they hear nothing any more. It returns why the
// connection was cut, if it was.
func (l *link) broken() (fault error) {
	l.store.pulse.pause()
	l.mu.Lock()
	l.pubsub, l.greeted = nil, false
	fault, l.fault = l.fault, nil
	for _, c := range l.channels {
		c.wanted, c.sent, c.confirmed, c.leaving = false, 0, 0, 0
	}
	l.mu.Unlock()
	for _, f := range l.all() {
		f.linkDown()
	}
	return fault
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
			if m.Channel == l.beat {
				l.store.pulse.hear(m.Payload)
			}
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
