package memstore

import (
	"context"
	"slices"

	"github.com/ephemeralchat/caddy-ephemeral-chat/room"
)

// feed is one watch of a room. Each counts as a node.
type feed struct {
	room    *instance        // fixed after construction
	watcher func(room.Event) // called with room.mu held

	// Guarded by room.mu.
	closed  bool
	present map[string]uint64 // newest Presence.Order of each online user
	exited  map[string]uint64 // highest order that Exit was called with
}

func (f *feed) Enter(_ context.Context, p room.Presence, maxOnline int) (lastID uint64, err error) {
	in := f.room
	if err := in.lock(); err != nil {
		return 0, err
	}
	defer in.mu.Unlock()
	if f.closed {
		return 0, errClosed
	}
	if err := in.memberships[p.UserID].Err(); err != nil {
		return 0, err
	}
	lastID = in.sent[p.Session]
	if p.Order <= f.exited[p.UserID] {
		return lastID, nil // Exit overtook Enter: the connection is closed already
	}
	if in.online[p.UserID] == 0 && len(in.online) >= maxOnline {
		return 0, room.ErrRoomFull
	}
	order, here := f.present[p.UserID]
	f.present[p.UserID] = max(order, p.Order)
	in.publish(room.Event{Kind: room.EventOpened, UserID: p.UserID, SocketID: p.SocketID, Session: p.Session})
	if here {
		return lastID, nil
	}
	in.online[p.UserID]++
	if in.online[p.UserID] == 1 {
		in.publish(room.Event{Kind: room.EventJoined, UserID: p.UserID})
	}
	return lastID, nil
}

func (f *feed) Exit(_ context.Context, userID string, order uint64) {
	in := f.room
	if in.lock() != nil {
		return
	}
	defer in.mu.Unlock()
	if f.closed || in.memberships[userID] != room.IsMember {
		return // so that the members bound the size of exited
	}
	f.exited[userID] = max(f.exited[userID], order)
	if f.present[userID] <= order {
		f.drop(userID)
	}
}

// drop removes a user from the feed; EventLeft follows if no other feed has the
// user. The room is locked.
func (f *feed) drop(userID string) {
	if _, here := f.present[userID]; !here {
		return
	}
	delete(f.present, userID)
	in := f.room
	if in.online[userID] > 1 {
		in.online[userID]--
		return
	}
	delete(in.online, userID)
	in.publish(room.Event{Kind: room.EventLeft, UserID: userID})
}

func (f *feed) Typing(_ context.Context, userID string) error {
	in := f.room
	if err := in.lock(); err != nil {
		return err
	}
	defer in.mu.Unlock()
	in.publish(room.Event{Kind: room.EventTyping, UserID: userID})
	return nil
}

func (f *feed) Close() {
	in := f.room
	in.mu.Lock() // not lock, which would end a due room and call this watcher
	defer in.mu.Unlock()
	if f.closed || in.ended {
		return
	}
	f.closed = true
	in.feeds = slices.DeleteFunc(in.feeds, func(other *feed) bool { return other == f })
	for userID := range f.present {
		f.drop(userID)
	}
}

var _ room.Feed = (*feed)(nil)
