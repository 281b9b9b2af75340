package redisstore

import (
	"context"
	"errors"
	"math/rand/v2"
	"net"
	"slices"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"
	"go.uber.org/zap"
)

const (
	// silence is how long the subscribed connection may say nothing before it
	// is asked whether it is alive, and then before it is given up.
	silence = 3 * time.Second
	// subscribeBatch is how many channels one SUBSCRIBE names.
	subscribeBatch = 1000

	minBackoff = 100 * time.Millisecond
	maxBackoff = 2 * time.Second
)

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

// subscription is one channel on the connection of the moment.
type subscription struct {
	members []*feed // replaced, never changed
	// wanted says that the last command sent is SUBSCRIBE, not UNSUBSCRIBE.
	wanted bool
	// sent and confirmed count SUBSCRIBE commands and their confirmations:
	// events come for certain once they are equal.
	sent, confirmed int
	// leaving counts UNSUBSCRIBE commands that are not confirmed.
	leaving int
}

func (s *subscription) live() bool { return s.wanted && s.sent == s.confirmed }

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

// feeds returns the feeds of a channel. The slice must not be changed.
func (l *link) feeds(channel string) []*feed {
	l.mu.RLock()
	defer l.mu.RUnlock()
	if c := l.channels[channel]; c != nil {
		return c.members
	}
	return nil
}

// all returns all feeds.
func (l *link) all() []*feed {
	l.mu.RLock()
	defer l.mu.RUnlock()
	var all []*feed
	for _, c := range l.channels {
		all = append(all, c.members...)
	}
	return all
}

// idle reports whether there are no feeds.
func (l *link) idle() bool {
	l.mu.RLock()
	defer l.mu.RUnlock()
	for _, c := range l.channels {
		if len(c.members) > 0 {
			return false
		}
	}
	return true
}

// add makes a feed hear its channel: from when its linkUp is called.
func (l *link) add(f *feed) {
	channel := f.keys.channel
	l.mu.Lock()
	c := l.channels[channel]
	if c == nil {
		c = &subscription{}
		l.channels[channel] = c
	}
	c.members = append(slices.Clip(c.members), f)
	live := c.live()
	if !live {
		l.dirty[channel] = struct{}{}
	}
	l.mu.Unlock()
	if live {
		f.linkUp()
		return
	}
	signal(l.demand)
	signal(l.wake)
}

// remove undoes add. It reports whether that was the last feed of its channel.
func (l *link) remove(f *feed) (last bool) {
	channel := f.keys.channel
	l.mu.Lock()
	defer l.mu.Unlock()
	c := l.channels[channel]
	if c == nil {
		return true
	}
	members := make([]*feed, 0, len(c.members))
	for _, member := range c.members {
		if member != f {
			members = append(members, member)
		}
	}
	c.members = members
	if len(members) > 0 {
		return false
	}
	l.dirty[channel] = struct{}{}
	signal(l.wake)
	return true
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

// confirm notes what the server says of a channel. A confirmation that was not
// asked for means that the client library has made a new connection by itself,
// and that events are lost.
func (l *link) confirm(m *redis.Subscription) error {
	l.mu.Lock()
	c := l.channels[m.Channel]
	if c == nil {
		l.mu.Unlock()
		return errLinkBroken
	}
	var up []*feed
	switch m.Kind {
	case "subscribe":
		c.confirmed++
		if c.confirmed > c.sent {
			l.mu.Unlock()
			return errLinkBroken
		}
		if c.live() {
			up = c.members
		}
	case "unsubscribe":
		c.leaving--
		if c.leaving == 0 && !c.wanted && len(c.members) == 0 {
			delete(l.channels, m.Channel)
		}
	}
	l.mu.Unlock()
	for _, f := range up {
		f.linkUp()
	}
	return nil
}

// write subscribes to the channels that have feeds and unsubscribes from those
// that have none.
func (l *link) write(ctx context.Context) {
	for {
		select {
		case <-l.wake:
		case <-ctx.Done():
			return
		}
		pubsub, subscribe, unsubscribe := l.due()
		if pubsub == nil {
			continue
		}
		if err := l.send(ctx, pubsub, subscribe, unsubscribe); err != nil {
			_ = pubsub.Close() // the reader fails and begins anew
		}
	}
}

func (l *link) send(ctx context.Context, pubsub *redis.PubSub, subscribe, unsubscribe []string) error {
	for batch := range slices.Chunk(subscribe, subscribeBatch) {
		if err := pubsub.Subscribe(ctx, batch...); err != nil {
			return err
		}
	}
	for batch := range slices.Chunk(unsubscribe, subscribeBatch) {
		if err := pubsub.Unsubscribe(ctx, batch...); err != nil {
			return err
		}
	}
	return nil
}

// due takes the dirty channels and says what is to be sent for them.
func (l *link) due() (pubsub *redis.PubSub, subscribe, unsubscribe []string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.pubsub == nil {
		return nil, nil, nil // they stay dirty: begin wakes the writer
	}
	for channel := range l.dirty {
		c := l.channels[channel]
		switch {
		case c == nil:
		case len(c.members) > 0 && !c.wanted:
			c.wanted = true
			c.sent++
			subscribe = append(subscribe, channel)
		case len(c.members) == 0 && c.wanted:
			c.wanted = false
			c.leaving++
			unsubscribe = append(unsubscribe, channel)
		case len(c.members) == 0 && c.leaving == 0:
			delete(l.channels, channel)
		}
	}
	clear(l.dirty)
	return l.pubsub, subscribe, unsubscribe
}

// pause waits; false if ctx is done.
func pause(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// jitter is a random time from d/2 to d, so that nodes that lost the same
// server don't come back as one.
func jitter(d time.Duration) time.Duration {
	return d/2 + rand.N(d/2+1) //nolint:gosec // G404: nothing secret
}
