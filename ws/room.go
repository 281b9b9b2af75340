package ws

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/ephemeralchat/caddy-ephemeral-chat/room"
)

// leaveGrace is how long a user whose last connection is gone has to come back
// before the others are told.
const leaveGrace = 3 * time.Second

// liveRoom is a room that has connections on this node.
type liveRoom struct {
	// Fixed.
	hub    *Hub
	id     string        // of its life, see room.InstanceID
	pace   time.Duration // least time between two passes over many connections
	ready  chan struct{} // closed when the fields below are set
	closed chan struct{} // closed when the room is no longer watched
	gone   chan struct{} // closed when the room has ended

	// Fixed once ready.
	err error
	key []byte
	// signedIn is room.Room.SignedIn, which never changes.
	signedIn bool
	feed     room.Feed
	// deserted means that err is only because the connection that was opening
	// the room has gone: another one that waits for it tries again.
	deserted bool

	// refs counts the connections and the users who are about to leave, and is
	// guarded by hub.mu.
	refs int

	inbox inbox
	pass  pass         // owned by the goroutine that drains the inbox
	size  atomic.Int32 // of conns

	mu        sync.Mutex
	room      room.Room        // Seq is the number of the last message that was fanned out
	retracted room.Retractions // of the messages that were fanned out or precede them
	ended     bool
	endReason room.EndReason        // once ended
	conns     []*conn               // who have been welcomed
	sessions  map[string][]*conn    // by the tag of the session
	users     map[string]*localUser // who have a connection here, or had one just now
	online    map[string]struct{}   // on all nodes
	counter   *time.Timer           // runs while an online frame is due
}

// localUser is a user who has connections on this node, or had until less than
// leaveGrace ago.
type localUser struct {
	conns   []*conn
	newest  uint64      // order of the newest connection
	entered bool        // the store may count the user as online
	removed bool        // the user's membership has ended
	leaving *time.Timer // runs while nobody is connected; holds a ref
}

func newLiveRoom(h *Hub, id string, pace time.Duration) *liveRoom {
	lr := &liveRoom{
		hub:      h,
		id:       id,
		pace:     pace,
		refs:     1,
		ready:    make(chan struct{}),
		closed:   make(chan struct{}),
		gone:     make(chan struct{}),
		sessions: make(map[string][]*conn),
		users:    make(map[string]*localUser),
		online:   make(map[string]struct{}),
	}
	lr.inbox.handle, lr.inbox.ending = lr.apply, make(chan struct{})
	return lr
}

// watch begins to follow the room. Events that come before the snapshot is in
// place wait in the inbox.
func (lr *liveRoom) watch(ctx context.Context) error {
	lr.inbox.hold()
	snapshot, feed, err := lr.hub.store.Watch(ctx, lr.id, lr.inbox.put)
	if err != nil {
		return err
	}
	lr.feed, lr.room, lr.retracted = feed, snapshot.Room, snapshot.Retracted
	lr.key, lr.signedIn = snapshot.Room.Key, snapshot.Room.SignedIn
	for _, userID := range snapshot.Online {
		lr.online[userID] = struct{}{}
	}
	lr.inbox.open()
	return nil
}

// close ends the watching. No connection is left.
func (lr *liveRoom) close() {
	if lr.feed != nil {
		lr.feed.Close()
	}
	lr.inbox.wait()
	lr.mu.Lock()
	if lr.counter != nil {
		lr.counter.Stop()
	}
	lr.mu.Unlock()
}

// reserve counts a connection among those of its user, before the store is told
// of it. It fails when the room has ended.
func (lr *liveRoom) reserve(c *conn) error {
	lr.mu.Lock()
	if lr.ended {
		lr.mu.Unlock()
		return room.ErrRoomNotFound
	}
	user := lr.users[c.userID]
	if user == nil {
		user = &localUser{}
		lr.users[c.userID] = user
	}
	user.conns = append(user.conns, c)
	// The number is given out under mu, and to a connection that joins now, not
	// to one that was opened: an Exit takes back every Enter with a lower one.
	c.order = lr.hub.orders.Add(1)
	user.newest = c.order
	lr.sessions[c.session.Tag] = append(lr.sessions[c.session.Tag], c)
	stayed := user.leaving != nil && user.leaving.Stop()
	user.leaving = nil
	lr.mu.Unlock()
	if stayed {
		lr.stopLeaving()
	}
	return nil
}

