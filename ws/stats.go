package ws

import (
	"sync/atomic"

	"github.com/gorilla/websocket"

	"github.com/ephemeralchat/caddy-ephemeral-chat/internal/apierror"
)

// Stats are the state of a hub, and what it has counted since it was made.
type Stats struct {
	// Connections are open now, Rooms have connections now.
	Connections, Rooms int
	// Opened is how many connections there were.
	Opened uint64
	// Messages is how many messages of this hub's connections were stored.
	Messages uint64
	// Deliveries is how many times a message was queued for a connection as it was
	// said; what connections are given of the past does not count.
	Deliveries uint64
	// Bytes were written to connections, before encryption.
	Bytes uint64
	// Closed is how many connections have ended, by CloseReasons.
	Closed map[string]uint64
	// Refused is how many frames were answered with an error frame, by its code.
	Refused map[string]uint64
}

// counters are what a hub counts. The fan-out adds to them once for each pass over
// the connections, and not for each of them.
type counters struct {
	opened, messages, deliveries, bytes atomic.Uint64

	refused *apierror.Counter
	closed  map[string]*atomic.Uint64 // by CloseReasons; fixed
}

func newCounters() *counters {
	n := &counters{refused: apierror.NewCounter(), closed: make(map[string]*atomic.Uint64)}
	for _, reason := range CloseReasons() {
		n.closed[reason] = new(atomic.Uint64)
	}
	return n
}

// Stats returns the state of the hub.
func (h *Hub) Stats() Stats {
	n := h.counters
	stats := Stats{
		Opened:     n.opened.Load(),
		Messages:   n.messages.Load(),
		Deliveries: n.deliveries.Load(),
		Bytes:      n.bytes.Load(),
		Closed:     make(map[string]uint64, len(n.closed)),
		Refused:    n.refused.Counts(),
	}
	for reason, count := range n.closed {
		stats.Closed[reason] = count.Load()
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	stats.Connections, stats.Rooms = len(h.conns), len(h.rooms)
	return stats
}

// Why connections end that are not closed by this side.
const (
	// closedByClient: the client has sent a close frame.
	closedByClient = "client"
	// closedLost: the client has gone without one, does not answer pings, or does
	// not take what it is sent.
	closedLost = "lost"
)

// closeReasons names the codes that this side closes connections with.
var closeReasons = map[int]string{
	websocket.CloseGoingAway:               "going_away",
	websocket.CloseProtocolError:           "protocol_error",
	websocket.CloseInvalidFramePayloadData: "invalid_utf8",
	websocket.CloseMessageTooBig:           "frame_too_large",
	websocket.CloseInternalServerErr:       "internal_error",
	websocket.CloseTryAgainLater:           "unavailable",
	4400:                                   "bad_frame",
	4401:                                   "invalid_session",
	4403:                                   "removed",
	4404:                                   "room_not_found",
	4408:                                   "join_timeout",
	4409:                                   "replaced",
	4410:                                   "room_ended",
	4413:                                   "room_full",
	4429:                                   "too_fast",
	4503:                                   "too_slow",
}

// CloseReasons returns all reasons by which the ends of connections are counted.
func CloseReasons() []string {
	reasons := []string{closedByClient, closedLost}
	for _, reason := range closeReasons {
		reasons = append(reasons, reason)
	}
	return reasons
}

// noteClosed counts the end of a connection that was open.
func (n *counters) noteClosed(reason string) {
	if count := n.closed[reason]; count != nil {
		count.Add(1)
	}
}
