package memstore

import (
	"bytes"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/ephemeralchat/caddy-ephemeral-chat/room"
	"github.com/ephemeralchat/caddy-ephemeral-chat/room/message"
	"github.com/ephemeralchat/caddy-ephemeral-chat/room/name"
)

// liveRoom is a room that exists. Its methods are called with mu held, but for
// lock and expire.
type liveRoom struct {
	store *Store // fixed after construction
	timer *time.Timer

	mu    sync.Mutex
	ended bool
	room  room.Room
	// due is when the room ends: its deadline, or the end of its lobby time if
	// it has not started by then. The timer may fire before it and is set anew.
	due time.Time
	// memberships holds everybody who ever joined, members how many of them
	// still are.
	memberships map[string]room.Membership
	members     int
	looks       map[string]bool   // of the names of everybody who ever joined
	online      map[string]int    // on how many feeds a user is
	sent        map[string]uint64 // highest Post.ID by session tag
	history     history
	retracted   room.Retractions
	feeds       []*feed
}

// lock locks the room and returns the time, or returns ErrRoomNotFound and
// leaves it unlocked. A room that is due is ended by whoever finds it first.
func (l *liveRoom) lock() (time.Time, error) {
	l.mu.Lock()
	at := now()
	if !l.ended && !at.Before(l.due) {
		l.end(room.EndExpired)
	}
	if l.ended {
		l.mu.Unlock()
		return time.Time{}, room.ErrRoomNotFound
	}
	return at, nil
}

// expire is run by the timer. The room may have ended or may have got another
// due time while the timer was firing; and where the wall clock, by which rooms
// live, has gone back, the timer is early.
func (l *liveRoom) expire() {
	if _, err := l.lock(); err != nil {
		return
	}
	defer l.mu.Unlock()
	l.timer.Reset(time.Until(l.due))
}

// end ends the room, which must not have ended: nobody finds it, watchers are
// told, the timer stops.
//
// The room's key, its password hashes and the names in it are out of the store's
// memory when end returns; copies of the first two that callers were given are
// theirs. Messages are dropped, not overwritten, as their bytes are shared with
// those who have yet to write them to a socket. They are gone when the last of
// these has. The same goes for the text of a message that is retracted.
func (l *liveRoom) end(reason room.EndReason) {
	l.ended = true
	l.timer.Stop()
	l.store.forget(l)
	l.tell(room.Event{Kind: room.EventEnded, Reason: reason})
	clear(l.room.Key)
	clear(l.room.Password)
	clear(l.room.AdminPassword)
	for _, f := range l.feeds {
		f.present, f.exited = nil, nil
	}
	l.room, l.memberships, l.looks, l.online, l.sent, l.history, l.feeds = room.Room{}, nil, nil, nil, nil, history{}, nil
	l.retracted = nil
}

// state returns a copy that stays as it is.
func (l *liveRoom) state() room.Room {
	r := l.room
	r.Key, r.Password, r.AdminPassword = bytes.Clone(r.Key), bytes.Clone(r.Password), bytes.Clone(r.AdminPassword)
	return r
}

func (l *liveRoom) tell(e room.Event) {
	for _, f := range l.feeds {
		f.watcher(e)
	}
}

// start reports whether it did: not if the room had started.
func (l *liveRoom) start(at time.Time) bool {
	if l.room.Started() {
		return false
	}
	l.room.StartedAt, l.room.Deadline = at, at.Add(l.room.TTL)
	l.due = l.room.Deadline
	l.timer.Reset(time.Until(l.due))
	l.tell(room.Event{Kind: room.EventStarted, StartedAt: l.room.StartedAt, Deadline: l.room.Deadline})
	return true
}

func (l *liveRoom) join(join room.Join) (userID string, err error) {
	switch {
	case l.room.Locked:
		return "", room.ErrRoomLocked
	case l.members >= join.MaxMembers, len(l.online) >= join.MaxOnline:
		return "", room.ErrRoomFull
	}
	for _, userID := range join.Candidates {
		if l.memberships[userID] == room.NotMember && (l.room.SignedIn || !l.looks[name.Skeleton(userID)]) {
			l.admit(userID)
			return userID, nil
		}
	}
	return "", room.ErrRoomFull
}

// admit makes somebody a member who never was one.
func (l *liveRoom) admit(userID string) {
	l.memberships[userID] = room.IsMember
	l.members++
	if !l.room.SignedIn {
		l.looks[name.Skeleton(userID)] = true
	}
}

func (l *liveRoom) remove(userID string) error {
	if l.memberships[userID] != room.IsMember {
		return room.ErrMemberNotFound
	}
	l.memberships[userID] = room.WasRemoved
	l.members--
	l.tell(room.Event{Kind: room.EventRemoved, UserID: userID})
	for _, f := range l.feeds {
		f.drop(userID)
	}
	return nil
}

func (l *liveRoom) post(post room.Post, at time.Time) (room.Receipt, error) {
	if l.memberships[post.UserID] == room.WasRemoved {
		return room.Receipt{}, room.ErrRemoved
	}
	if post.ID != 0 {
		if l.sent[post.Session] < post.Known {
			return room.Receipt{Lost: true}, nil
		}
		if post.ID <= l.sent[post.Session] {
			return room.Receipt{Duplicate: true}, nil
		}
		l.sent[post.Session] = post.ID
	}
	began := l.start(at)
	l.room.Seq++
	frame := message.Frame(l.room.Seq, post.Body)
	l.history.add(l.room.Seq, frame, post.History)
	l.tell(room.Event{Kind: room.EventMessage, Seq: l.room.Seq, Frame: frame})
	return room.Receipt{Seq: l.room.Seq, Began: began}, nil
}

func (l *liveRoom) retract(r room.Retraction) error {
	if l.memberships[r.UserID] == room.WasRemoved {
		return room.ErrRemoved
	}
	frame := l.history.message(r.Seq)
	switch {
	case frame == nil || r.Epoch != "" && r.Epoch != l.room.Epoch:
		return room.ErrMessageNotFound
	case !r.Any && !message.IsSentBy(*frame, r.UserID):
		return room.ErrNotAdmin
	case message.IsRetracted(*frame):
		return nil
	}
	*frame = message.WithoutText(*frame)
	l.dropRetractions()
	l.retracted.Add(r.Seq)
	l.tell(room.Event{Kind: room.EventRetracted, Seq: r.Seq, Oldest: l.history.oldest()})
	return nil
}

// dropRetractions drops those of messages that are no longer kept. It is done
// when they are looked at, so that posts need not.
func (l *liveRoom) dropRetractions() {
	l.retracted.DropBelow(l.room.Seq + 1 - uint64(l.history.count)) //nolint:gosec // G115: count is not negative
}

// page returns the page of a run, its entries apart.
func (l *liveRoom) page(r run) room.Page {
	return room.Page{First: r.first, Oldest: l.history.oldest(), Newest: l.room.Seq, Epoch: l.room.Epoch}
}

func (l *liveRoom) watch(watcher func(room.Event)) (room.Snapshot, *feed) {
	f := &feed{
		room:    l,
		watcher: watcher,
		present: make(map[string]uint64),
		exited:  make(map[string]uint64),
	}
	l.feeds = append(l.feeds, f)
	l.dropRetractions()
	return room.Snapshot{
		Room:      l.state(),
		Online:    slices.Collect(maps.Keys(l.online)),
		Retracted: slices.Clone(l.retracted),
	}, f
}