// entered notes what the store said when it was told of a connection. That the
// user is online need not wait for the event that says so: whoever is welcomed
// from now on is told.
func (lr *liveRoom) entered(c *conn, err error) {
	if err != nil && final(err) {
		return // nothing was changed
	}
	lr.now(func(p *pass) {
		if user := lr.users[c.userID]; user != nil {
			user.entered = true
		}
		if err == nil {
			lr.joined(p, c.userID)
		}
	})
}

// leave takes back reserve, and everything that came after it.
func (lr *liveRoom) leave(c *conn) {
	lr.mu.Lock()
	lr.detach(c)
	lr.sessions[c.session.Tag] = without(lr.sessions[c.session.Tag], c)
	if len(lr.sessions[c.session.Tag]) == 0 {
		delete(lr.sessions, c.session.Tag)
	}
	user := lr.users[c.userID]
	user.conns = without(user.conns, c)
	exit := false
	if len(user.conns) == 0 {
		switch {
		case lr.ended || !user.entered:
			delete(lr.users, c.userID)
		case user.removed:
			delete(lr.users, c.userID)
			exit = true
		default:
			lr.startLeaving(c.userID, user)
		}
	}
	lr.mu.Unlock()
	if exit {
		lr.exit(c.userID, user.newest)
	}
}

// startLeaving is called with mu held when a user's last connection has gone.
// The hold on the room is the caller's second one: the connection has not given
// up its own.
func (lr *liveRoom) startLeaving(userID string, user *localUser) {
	if !lr.hub.hold(lr) {
		delete(lr.users, userID) // the hub is closing: the store's end is the user's
		return
	}
	var timer *time.Timer
	timer = time.AfterFunc(leaveGrace, func() {
		defer lr.stopLeaving()
		lr.mu.Lock()
		if user.leaving != timer { // came back, or the hub is closing
			lr.mu.Unlock()
			return
		}
		user.leaving = nil
		delete(lr.users, userID)
		newest, ended := user.newest, lr.ended
		lr.mu.Unlock()
		if !ended {
			lr.exit(userID, newest)
		}
	})
	user.leaving = timer
}

// stopLeaving gives up what startLeaving holds.
func (lr *liveRoom) stopLeaving() {
	lr.hub.release(lr)
	lr.hub.running.Done()
}

// forgetLeaving stops the timers of all users who are about to leave.
func (lr *liveRoom) forgetLeaving() {
	stopped := 0
	lr.mu.Lock()
	for userID, user := range lr.users {
		if user.leaving == nil {
			continue
		}
		if user.leaving.Stop() {
			stopped++
		}
		user.leaving = nil
		delete(lr.users, userID)
	}
	lr.mu.Unlock()
	for range stopped {
		lr.stopLeaving()
	}
}

func (lr *liveRoom) exit(userID string, order uint64) {
	ctx, cancel := context.WithTimeout(context.Background(), storeTimeout)
	defer cancel()
	lr.feed.Exit(ctx, userID, order)
}

// attach puts a connection among those that are told what happens.
func (lr *liveRoom) attach(c *conn) {
	c.index = len(lr.conns)
	lr.conns = append(lr.conns, c)
	lr.size.Add(1)
}

func (lr *liveRoom) detach(c *conn) {
	if c.index < 0 {
		return
	}
	last := len(lr.conns) - 1
	moved := lr.conns[last]
	lr.conns[c.index] = moved
	moved.index = c.index
	lr.conns[last] = nil
	lr.conns = lr.conns[:last]
	lr.size.Add(-1)
	c.index = -1
}

func without(conns []*conn, c *conn) []*conn {
	for i, other := range conns {
		if other == c {
			return append(conns[:i], conns[i+1:]...)
		}
	}
	return conns
}
