package ws

import (
	"maps"
	"slices"
	"sync/atomic"
	"time"

	"github.com/ephemeralchat/caddy-ephemeral-chat/internal/apierror"
)

// Stats are the state of a hub, and its counters since it was made. The JSON names are
// those of the admin API.
type Stats struct {
	// Connections are open now, Rooms have connections now.
	Connections int `json:"connections"`
	Rooms       int `json:"rooms"`
	// Opened is how many connections were opened.
	Opened uint64 `json:"connections_opened"`
	// Messages is how many messages of this hub's connections were stored.
	Messages uint64 `json:"messages"`
	// Deliveries is how many times the fan-out queued a message for a connection;
	// messages of a welcome, a replay or the history do not count.
	Deliveries uint64 `json:"deliveries"`
	// Bytes were written to connections, before encryption.
	Bytes uint64 `json:"sent_bytes"`
	// Closed is how many connections have ended, by CloseReasons.
	Closed map[string]uint64 `json:"connections_closed"`
	// Refused is how many frames were answered with an error frame, by its code.
	Refused map[string]uint64 `json:"-"`
}

// counters are the counters of a hub. The fan-out adds to them once per flush, and not
// once per connection.
type counters struct {
	opened, messages, deliveries, bytes atomic.Uint64

	refused *apierror.Counter
}

// CloseReasons returns the reasons that Stats.Closed counts by.
func CloseReasons() []string {
	return slices.AppendSeq([]string{closedByClient, closedLost}, maps.Values(closeReasons))
}

// Stats returns the state of the hub.
func (h *Hub) Stats() Stats {
	h.mu.Lock()
	defer h.mu.Unlock()
	return Stats{
		Connections: len(h.conns),
		Rooms:       len(h.rooms),
		Opened:      h.counters.opened.Load(),
		Messages:    h.counters.messages.Load(),
		Deliveries:  h.counters.deliveries.Load(),
		Bytes:       h.counters.bytes.Load(),
		Closed:      maps.Clone(h.ends),
		Refused:     h.counters.refused.Counts(),
	}
}

// RoomStats are the state of a room with connections, as its hub knows it. The JSON
// names are those of the admin API.
type RoomStats struct {
	ID string `json:"id"`
	// Connections are those to this hub, Online the users online on any node.
	Connections int `json:"connections"`
	Online      int `json:"online"`
	// StartedAt and Deadline are zero until the room starts.
	StartedAt, Deadline time.Time `json:"-"`
	// Seq is the number of the newest message.
	Seq uint64 `json:"seq"`
}

// Rooms returns the rooms that have connections, in no order.
func (h *Hub) Rooms() []RoomStats {
	h.mu.Lock()
	rooms := slices.Collect(maps.Values(h.rooms))
	h.mu.Unlock()
	all := make([]RoomStats, 0, len(rooms))
	for _, hr := range rooms {
		if !hr.isReady() {
			continue
		}
		hr.mu.Lock()
		if !hr.ended {
			all = append(all, RoomStats{
				ID:          hr.state.ID,
				Connections: len(hr.conns),
				Online:      len(hr.online),
				StartedAt:   hr.state.StartedAt,
				Deadline:    hr.state.Deadline,
				Seq:         hr.state.Seq,
			})
		}
		hr.mu.Unlock()
	}
	return all
}
