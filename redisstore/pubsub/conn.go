// Package pubsub receives the events of all watched rooms over one connection, which it
// makes anew whenever it fails. It defines the events and knows nothing of the store.
package pubsub

import (
	"context"
	"errors"
	"net"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/ephemeralchat/caddy-ephemeral-chat/redisstore/client"
)

// silenceTimeout is how long the connection may be silent before it gets a PING, and
// then before it is closed.
const silenceTimeout = 3 * time.Second

// errBroken ends the use of a connection whose state is not the expected one.
var errBroken = errors.New("redisstore: the connection for events is in an unexpected state")

// Subscriber receives the events of one channel. Conn calls its methods one at a
// time, except Up, which Add may call as well. Conn holds no lock meanwhile.
type Subscriber interface {
	comparable
	// Received delivers a payload of the channel, in the order of publication.
	Received(payload string)
	// Up means that everything published from now on will be delivered.
	Up()
	// Down means that events may be lost from now on, until Up.
	Down()
}

// Hooks are called when the state of the connection or of the servers changes. All
// are required.
type Hooks struct {
	// Lost is called after each failure in a row, counted from 0. It pauses, and
	// returns false to give up.
	Lost func(ctx context.Context, err error, attempt int) (retry bool)
	// Restored is called when the connection works again after Lost.
	Restored func()
	// Probed is called after each probe, by one goroutine. Probe is empty while the
	// Conn is idle.
	Probed func(ctx context.Context, p Probe)
}

// Conn is the one connection on which a node receives the events of all rooms that it
// watches. It connects with the first subscriber.
//
// One goroutine (read) makes connections and reads them. Another one (write) sends
// SUBSCRIBE and UNSUBSCRIBE, so that Add and Remove don't wait for the network, and
// many of them share one command. A third one (runProbe) checks that events arrive.
type Conn[S Subscriber] struct {
	// Fixed by New.
	servers     client.Topology
	nodeChannel string // the channel of the probes
	hooks       Hooks
	probe       *probe
	demand      chan struct{} // holds a token when a subscriber was added
	wake        chan struct{} // holds a token when a channel is dirty

	mu sync.RWMutex
	// All below is guarded by mu.
	pubsub        *redis.PubSub // nil while there is no connection
	fault         error         // the argument of cut, until the reader takes it
	probeDirty    bool          // nodeChannel must be subscribed to
	probeReceives bool          // and the server has confirmed it
	channels      map[string]*subscription[S]
	dirty         map[string]struct{} // channels for the writer to check
}

// New returns a Conn that publishes its probes in nodeChannel. It does nothing before
// Run.
func New[S Subscriber](servers client.Topology, nodeChannel string, hooks Hooks) *Conn[S] {
	return &Conn[S]{
		servers:     servers,
		nodeChannel: nodeChannel,
		hooks:       hooks,
		probe:       &probe{servers: servers, channel: nodeChannel, pending: make(map[string]*pendingProbe)},
		demand:      make(chan struct{}, 1),
		wake:        make(chan struct{}, 1),
		channels:    make(map[string]*subscription[S]),
		dirty:       make(map[string]struct{}),
	}
}

// Run connects and delivers events until ctx is done.
func (c *Conn[S]) Run(ctx context.Context) {
	var work sync.WaitGroup
	// All end with ctx.
	work.Go(func() { c.read(ctx) })
	work.Go(func() { c.write(ctx) })
	work.Go(func() { c.runProbe(ctx) })
	<-ctx.Done()
	c.cut(nil)
	work.Wait()
}

// signal puts a token into a channel that holds at most one.
func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// cut closes the connection because of a fault that it does not show by itself. The
// reader makes a new one, unless its context is done.
func (c *Conn[S]) cut(fault error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.pubsub != nil {
		c.fault = fault
		_ = c.pubsub.Close() // fails only if it is closed
	}
}

// read keeps a connection while there are subscribers.
func (c *Conn[S]) read(ctx context.Context) {
	failures := 0
	for {
		for c.Idle() {
			select {
			case <-c.demand:
			case <-ctx.Done():
				return
			}
		}
		err := c.connect(ctx, func() {
			if failures > 0 {
				c.hooks.Restored()
			}
			failures = 0
		})
		if ctx.Err() != nil {
			return
		}
		c.servers.NoteError(ctx, err)
		if !c.hooks.Lost(ctx, err, failures) {
			return
		}
		failures++
	}
}

// connect makes a connection and reads it until it fails. It calls up when the first
// reply arrives.
func (c *Conn[S]) connect(ctx context.Context, up func()) error {
	server, err := c.servers.Subscriber(ctx)
	if err != nil {
		return err
	}
	pubsub := server.Subscribe(ctx) // connects with the first SUBSCRIBE
	if c.begin(ctx, pubsub) {
		err = c.receive(ctx, pubsub, up)
	}
	_ = pubsub.Close() // fails only if it is closed
	if fault := c.end(); fault != nil {
		err = fault
	}
	return err
}

// begin hands a new connection to the writer, which subscribes to all channels. It
// returns false if ctx is done: cut may have been called already.
func (c *Conn[S]) begin(ctx context.Context, pubsub *redis.PubSub) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if ctx.Err() != nil {
		return false
	}
	for channel, sub := range c.channels {
		if len(sub.members) == 0 {
			delete(c.channels, channel)
			continue
		}
		c.dirty[channel] = struct{}{}
	}
	c.pubsub, c.fault, c.probeDirty, c.probeReceives = pubsub, nil, true, false
	signal(c.wake)
	return true
}

// end calls Down on all subscribers. It returns the fault that the connection was cut
// for, if it was.
func (c *Conn[S]) end() (fault error) {
	c.probe.setReceiving(false)
	c.mu.Lock()
	c.pubsub, c.probeReceives = nil, false
	fault, c.fault = c.fault, nil
	for _, sub := range c.channels {
		sub.wanted, sub.pending = false, 0
	}
	c.mu.Unlock()
	for _, s := range c.Subscribers() {
		s.Down()
	}
	return fault
}

// receive reads a connection until it fails.
func (c *Conn[S]) receive(ctx context.Context, pubsub *redis.PubSub, up func()) error {
	pinged, isUp := false, false
	for {
		received, err := pubsub.ReceiveTimeout(ctx, silenceTimeout)
		var timeout net.Error
		switch {
		case err == nil:
			pinged = false
		case errors.As(err, &timeout) && timeout.Timeout() && !pinged && ctx.Err() == nil:
			pinged = true
			if err := pubsub.Ping(ctx); err != nil {
				return err
			}
			continue
		default:
			return err
		}
		if !isUp {
			isUp = true
			up()
		}
		switch m := received.(type) {
		case *redis.Message:
			if m.Channel == c.nodeChannel {
				c.probe.received(m.Payload)
			}
			for _, s := range c.SubscribersOf(m.Channel) {
				s.Received(m.Payload)
			}
		case *redis.Subscription:
			subscribers, err := c.confirm(m)
			if err != nil {
				return err
			}
			for _, s := range subscribers {
				s.Up()
			}
		}
	}
}
