package memstore

import (
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/ephemeralchat/caddy-ephemeral-chat/room"
	"github.com/ephemeralchat/caddy-ephemeral-chat/room/message"
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

// lock locks the room and returns the time, or returns ErrRoomNotFound and leaves
// it unlocked. It ends a room that is due: the first caller does, or the timer.
func (in *instance) lock() (time.Time, error) {
	in.mu.Lock()
	at := now()
	if !in.ended && !at.Before(in.due) {
		in.end(room.EndExpired)
	}
	if in.ended {
		in.mu.Unlock()
		return time.Time{}, room.ErrRoomNotFound
	}
	return at, nil
}

// expire is the timer's function. While the timer fired, the room may have ended or
// due may have changed; and after the wall clock, which deadlines are measured by,
// stepped back, the timer is early.
func (in *instance) expire() {
	if _, err := in.lock(); err != nil {
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
	in.store.forget(in)
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
func (in *instance) start(at time.Time) bool {
	if in.room.Started() {
		return false
	}
	in.room.StartedAt, in.room.Deadline = at, at.Add(in.room.TTL)
	in.due = in.room.Deadline
	in.timer.Reset(time.Until(in.due))
	in.publish(room.Event{Kind: room.EventStarted, StartedAt: in.room.StartedAt, Deadline: in.room.Deadline})
	return true
}

func (in *instance) join(join room.Join) (userID string, err error) {
	switch {
	case in.room.Locked:
		return "", room.ErrRoomLocked
	case in.members >= join.MaxMembers, len(in.online) >= join.MaxOnline:
		return "", room.ErrRoomFull
	}
	for _, userID := range join.Candidates {
		if in.memberships[userID] == room.NotMember && (in.room.SignedIn || !in.skeletons[name.Skeleton(userID)]) {
			in.admit(userID)
			return userID, nil
		}
	}
	return "", room.ErrRoomFull
}

// admit adds a user to the members.
func (in *instance) admit(userID string) {
	in.memberships[userID] = room.IsMember
	in.members++
	if !in.room.SignedIn {
		in.skeletons[name.Skeleton(userID)] = true
	}
}

func (in *instance) remove(userID string) error {
	if in.memberships[userID] != room.IsMember {
		return room.ErrMemberNotFound
	}
	in.memberships[userID] = room.WasRemoved
	in.members--
	in.publish(room.Event{Kind: room.EventRemoved, UserID: userID})
	for _, f := range in.feeds {
		f.drop(userID)
	}
	return nil
}

func (in *instance) post(post room.Post, at time.Time) (room.Receipt, error) {
	if in.memberships[post.UserID] == room.WasRemoved {
		return room.Receipt{}, room.ErrRemoved
	}
	if post.ID != 0 {
		if in.sent[post.Session] < post.Known {
			return room.Receipt{Lost: true}, nil
		}
		if post.ID <= in.sent[post.Session] {
			return room.Receipt{Duplicate: true}, nil
		}
		in.sent[post.Session] = post.ID
	}
	began := in.start(at)
	in.room.Seq++
	frame := message.Frame(in.room.Seq, post.Body)
	in.history.add(in.room.Seq, frame, post.History)
	in.publish(room.Event{Kind: room.EventMessage, Seq: in.room.Seq, Frame: frame})
	return room.Receipt{Seq: in.room.Seq, Began: began}, nil
}

func (in *instance) retract(r room.Retraction) error {
	if in.memberships[r.UserID] == room.WasRemoved {
		return room.ErrRemoved
	}
	frame := in.history.message(r.Seq)
	switch {
	case frame == nil || r.Epoch != "" && r.Epoch != in.room.Epoch:
		return room.ErrMessageNotFound
	case !r.Any && !message.IsSentBy(*frame, r.UserID):
		return room.ErrNotAdmin
	case message.IsRetracted(*frame):
		return nil
	}
	*frame = message.WithoutText(*frame)
	in.dropRetractions()
	in.retracted.Add(r.Seq)
	in.publish(room.Event{Kind: room.EventRetracted, Seq: r.Seq, Oldest: in.history.oldest()})
	return nil
}

// dropRetractions drops the numbers of messages that are no longer kept. Readers of
// the set call it first, so that posts don't have to.
func (in *instance) dropRetractions() {
	in.retracted.DropBelow(in.room.Seq + 1 - uint64(in.history.count)) //nolint:gosec // G115: count is not negative
}

// page returns the page of a run without its entries.
func (in *instance) page(r run) room.Page {
	return room.Page{First: r.first, Oldest: in.history.oldest(), Newest: in.room.Seq, Epoch: in.room.Epoch}
}

func (in *instance) watch(watcher func(room.Event)) (room.Snapshot, *feed) {
	f := &feed{
		room:    in,
		watcher: watcher,
		present: make(map[string]uint64),
		exited:  make(map[string]uint64),
	}
	in.feeds = append(in.feeds, f)
	in.dropRetractions()
	return room.Snapshot{
		Room:      in.room,
		Online:    slices.Collect(maps.Keys(in.online)),
		Retracted: slices.Clone(in.retracted),
	}, f
}
