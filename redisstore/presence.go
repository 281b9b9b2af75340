package redisstore

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/ephemeralchat/caddy-ephemeral-chat/room"
	"github.com/ephemeralchat/caddy-ephemeral-chat/room/name"
)

// presence is who is online through this node. Redis is told of a user by one
// goroutine at a time, whoever has the user's turn, so that it never ends up
// with an older state.
type presence struct {
	mu    sync.Mutex
	lives map[string]map[string]attendance // by the ids of lives
	turns map[lifeUser]*turn
}

// attendance is how a user stands to this node. Enter and Exit may overtake each
// other, so it is kept for as long as a room has feeds.
type attendance struct {
	socket string // of the connection with order
	order  uint64 // the highest that Enter has named; zero if Redis has been told of none, or of the end
	gone   uint64 // the highest that Exit has named
}

// here reports whether the user is online through this node.
func (a attendance) here() bool { return a.order > a.gone }

// lifeUser is a user in one life of a room.
type lifeUser struct{ instanceID, userID string }

type turn struct {
	token   chan struct{} // holds one while the turn is taken
	waiting int           // who has it or waits for it; guarded by presence.mu
}

func newPresence() *presence {
	return &presence{lives: make(map[string]map[string]attendance), turns: make(map[lifeUser]*turn)}
}

// take waits for the turn of a user. It fails when ctx is done.
func (p *presence) take(ctx context.Context, who lifeUser) (release func(), err error) {
	p.mu.Lock()
	t := p.turns[who]
	if t == nil {
		t = &turn{token: make(chan struct{}, 1)}
		p.turns[who] = t
	}
	t.waiting++
	p.mu.Unlock()
	done := func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		if t.waiting--; t.waiting == 0 {
			delete(p.turns, who)
		}
	}
	select {
	case t.token <- struct{}{}:
		return func() { <-t.token; done() }, nil
	case <-ctx.Done():
		done()
		return nil, unavailable("presence", ctx.Err())
	}
}

// of returns how a user stands to this node.
func (p *presence) of(who lifeUser) attendance {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.lives[who.instanceID][who.userID]
}

// socket returns the newest socket of a user who is here, or "".
func (p *presence) socket(who lifeUser) string {
	if a := p.of(who); a.here() {
		return a.socket
	}
	return ""
}

// change changes how a user stands to this node, and returns what was before.
func (p *presence) change(who lifeUser, change func(*attendance)) (before attendance) {
	p.mu.Lock()
	defer p.mu.Unlock()
	users := p.lives[who.instanceID]
	if users == nil {
		users = make(map[string]attendance)
		p.lives[who.instanceID] = users
	}
	before = users[who.userID]
	after := before
	change(&after)
	users[who.userID] = after
	return before
}

// forget forgets the life of a room.
func (p *presence) forget(instanceID string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.lives, instanceID)
}

// users returns the newest socket of each user who is here.
func (p *presence) users(instanceID string) map[string]string {
	p.mu.Lock()
	defer p.mu.Unlock()
	users := make(map[string]string)
	for user, a := range p.lives[instanceID] {
		if a.here() {
			users[user] = a.socket
		}
	}
	return users
}

// Enter implements room.Feed.
func (f *feed) Enter(ctx context.Context, p room.Presence, maxOnline int) (lastID uint64, err error) {
	if f.isOver() {
		return 0, room.ErrRoomNotFound
	}
	defer f.forgetIfOver()
	who := lifeUser{f.instanceID, p.UserID}
	release, err := f.store.presence.take(ctx, who)
	if err != nil {
		return 0, err
	}
	defer release()
	if p.Order <= f.store.presence.of(who).gone {
		return 0, fmt.Errorf("redisstore: enter: %w: the connection has gone", room.ErrUnavailable)
	}
	// First here, then in Redis: a synchronization that finds the user there
	// must not think that it is a leftover.
	before := f.store.presence.change(who, func(a *attendance) {
		if p.Order > a.order {
			a.order, a.socket = p.Order, p.SocketID
		}
	})
	f.announce(p, false)
	lastID, err = f.enter(ctx, p, maxOnline)
	if err != nil {
		f.store.presence.change(who, func(a *attendance) { a.order, a.socket = before.order, before.socket })
		f.forgetAnnounced(p.SocketID)
		if errors.Is(err, room.ErrUnavailable) {
			f.store.heart.owe(who) // it may have happened
		}
		return 0, err
	}
	f.announce(p, true)
	return lastID, nil
}

