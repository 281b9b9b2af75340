package redisstore

import (
	"context"
	"errors"
	"strconv"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"
)

const (
	// pulseEvery is how often a node listens for itself.
	pulseEvery = time.Second
	// deafAfter is how long a beat may be on its way.
	deafAfter = 3 * time.Second
)

// errDeaf means that the link is connected to a server that does not hear what is
// published on another one.
var errDeaf = errors.New("redisstore: the connection for events is deaf")

// pulse publishes a beat through every server, each second while there are feeds,
// and expects to hear it on the link. What is not heard is as good as a lost
// connection: a server that has been cut off from its cluster, or that is not the
// master any more, answers every PING and tells nothing.
//
// On a cluster it also notices what the link does not, because that is connected
// to another server: that a master was replaced or has lost its connections, and
// maybe its memory. Then the rooms there are synchronized. And because servers of a
// cluster tell each other without certainty, every room is synchronized once in a
// while.
type pulse struct {
	store *Store

	// Owned by run. The map of connections is nil until the masters are known.
	conns map[*redis.Client]*redis.Conn // a nil connection is one that was lost
	round []*feed                       // still to be looked at
	looks int                           // how many of them at a time

	mu sync.Mutex
	// All below is guarded by mu.
	on      bool // the link is there
	number  uint64
	awaited map[string]*beat
}

// beat is one that has been published and not yet heard.
type beat struct {
	at   time.Duration // local time
	late bool          // it was missed once
}

func newPulse(s *Store) *pulse { return &pulse{store: s, awaited: make(map[string]*beat)} }

// run ends with ctx.
func (p *pulse) run(ctx context.Context) {
	defer p.release()
	ticker := time.NewTicker(pulseEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		if p.store.link.idle() {
			p.release()
			p.conns, p.round = nil, nil
			continue
		}
		p.store.servers.review(ctx)
		if p.missing() {
			p.store.link.cut(errDeaf)
		}
		p.beat(ctx)
		p.lookAround()
	}
}

// release gives the connections back.
func (p *pulse) release() {
	for _, conn := range p.conns {
		if conn != nil {
			_ = conn.Close() // fails only if it is closed
		}
	}
}

// listen and pause say that the link is there and that it is not.
func (p *pulse) listen() { p.set(true) }

func (p *pulse) pause() { p.set(false) }

func (p *pulse) set(on bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.on = on
	clear(p.awaited)
}

// hear takes what came in the node's channel.
func (p *pulse) hear(payload string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.awaited, payload)
}

// missing reports whether some beat should have been heard long ago. It must have
// been missed twice: if this process was asleep, the first time says nothing.
func (p *pulse) missing() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	now, missing := p.store.clock.local(), false
	for _, b := range p.awaited {
		missing = missing || b.late
		b.late = now-b.at > deafAfter
	}
	return missing
}

// next makes the payload of a beat.
func (p *pulse) next() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.number++
	payload := strconv.FormatUint(p.number, 10)
	if p.on {
		p.awaited[payload] = &beat{at: p.store.clock.local()}
	}
	return payload
}

// beat publishes through every server, and has those looked at that are there
// again, or anew.
func (p *pulse) beat(ctx context.Context) {
	masters, err := p.store.servers.masters(ctx)
	if err != nil {
		p.store.servers.failed(ctx, err)
		return
	}
	first := p.conns == nil
	conns, back := make(map[*redis.Client]*redis.Conn), make(map[*redis.Client]bool)
	var mu sync.Mutex
	var publishing sync.WaitGroup
	for _, server := range masters {
		conn := p.conns[server]
		delete(p.conns, server)
		// Ends with its call, which the time-outs of the client bound.
		publishing.Go(func() {
			live, isNew := p.publish(ctx, server, conn)
			mu.Lock()
			defer mu.Unlock()
			conns[server] = live
			if isNew {
				back[server] = true
			}
		})
	}
	publishing.Wait()
	p.release() // those of servers that are no masters any more
	p.conns = conns
	if p.store.servers.spread() && !first && len(back) > 0 {
		p.store.recovered(ctx, back)
	}
	keep := make(map[*redis.Client]bool)
	for server := range conns {
		keep[server] = true
	}
	p.store.posts.keep(keep)
}

// publish publishes a beat on a connection, or, where there is none, on a new one.
// A connection is kept for as long as the server is there; that it fails shows that
// the server was not.
func (p *pulse) publish(ctx context.Context, server *redis.Client, conn *redis.Conn) (live *redis.Conn, isNew bool) {
	if conn == nil {
		conn, isNew = server.Conn(), true
	}
	payload := p.next()
	command := redis.NewIntCmd(ctx, "publish", p.store.link.beat, payload)
	if err := conn.Process(ctx, command); err != nil {
		p.hear(payload) // it will not be
		p.store.servers.failed(ctx, err)
		_ = conn.Close() // it has failed already
		return nil, false
	}
	return conn, isNew
}
