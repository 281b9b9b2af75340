package ws

import (
	"context"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/ephemeralchat/caddy-ephemeral-chat/room"
)

// hubRoom is a room with connections on this node: one instance of it, see
// room.InstanceID.
type hubRoom struct {
	// Fixed.
	hub           *Hub
	id            string        // of the instance
	roomID        string        // the same, unless the room is declared
	flushInterval time.Duration // see Settings
	ready         chan struct{} // closed when the next fields are set
	closed        chan struct{} // closed when the hub no longer watches the room
	gone          chan struct{} // closed when the room has ended

	// Fixed once ready.
	err      error
	key      []byte
	signedIn bool // room.Room.SignedIn, which never changes
	ttl      time.Duration
	feed     room.Feed
	// abandoned means that err is set only because the connection that opened the
	// room has gone. A connection that waits for the room tries again.
	abandoned bool

	// refs counts the connections and the users in their leaveGrace. hub.mu guards it.
	refs int

	queue eventQueue
	batch flushBatch   // owned by the goroutine that drains queue
	size  atomic.Int32 // len(conns)

	mu        sync.Mutex
	state     room.Room        // Seq is the number of the last message that was fanned out
	retracted room.Retractions // of the messages that were fanned out or precede them
	ended     bool
	endReason room.EndReason        // once ended
	conns     []*conn               // those that have been welcomed
	sessions  map[string][]*conn    // by the tag of the session
	users     map[string]*localUser // users of this node
	online    map[string]struct{}   // users online on any node
	countdown *time.Timer           // runs while an online frame is due
}

func newHubRoom(h *Hub, id string, flushInterval time.Duration) *hubRoom {
	roomID, _ := room.SplitInstanceID(id)
	hr := &hubRoom{
		hub:           h,
		id:            id,
		roomID:        roomID,
		flushInterval: flushInterval,
		refs:          1,
		ready:         make(chan struct{}),
		closed:        make(chan struct{}),
		gone:          make(chan struct{}),
		sessions:      make(map[string][]*conn),
		users:         make(map[string]*localUser),
		online:        make(map[string]struct{}),
	}
	hr.queue.handle, hr.queue.held, hr.queue.closing = hr.apply, true, make(chan struct{})
	return hr
}

// watch starts to follow the room. Events that arrive before the snapshot is in
// place wait in the queue.
func (hr *hubRoom) watch(ctx context.Context) error {
	snapshot, feed, err := hr.hub.store.Watch(ctx, hr.id, hr.queue.put)
	if err != nil {
		return err
	}
	hr.feed, hr.state, hr.retracted = feed, snapshot.Room, snapshot.Retracted
	hr.key, hr.signedIn, hr.ttl = snapshot.Room.Key, snapshot.Room.SignedIn, snapshot.Room.TTL
	for _, userID := range snapshot.Online {
		hr.online[userID] = struct{}{}
	}
	hr.queue.open()
	return nil
}

// isReady reports whether the room has been opened without an error.
func (hr *hubRoom) isReady() bool {
	select {
	case <-hr.ready:
		return hr.err == nil
	default:
		return false
	}
}

// close stops following the room. No connection is left.
func (hr *hubRoom) close() {
	if hr.feed != nil {
		hr.feed.Close()
	}
	hr.queue.close()
	hr.mu.Lock()
	defer hr.mu.Unlock()
	if hr.countdown != nil {
		hr.countdown.Stop()
	}
}

// register adds a connection to those of its user, before the store learns of it.
// It fails if the room has ended.
func (hr *hubRoom) register(c *conn) error {
	hr.mu.Lock()
	if hr.ended {
		hr.mu.Unlock()
		return room.ErrRoomNotFound
	}
	user := hr.users[c.userID]
	if user == nil {
		user = &localUser{}
		hr.users[c.userID] = user
	}
	user.conns = append(user.conns, c)
	// The number is taken under mu and when a connection joins, not when it opens:
	// an Exit undoes every Enter with a lower number.
	c.order = hr.hub.orders.Add(1)
	user.newest = c.order
	hr.sessions[c.session.Tag] = append(hr.sessions[c.session.Tag], c)
	returned := user.leaving != nil && user.leaving.Stop()
	user.leaving = nil
	hr.mu.Unlock()
	if returned {
		hr.releaseLeaving()
	}
	return nil
}

// unregister undoes register and every step that followed it.
func (hr *hubRoom) unregister(c *conn) {
	hr.mu.Lock()
	hr.detach(c)
	hr.sessions[c.session.Tag] = without(hr.sessions[c.session.Tag], c)
	if len(hr.sessions[c.session.Tag]) == 0 {
		delete(hr.sessions, c.session.Tag)
	}
	user := hr.users[c.userID]
	user.conns = without(user.conns, c)
	exit := false
	if len(user.conns) == 0 {
		if hr.ended || !user.entered || user.removed {
			delete(hr.users, c.userID)
			exit = user.entered && !hr.ended
		} else {
			hr.startLeaving(c.userID, user)
		}
	}
	hr.mu.Unlock()
	if exit {
		hr.exit(c.userID, user.newest)
	}
}

// attach adds a connection to the fan-out. mu is held.
func (hr *hubRoom) attach(c *conn) {
	c.index = len(hr.conns)
	hr.conns = append(hr.conns, c)
	hr.size.Add(1)
}

// detach removes a connection from the fan-out. mu is held.
func (hr *hubRoom) detach(c *conn) {
	if c.index < 0 {
		return
	}
	last := len(hr.conns) - 1
	moved := hr.conns[last]
	hr.conns[c.index] = moved
	moved.index = c.index
	hr.conns[last] = nil
	hr.conns = hr.conns[:last]
	hr.size.Add(-1)
	c.index = -1
}

func without(conns []*conn, c *conn) []*conn {
	return slices.DeleteFunc(conns, func(other *conn) bool { return other == c })
}
