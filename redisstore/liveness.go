package redisstore

import (
	"context"
	"maps"
	"slices"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/ephemeralchat/caddy-ephemeral-chat/redisstore/client"
)

const (
	// leaseInterval is how often a node renews its lease, and leaseTTL how long a lease
	// is valid.
	leaseInterval = 5 * time.Second
	leaseTTL      = 15 * time.Second
	// peerInterval is how often a node checks the leases of its peers.
	peerInterval = time.Second
	// closingTTL is how long the lease of a closed node is valid: meanwhile its users
	// can reconnect through other nodes.
	closingTTL = 3 * time.Second
	// stableAfter is how long after an outage a missing lease proves nothing.
	stableAfter = 2 * leaseInterval
	// deadChecks is the number of checks in a row without a lease that make a peer dead.
	deadChecks = 2
)

// peer is another node, which users of watched rooms are online through.
type peer struct {
	feeds  int // that it occurs in
	missed int // checks in a row without a lease
}

// markUnstable notes an outage.
func (p *presence) markUnstable() { p.stableAt.Store(int64(p.store.clock.Local() + stableAfter)) }

// renewalDue reports whether the last renewal is so long ago.
func (p *presence) renewalDue(after time.Duration) bool {
	last := p.renewedAt.Load()
	return last == 0 || int64(p.store.clock.Local())-last >= int64(after)
}

// shortenLease lets the lease end soon. It is called after the end of keepAlive.
func (p *presence) shortenLease() {
	if p.renewedAt.Load() == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	// If this fails the lease ends by itself, only later.
	key := p.store.keys.Lease(p.store.node)
	_ = client.Send(ctx, p.store.topology, key, redis.NewStatusCmd(ctx, "set", key, 1, "ex", int(closingTTL/time.Second), "xx"))
}

// withoutLease returns which of the nodes have no lease, so that they must be dead: none
// until Redis has been available long enough for every living node to renew its lease.
func (p *presence) withoutLease(ctx context.Context, nodes []string) (map[string]bool, error) {
	if len(nodes) == 0 || int64(p.store.clock.Local()) <= p.stableAt.Load() {
		return nil, nil
	}
	exist, commands := make([]*redis.IntCmd, len(nodes)), make([]redis.Cmder, len(nodes))
	for i, node := range nodes {
		exist[i] = redis.NewIntCmd(ctx, "exists", p.store.keys.Lease(node))
		commands[i] = exist[i]
	}
	p.store.topology.Pipeline(ctx, commands...)
	without := make(map[string]bool)
	for i, command := range exist {
		if err := command.Err(); err != nil {
			p.store.topology.NoteError(ctx, err)
			return nil, client.Unavailable("leases", err)
		}
		without[nodes[i]] = command.Val() == 0
	}
	return without, nil
}

// addPeer notes that a node occurs in one more feed, and removePeer in one less.
func (p *presence) addPeer(node string) {
	if node == p.store.node {
		return
	}
	p.peersMu.Lock()
	defer p.peersMu.Unlock()
	if p.peers[node] == nil {
		p.peers[node] = &peer{}
	}
	p.peers[node].feeds++
}

func (p *presence) removePeer(node string) {
	p.peersMu.Lock()
	defer p.peersMu.Unlock()
	if other := p.peers[node]; other != nil {
		if other.feeds--; other.feeds <= 0 {
			delete(p.peers, node)
		}
	}
}

// deadPeers checks the leases of all peers, and returns those that are dead.
func (p *presence) deadPeers(ctx context.Context) (dead []string, err error) {
	p.peersMu.Lock()
	peers := slices.Collect(maps.Keys(p.peers))
	p.peersMu.Unlock()
	without, err := p.withoutLease(ctx, peers)
	if err != nil {
		return nil, err
	}
	p.peersMu.Lock()
	defer p.peersMu.Unlock()
	for node, missing := range without {
		switch other := p.peers[node]; {
		case other == nil:
		case !missing:
			other.missed = 0
		default:
			if other.missed++; other.missed >= deadChecks {
				dead = append(dead, node)
			}
		}
	}
	return dead, nil
}

// keepAlive renews the lease, checks the peers and reconciles dirty presence, until ctx
// is done.
func (s *Store) keepAlive(ctx context.Context) {
	ticker := time.NewTicker(peerInterval)
	defer ticker.Stop()
	for {
		now := false
		select {
		case <-ctx.Done():
			return
		case <-s.presence.renewNow:
			now = true
		case <-ticker.C:
		}
		if err := s.checkLiveness(ctx, now); err != nil {
			s.presence.markUnstable()
		}
	}
}

func (s *Store) checkLiveness(ctx context.Context, now bool) error {
	if s.conn.Idle() {
		s.presence.renewedAt.Store(0)
		return s.presence.reconcile(ctx)
	}
	if now || s.presence.renewalDue(leaseInterval) {
		if err := s.renewLease(ctx); err != nil {
			return err
		}
	}
	dead, err := s.presence.deadPeers(ctx)
	if err != nil {
		return err
	}
	for _, node := range dead {
		for _, f := range s.conn.Subscribers() {
			if err := f.expirePeer(ctx, node); err != nil {
				return err
			}
		}
	}
	return s.presence.reconcile(ctx)
}

// renewLease renews the lease. It resyncs all rooms if the lease did not exist any more:
// Redis has lost data, or other nodes have taken this one for dead.
func (s *Store) renewLease(ctx context.Context) error {
	before := s.presence.renewedAt.Load()
	known, err := s.scripts.RenewLease(ctx, s.keys.Lease(s.node), int(leaseTTL/time.Second))
	if err != nil {
		return err
	}
	s.presence.renewedAt.Store(int64(s.clock.Local()))
	if before != 0 && !known {
		s.presence.markUnstable()
		for _, f := range s.conn.Subscribers() {
			f.requestResync()
		}
	}
	return nil
}

// expirePeer ends the presence of all users through a dead node, for all nodes.
func (f *feed) expirePeer(ctx context.Context, node string) error {
	f.mu.Lock()
	entries := f.online.list(node)
	f.mu.Unlock()
	if len(entries) == 0 {
		return nil
	}
	if err := f.store.scripts.Exit(ctx, f.keys, entries...); err != nil {
		return err
	}
	// If another node was first, or Redis never had the entries, no event may come, or it
	// came before this feed received events.
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.over || !f.live {
		return nil
	}
	for _, e := range entries {
		f.setOnline(e, false)
	}
	return nil
}
