package ws

import "time"

// RoomStats are the state of a room that has connections, as its hub knows it.
type RoomStats struct {
	ID string
	// Connections are those to this hub, Online the users who are online anywhere.
	Connections, Online int
	// StartedAt and Deadline are zero until the room starts.
	StartedAt, Deadline time.Time
	// Seq is the number of the newest message.
	Seq uint64
}

// Rooms returns the rooms that have connections, in no order.
func (h *Hub) Rooms() []RoomStats {
	h.mu.Lock()
	rooms := make([]*liveRoom, 0, len(h.rooms))
	for _, lr := range h.rooms {
		rooms = append(rooms, lr)
	}
	h.mu.Unlock()
	all := make([]RoomStats, 0, len(rooms))
	for _, lr := range rooms {
		if stats, ok := lr.stats(); ok {
			all = append(all, stats)
		}
	}
	return all
}

// stats returns the state of the room, unless it is not open yet, or not any more.
func (lr *liveRoom) stats() (RoomStats, bool) {
	select {
	case <-lr.ready:
	default:
		return RoomStats{}, false
	}
	if lr.err != nil {
		return RoomStats{}, false
	}
	lr.mu.Lock()
	defer lr.mu.Unlock()
	return RoomStats{
		ID:          lr.room.ID,
		Connections: len(lr.conns),
		Online:      len(lr.online),
		StartedAt:   lr.room.StartedAt,
		Deadline:    lr.room.Deadline,
		Seq:         lr.room.Seq,
	}, !lr.ended
}
