package pubsub

import (
	"context"
	"errors"
	"strconv"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/ephemeralchat/caddy-ephemeral-chat/redisstore/client"
)

const (
	probeInterval = time.Second
	// probeTimeout is how long a probe may take to arrive.
	probeTimeout = 3 * time.Second
)

// ErrProbeTimeout means that the connection leads to a server that does not deliver
// what other servers publish.
var ErrProbeTimeout = errors.New("redisstore: a probe has not arrived")

// Probe is the result of one round of probes.
type Probe struct {
	// Masters are the servers that hold keys; nil if the lookup failed.
	Masters map[*redis.Client]bool
	// Returned are those that are back after a failure, or new, and may have lost data.
	Returned map[*redis.Client]bool
}

// probe publishes a message through every master each second, and expects it on the
// connection for events. A server that was cut off from its cluster, or that is no
// longer the master, answers every PING and delivers nothing; so a probe that does
// not arrive is treated as a lost connection.
//
// In a cluster the connection for events leads to another server than most keys, and
// stays up when a master was replaced or restarted, maybe without its memory. The
// probe keeps one connection per master to notice that.
type probe struct {
	// Fixed by New.
	servers client.Topology
	channel string

	// Owned by the goroutine of run. Nil until the masters are known; a nil
	// connection was lost.
	conns map[*redis.Client]*redis.Conn

	mu sync.Mutex
	// All below is guarded by mu.
	receiving bool // the connection for events is subscribed to channel
	last      uint64
	pending   map[string]*pendingProbe // published and not received, by payload
}

type pendingProbe struct {
	at   time.Time
	late bool // timedOut has counted it once
}

// runProbe probes while there are subscribers, until ctx is done.
func (c *Conn[S]) runProbe(ctx context.Context) {
	defer c.probe.closeConns()
	ticker := time.NewTicker(probeInterval)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		if c.Idle() {
			c.probe.closeConns()
			c.probe.conns = nil
			c.hooks.Probed(ctx, Probe{})
			continue
		}
		c.servers.CheckMaster(ctx)
		if c.probe.timedOut() {
			c.cut(ErrProbeTimeout)
		}
		c.hooks.Probed(ctx, c.probe.run(ctx))
	}
}

func (p *probe) closeConns() {
	for _, conn := range p.conns {
		if conn != nil {
			_ = conn.Close() // fails only if it is closed
		}
	}
}

// setReceiving notes whether probes arrive. It forgets the pending ones.
func (p *probe) setReceiving(receiving bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.receiving = receiving
	clear(p.pending)
}

// received notes the arrival of a probe, or that it will not arrive.
func (p *probe) received(payload string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.pending, payload)
}

// timedOut reports whether a probe is overdue at two calls in a row: if this process
// was asleep, the first one proves nothing.
func (p *probe) timedOut() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	overdue := false
	for _, pending := range p.pending {
		overdue = overdue || pending.late
		pending.late = time.Since(pending.at) > probeTimeout
	}
	return overdue
}

// next returns the payload of a new probe.
func (p *probe) next() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.last++
	payload := strconv.FormatUint(p.last, 10)
	if p.receiving {
		p.pending[payload] = &pendingProbe{at: time.Now()}
	}
	return payload
}

// run publishes a probe through every master.
func (p *probe) run(ctx context.Context) Probe {
	masters, err := p.servers.Masters(ctx)
	if err != nil {
		p.servers.NoteError(ctx, err)
		return Probe{}
	}
	first := p.conns == nil
	conns := make(map[*redis.Client]*redis.Conn)
	result := Probe{Masters: make(map[*redis.Client]bool), Returned: make(map[*redis.Client]bool)}
	var mu sync.Mutex
	var publishing sync.WaitGroup
	for _, server := range masters {
		conn := p.conns[server]
		delete(p.conns, server)
		// Ends with its call, which the client's timeouts bound.
		publishing.Go(func() {
			live, isNew := p.publish(ctx, server, conn)
			mu.Lock()
			defer mu.Unlock()
			conns[server], result.Masters[server] = live, true
			if isNew && !first {
				result.Returned[server] = true
			}
		})
	}
	publishing.Wait()
	p.closeConns() // those of servers that are masters no more
	p.conns = conns
	return result
}

// publish publishes a probe on a connection, or on a new one if that is nil. The
// connection is kept while the server is there: its failure shows that the server was
// not.
func (p *probe) publish(ctx context.Context, server *redis.Client, conn *redis.Conn) (live *redis.Conn, isNew bool) {
	if conn == nil {
		conn, isNew = server.Conn(), true
	}
	payload := p.next()
	command := redis.NewIntCmd(ctx, "publish", p.channel, payload)
	if err := conn.Process(ctx, command); err != nil {
		p.received(payload) // it will not arrive
		p.servers.NoteError(ctx, err)
		_ = conn.Close() // it has failed already
		return nil, false
	}
	return conn, isNew
}