// enter tells Redis. It is O(1), unless the room seems to be full.
func (f *feed) enter(ctx context.Context, p room.Presence, maxOnline int) (lastID uint64, err error) {
	f.mu.Lock()
	surplus, isOnline := f.online.surplus(), f.online.has(p.UserID)
	f.mu.Unlock()
	socket := f.store.presence.of(lifeUser{f.instanceID, p.UserID}).socket
	for look := range 2 {
		flag := 0
		if isOnline {
			flag = 1
		}
		r, err := f.store.run(ctx, scriptEnter, f.keys.keys, f.keys.channel, p.UserID,
			onlineField(f.store.node, p.UserID), socket, p.Session, encodeOpened(f.store.node, p),
			maxOnline, surplus, flag, f.keys.life)
		if err != nil {
			return 0, err
		}
		switch r.status() {
		case replyNot:
			return 0, room.ErrInvalidSession
		case replyFull:
			if look > 0 {
				return 0, room.ErrRoomFull
			}
			// What this node knows may be old by a moment.
			c, err := f.store.takeCensus(ctx, f.keys)
			if err != nil {
				return 0, err
			}
			surplus, isOnline = c.surplus(), c.has(p.UserID)
			continue
		}
		if err := f.store.refusal(r.status(), f.instanceID); err != nil {
			return 0, err
		}
		return r.count(1), nil
	}
	return 0, room.ErrRoomFull
}

// announce notes that EventOpened is to come for a connection, unless it has.
func (f *feed) announce(p room.Presence, entered bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if !entered {
		f.unheard[p.SocketID] = &announcement{Presence: p}
	} else if a := f.unheard[p.SocketID]; a != nil {
		a.entered = true
		if a.doubtful {
			f.resync() // which tells it, if nothing else does
		}
	}
}

func (f *feed) forgetAnnounced(socketID string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.unheard, socketID)
}

// Exit implements room.Feed.
func (f *feed) Exit(ctx context.Context, userID string, order uint64) {
	if f.isOver() {
		return
	}
	defer f.forgetIfOver()
	who := lifeUser{f.instanceID, userID}
	f.store.presence.change(who, func(a *attendance) { a.gone = max(a.gone, order) })
	release, err := f.store.presence.take(ctx, who)
	if err != nil {
		f.store.heart.owe(who)
		return
	}
	defer release()
	a := f.store.presence.of(who)
	if a.here() || (a.order == 0 && !f.store.heart.owes(who)) {
		return
	}
	if err := f.store.tell(ctx, who); err != nil {
		f.store.heart.owe(who)
	}
}

// expel takes a user offline on this node who was removed from the room.
func (s *Store) expel(ctx context.Context, instanceID, userID string) {
	who := lifeUser{instanceID, userID}
	release, err := s.presence.take(ctx, who)
	if err != nil {
		return // the store is closed
	}
	defer release()
	s.presence.change(who, func(a *attendance) { a.gone = max(a.gone, a.order) })
	if err := s.tell(ctx, who); err != nil {
		s.heart.owe(who)
	}
}

// settle makes Redis agree with whether a user is online through this node.
func (s *Store) settle(ctx context.Context, who lifeUser) error {
	release, err := s.presence.take(ctx, who)
	if err != nil {
		return err
	}
	defer release()
	return s.tell(ctx, who)
}

// tell does so for whoever has the user's turn.
func (s *Store) tell(ctx context.Context, who lifeUser) error {
	k, field := s.keys.room(who.instanceID), onlineField(s.node, who.userID)
	if socket := s.presence.socket(who); socket != "" {
		_, err := s.run(ctx, scriptReenter, k.keys, k.channel, k.life, who.userID, name.Skeleton(who.userID), field, socket,
			encodePresent(s.node, who.userID))
		return err
	}
	if _, err := s.run(ctx, scriptExit, k.keys, k.channel, k.life, field, "", encodeClosed(s.node, who.userID)); err != nil {
		return err
	}
	s.departed.add(who, s.clock.local())
	if s.presence.of(who).order != 0 {
		s.presence.change(who, func(a *attendance) {
			if !a.here() {
				a.order = 0
			}
		})
	}
	return nil
}

// forgetIfOver forgets the life for good where a feed has ended meanwhile.
func (f *feed) forgetIfOver() {
	if f.isOver() && len(f.store.link.feeds(f.keys.channel)) == 0 {
		f.store.presence.forget(f.instanceID)
	}
}
