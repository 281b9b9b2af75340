package pubsub

import (
	"context"
	"slices"

	"github.com/redis/go-redis/v9"
)

// subscribeBatch is the maximum number of channels in one SUBSCRIBE.
const subscribeBatch = 1000

// subscription is the state of one channel on the current connection.
type subscription[S Subscriber] struct {
	members []S // replaced, never changed
	// wanted means that the last command sent is SUBSCRIBE, not UNSUBSCRIBE.
	wanted bool
	// pending counts the commands without confirmation. Events are certain to arrive
	// when the channel is wanted and none is pending.
	pending int
}

func (s *subscription[S]) live() bool { return s.wanted && s.pending == 0 }

// unused reports whether the channel can be forgotten.
func (s *subscription[S]) unused() bool { return len(s.members) == 0 && !s.wanted && s.pending == 0 }

// SubscribersOf returns the subscribers of a channel. The slice must not be changed.
func (c *Conn[S]) SubscribersOf(channel string) []S {
	c.mu.RLock()
	defer c.mu.RUnlock()
	if sub := c.channels[channel]; sub != nil {
		return sub.members
	}
	return nil
}

// Subscribers returns all subscribers.
func (c *Conn[S]) Subscribers() []S {
	c.mu.RLock()
	defer c.mu.RUnlock()
	var all []S
	for _, sub := range c.channels {
		all = append(all, sub.members...)
	}
	return all
}

// Idle reports whether there are no subscribers.
func (c *Conn[S]) Idle() bool {
	c.mu.RLock()
	defer c.mu.RUnlock()
	for _, sub := range c.channels {
		if len(sub.members) > 0 {
			return false
		}
	}
	return true
}

// Add subscribes to a channel. Events are delivered from the call of s.Up on.
func (c *Conn[S]) Add(channel string, s S) {
	c.mu.Lock()
	sub := c.channels[channel]
	if sub == nil {
		sub = &subscription[S]{}
		c.channels[channel] = sub
	}
	sub.members = append(slices.Clip(sub.members), s)
	live := sub.live()
	if !live {
		c.dirty[channel] = struct{}{}
	}
	c.mu.Unlock()
	if live {
		s.Up()
		return
	}
	signal(c.demand)
	signal(c.wake)
}

// Remove undoes Add. It reports whether that was the last subscriber of the channel.
func (c *Conn[S]) Remove(channel string, s S) (last bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	sub := c.channels[channel]
	if sub == nil {
		return true
	}
	sub.members = slices.DeleteFunc(slices.Clone(sub.members), func(member S) bool { return member == s })
	if len(sub.members) > 0 {
		return false
	}
	c.dirty[channel] = struct{}{}
	signal(c.wake)
	return true
}

// confirm counts a confirmation of the server. It returns the subscribers that get all
// events from now on. A confirmation that no command has asked for means that the library
// has reconnected by itself and events are lost.
func (c *Conn[S]) confirm(m *redis.Subscription) (up []S, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if m.Channel == c.nodeChannel {
		if c.probeReceives {
			return nil, errBroken
		}
		c.probeReceives = true
		c.probe.setReceiving(true)
		return nil, nil
	}
	sub := c.channels[m.Channel]
	if sub == nil || sub.pending == 0 {
		return nil, errBroken
	}
	sub.pending--
	if sub.unused() {
		delete(c.channels, m.Channel)
	}
	if sub.live() {
		return sub.members, nil
	}
	return nil, nil
}

// write subscribes to channels with subscribers and unsubscribes from those without.
func (c *Conn[S]) write(ctx context.Context) {
	for {
		select {
		case <-c.wake:
		case <-ctx.Done():
			return
		}
		pubsub, subscribe, unsubscribe := c.due()
		if pubsub == nil {
			continue
		}
		if err := send(ctx, pubsub, subscribe, unsubscribe); err != nil {
			_ = pubsub.Close() // the reader fails and reconnects
		}
	}
}

func send(ctx context.Context, pubsub *redis.PubSub, subscribe, unsubscribe []string) error {
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

// due returns the commands for the dirty channels, and counts them as sent.
func (c *Conn[S]) due() (pubsub *redis.PubSub, subscribe, unsubscribe []string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.pubsub == nil {
		return nil, nil, nil // they stay dirty: begin wakes the writer
	}
	if c.probeDirty {
		c.probeDirty = false
		subscribe = append(subscribe, c.nodeChannel)
	}
	for channel := range c.dirty {
		sub := c.channels[channel]
		switch {
		case sub == nil:
		case len(sub.members) > 0 && !sub.wanted:
			sub.wanted = true
			sub.pending++
			subscribe = append(subscribe, channel)
		case len(sub.members) == 0 && sub.wanted:
			sub.wanted = false
			sub.pending++
			unsubscribe = append(unsubscribe, channel)
		case sub.unused():
			delete(c.channels, channel)
		}
	}
	clear(c.dirty)
	return c.pubsub, subscribe, unsubscribe
}
