package redisstore

import (
	"sync/atomic"

	"github.com/ephemeralchat/caddy-ephemeral-chat/room"
)

// counters are what a store counts of its connection for events.
type counters struct {
	down              atomic.Bool // from a loss until the connection is back
	lost, syncs, gaps atomic.Uint64
}

// LinkStats implements room.PubSub.
func (s *Store) PubSubStats() room.PubSubStats {
	n := &s.counters
	return room.PubSubStats{
		// With nothing to hear, nobody tries to make the connection.
		Up:    !n.down.Load() || s.link.idle(),
		Lost:  n.lost.Load(),
		Syncs: n.syncs.Load(),
		Gaps:  n.gaps.Load(),
	}
}

// Interface guard.
var _ room.PubSub = (*Store)(nil)
