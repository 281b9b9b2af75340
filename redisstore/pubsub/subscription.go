package redisstore

import (
	"context"
	"slices"

	"github.com/redis/go-redis/v9"
)

// subscribeBatch is how many channels one SUBSCRIBE names.
const subscribeBatch = 1000

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

// confirm notes what the server says of a channel. A confirmation that was not
// asked for means that the client library has made a new connection by itself,
// and that events are lost.
func (l *link) confirm(m *redis.Subscription) error {
	l.mu.Lock()
	if m.Channel == l.beat {
		again := l.greeted
		l.greeted = true
		l.mu.Unlock()
		if again {
			return errLinkBroken
		}
		l.store.pulse.listen()
		return nil
	}
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
	if l.greeting {
		l.greeting = false
		subscribe = append(subscribe, l.beat)
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
