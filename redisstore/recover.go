package redisstore

import (
	"context"

	"github.com/redis/go-redis/v9"
)

// recovered looks at all that is on servers that were away for a moment or have
// just become masters: they may have lost some of it.
func (s *Store) recovered(ctx context.Context, back map[*redis.Client]bool) {
	s.heart.unsettle()
	s.departAgain()
	signal(s.heart.kick)
	s.spawn(s.endAgain)
	for _, f := range s.link.all() {
		if server, err := s.servers.of(ctx, f.keys.keys[0]); err != nil || back[server] {
			f.requestSync()
		}
	}
}

const (
	// roundTime is how many beats it takes to look at every room, unless there are
	// so many that more than maxLooks would be due at a time.
	roundTime = 15
	maxLooks  = 200
)

// lookAround synchronizes some rooms, of a cluster, so that all have their turn.
// Servers of a cluster tell each other what is published over connections of their
// own, and what is under way on one that breaks is lost; a message is then missed
// when the next one comes, but everything else would be missed for good.
func (p *pulse) lookAround() {
	if !p.store.servers.spread() {
		return
	}
	if len(p.round) == 0 {
		p.round = p.store.link.all()
		p.looks = min(maxLooks, len(p.round)/roundTime+1)
	}
	due := min(len(p.round), p.looks)
	for _, f := range p.round[:due] {
		f.requestSync()
	}
	p.round = p.round[due:]
}
