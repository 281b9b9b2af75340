package ws

import (
	"time"

	"github.com/ephemeralchat/caddy-ephemeral-chat/room"
)

// Observer is told what happens to rooms that nobody asks for by a call. Methods
// must not block; each may be called by any goroutine.
type Observer interface {
	// RoomStarted says that a message of a user who is connected to this hub has
	// started the room, which lives for ttl. Of all hubs that share a store, one
	// says so.
	RoomStarted(roomID, userID string, ttl time.Duration)
	// RoomExpired says that the time of a room is over that has connections on
	// this hub.
	RoomExpired(roomID string)
}

// Observe sets who is told. It must be called before the hub serves.
func (h *Hub) Observe(o Observer) { h.observer = o }

// observeStart tells that a message of a connection has started its room.
func (c *conn) observeStart() {
	if c.hub.observer == nil {
		return
	}
	c.room.mu.Lock()
	roomID, ttl := c.room.room.ID, c.room.room.TTL
	c.room.mu.Unlock()
	c.hub.observer.RoomStarted(roomID, c.userID, ttl)
}

// observeEnd tells that the room has ended, when it has by itself. Who deletes a
// room knows.
func (lr *liveRoom) observeEnd() {
	if lr.hub.observer == nil {
		return
	}
	lr.mu.Lock()
	roomID, expired := lr.room.ID, lr.endReason == room.EndExpired
	lr.mu.Unlock()
	if expired {
		lr.hub.observer.RoomExpired(roomID)
	}
}
