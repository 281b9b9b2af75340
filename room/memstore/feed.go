package memstore

import (
	"context"
	"slices"

	"github.com/ephemeralchat/caddy-ephemeral-chat/room"
)

// feed is one watch of a room. Each counts as a node of its own.
type feed struct {
	room    *liveRoom        // fixed after construction
	watcher func(room.Event) // called with room.mu held

	// Guarded by room.mu.
	closed  bool
	present map[string]uint64 // newest Presence.Order of each user who is here
	exited  map[string]uint64 // highest order that Exit was called with
}

// Enter implements room.Feed.
func (f *feed) Enter(_ context.Context, p room.Presence, maxOnline int) (lastID uint64, err error) {
	l := f.room
	if _, err := l.lock(); err != nil {
		return 0, err
	}
	defer l.mu.Unlock()
	if f.closed {
		return 0, errClosed
	}
	if err := l.memberships[p.UserID].Err(); err != nil {
		return 0, err
	}
	lastID = l.sent[p.Session]
	if p.Order <= f.exited[p.UserID] {
		return lastID, nil // the connection has gone before we heard of it
	}
	if l.online[p.UserID] == 0 && len(l.online) >= maxOnline {
		return 0, room.ErrRoomFull
	}
	order, here := f.present[p.UserID]
	f.present[p.UserID] = max(order, p.Order)
	l.tell(room.Event{Kind: room.EventOpened, UserID: p.UserID, SocketID: p.SocketID, Session: p.Session})
	if here {
		return lastID, nil
	}
	l.online[p.UserID]++
	if l.online[p.UserID] == 1 {
		l.tell(room.Event{Kind: room.EventJoined, UserID: p.UserID})
	}
	return lastID, nil
}

// Exit implements room.Feed.
func (f *feed) Exit(_ context.Context, userID string, order uint64) {
	l := f.room
	if _, err := l.lock(); err != nil {
		return
	}
	defer l.mu.Unlock()
	if f.closed || l.memberships[userID] != room.IsMember {
		return // so that what is remembered of exits is bounded by the members
	}
	f.exited[userID] = max(f.exited[userID], order)
	if f.present[userID] <= order {
		f.drop(userID)
	}
}

// drop takes a user off the feed; EventLeft follows if it was the last one with
// the user. The room is locked.
func (f *feed) drop(userID string) {
	if _, here := f.present[userID]; !here {
		return
	}
	delete(f.present, userID)
	l := f.room
	if l.online[userID] > 1 {
		l.online[userID]--
		return
	}
	delete(l.online, userID)
	l.tell(room.Event{Kind: room.EventLeft, UserID: userID})
}

// Typing implements room.Feed.
func (f *feed) Typing(_ context.Context, userID string) error {
	l := f.room
	if _, err := l.lock(); err != nil {
		return err
	}
	defer l.mu.Unlock()
	l.tell(room.Event{Kind: room.EventTyping, UserID: userID})
	return nil
}

// Close implements room.Feed.
func (f *feed) Close() {
	l := f.room
	l.mu.Lock() // a room that is due is for others to end: this watcher hears no more
	defer l.mu.Unlock()
	if f.closed || l.ended {
		return
	}
	f.closed = true
	l.feeds = slices.DeleteFunc(l.feeds, func(other *feed) bool { return other == f })
	for userID := range f.present {
		f.drop(userID)
	}
}

var _ room.Feed = (*feed)(nil)
