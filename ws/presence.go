package ws

import (
	"context"
	"time"
)

const (
	// leaveGrace is the time for a user to reconnect before the others learn that the
	// user has left.
	leaveGrace = 3 * time.Second
	// maxNamed is how many users may be online before a room is large. To announce
	// each user of a large room to all others would cost the square of their number:
	// its clients receive the number of users instead, once per countInterval.
	maxNamed      = 100
	countInterval = time.Second
)

// localUser is a user with connections on this node, now or within the last
// leaveGrace.
type localUser struct {
	conns   []*conn
	newest  uint64      // order of the newest connection
	entered bool        // the store may count the user as online
	removed bool        // the user's membership has ended
	leaving *time.Timer // runs during the leaveGrace, and holds a reference
}

// confirmEnter records the result of Feed.Enter for a connection. The user is online
// before the event arrives, so that every later welcome counts the user.
func (hr *hubRoom) confirmEnter(c *conn, err error) {
	if err != nil && isFinal(err) {
		return // the store has changed nothing
	}
	hr.update(func(b *flushBatch) {
		if user := hr.users[c.userID]; user != nil {
			user.entered = true
		}
		if err == nil {
			hr.userJoined(b, c.userID)
		}
	})
}

// startLeaving begins the leaveGrace of a user whose last connection has ended. mu is
// held, and the ended connection still has its reference to the room.
func (hr *hubRoom) startLeaving(userID string, user *localUser) {
	if !hr.hub.retain(hr) {
		delete(hr.users, userID) // the hub is closing: closing the store ends presence
		return
	}
	var timer *time.Timer
	timer = time.AfterFunc(leaveGrace, func() {
		defer hr.releaseLeaving()
		hr.mu.Lock()
		if user.leaving != timer { // the user is back, or the hub is closing
			hr.mu.Unlock()
			return
		}
		user.leaving = nil
		delete(hr.users, userID)
		newest, ended := user.newest, hr.ended
		hr.mu.Unlock()
		if !ended {
			hr.exit(userID, newest)
		}
	})
	user.leaving = timer
}

// releaseLeaving gives back the reference that startLeaving took.
func (hr *hubRoom) releaseLeaving() {
	hr.hub.release(hr)
	hr.hub.running.Done()
}

// stopLeaveTimers ends the leaveGrace of every user, because the hub is closing.
func (hr *hubRoom) stopLeaveTimers() {
	stopped := 0
	hr.mu.Lock()
	for userID, user := range hr.users {
		if user.leaving == nil {
			continue
		}
		if user.leaving.Stop() {
			stopped++
		}
		user.leaving = nil
		delete(hr.users, userID)
	}
	hr.mu.Unlock()
	for range stopped {
		hr.releaseLeaving()
	}
}

// exit reports to the store that a user has no connection on this node any more.
func (hr *hubRoom) exit(userID string, order uint64) {
	ctx, cancel := context.WithTimeout(context.Background(), storeTimeout)
	defer cancel()
	hr.feed.Exit(ctx, userID, order)
}

// large reports whether the room has too many users to name each. mu is held.
func (hr *hubRoom) large() bool { return len(hr.online) > maxNamed }

// isLarge is large without mu.
func (hr *hubRoom) isLarge() bool {
	hr.mu.Lock()
	defer hr.mu.Unlock()
	return hr.large()
}

// userJoined adds a user to those online and announces it, unless it is online
// already. mu is held.
func (hr *hubRoom) userJoined(b *flushBatch, userID string) {
	if _, ok := hr.online[userID]; !ok {
		hr.online[userID] = struct{}{}
		hr.announce(b, "joined", userID)
	}
}

// announce broadcasts a joined or left frame; in a large room it schedules an online
// frame instead. mu is held.
func (hr *hubRoom) announce(b *flushBatch, frameType, userID string) {
	if !hr.large() {
		hr.broadcast(b, userFrame{frameType, userID}, userID)
		return
	}
	if hr.countdown == nil {
		// The timer fires once; close stops it.
		hr.countdown = time.AfterFunc(countInterval, hr.broadcastCount)
	}
}

// broadcastCount sends the number of users online to all connections.
func (hr *hubRoom) broadcastCount() {
	hr.update(func(b *flushBatch) {
		hr.countdown = nil
		hr.broadcast(b, onlineFrame{"online", len(hr.online)}, "")
	})
}
