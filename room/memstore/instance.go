package memstore

import (
	"sync"
	"time"

	"github.com/ephemeralchat/caddy-ephemeral-chat/room"
	"github.com/ephemeralchat/caddy-ephemeral-chat/room/name"
)

// instance is one instance of a room. Callers of its methods hold mu, except of lock
// and expire.
type instance struct {
	store *Store // fixed after construction
	timer *time.Timer

	mu    sync.Mutex
	ended bool
	room  room.Room
	// due is the deadline, or the end of the lobby time before the start. The timer
	// may fire early and is then set again.
	due time.Time
	// memberships has every user that ever joined; members counts those that still
	// are members.
	memberships map[string]room.Membership
	members     int
	skeletons   map[string]bool   // of the names of all users that ever joined
	online      map[string]int    // number of feeds by online user
	sent        map[string]uint64 // highest Post.ID by session tag
	history     history
	retracted   room.Retractions
	feeds       []*feed
}

// lock locks the room, or returns ErrRoomNotFound and leaves it unlocked. It ends a
// room that is due: the first caller does, or the timer.
func (in *instance) lock() error {
	in.mu.Lock()
	if !in.ended && !now().Before(in.due) {
		in.end(room.EndExpired)
	}
	if in.ended {
		in.mu.Unlock()
		return room.ErrRoomNotFound
	}
	return nil
}

// expire is the timer's function. While the timer fired, the room may have ended or
// due may have changed; and after the wall clock, which deadlines are measured by,
// stepped back, the timer is early.
func (in *instance) expire() {
	if in.lock() != nil {
		return
	}
	defer in.mu.Unlock()
	in.timer.Reset(time.Until(in.due))
}

// end ends the room, which must not have ended: it removes the room from the store,
// stops the timer and publishes EventEnded. All data of the room is garbage when the
// last socket has written its frames, which share the bytes of messages. The same
// applies to the text of a retracted message.
func (in *instance) end(reason room.EndReason) {
	in.ended = true
	in.timer.Stop()
	in.store.mu.Lock()
	if in.store.rooms[in.room.ID] == in {
		delete(in.store.rooms, in.room.ID)
	}
	in.store.mu.Unlock()
	in.publish(room.Event{Kind: room.EventEnded, Reason: reason})
	for _, f := range in.feeds {
		f.present, f.exited = nil, nil
	}
	in.room, in.memberships, in.skeletons, in.online, in.sent, in.history, in.feeds = room.Room{}, nil, nil, nil, nil, history{}, nil
	in.retracted = nil
}

// publish calls every watcher with an event.
func (in *instance) publish(e room.Event) {
	for _, f := range in.feeds {
		f.watcher(e)
	}
}

// start starts the room. It reports false if the room had started.
func (in *instance) start() bool {
	if in.room.Started() {
		return false
	}
	in.room.StartedAt = now()
	in.room.Deadline = in.room.StartedAt.Add(in.room.TTL)
	in.due = in.room.Deadline
	in.timer.Reset(time.Until(in.due))
	in.publish(room.Event{Kind: room.EventStarted, StartedAt: in.room.StartedAt, Deadline: in.room.Deadline})
	return true
}

// admit adds a user to the members.
func (in *instance) admit(userID string) {
	in.memberships[userID] = room.IsMember
	in.members++
	if !in.room.SignedIn {
		in.skeletons[name.Skeleton(userID)] = true
	}
}

// dropRetractions drops the numbers of messages that are no longer kept. Readers of
// the set call it first, so that posts don't have to.
func (in *instance) dropRetractions() {
	in.retracted.DropBelow(in.history.first())
}
