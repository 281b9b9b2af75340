package redisstore

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/ephemeralchat/caddy-ephemeral-chat/redisstore/client"
	"github.com/ephemeralchat/caddy-ephemeral-chat/redisstore/script"
	"github.com/ephemeralchat/caddy-ephemeral-chat/room"
)

// presence holds which users are online through this node, and keeps Redis in line with
// that. It includes the lease of this node, which it renews while the node has feeds, and
// those of its peers (liveness.go), on which depends which presence entries of Redis
// count (online.go).
//
// One goroutine at a time, the one with the user's turn, writes the presence of a user,
// so that Redis never ends up with an older state. A write that fails leaves the user
// dirty, to be reconciled later.
type presence struct {
	// Fixed by newPresence.
	store    *Store
	renewNow chan struct{} // holds a token when a renewal is due at once

	renewedAt atomic.Int64 // local time of the last renewal; zero without a lease to keep
	stableAt  atomic.Int64 // local time from which on a missing lease proves death

	peersMu sync.Mutex
	peers   map[string]*peer // guarded by peersMu

	mu sync.Mutex
	// All below is guarded by mu.
	rooms map[string]map[string]attendance // by instance and user
	turns map[roomUser]chan struct{}       // those that are taken; closed on release
	dirty map[roomUser]struct{}            // Redis may differ from rooms
	exits []recentExit                     // the oldest first
}

// roomUser is a user in one instance of a room.
type roomUser struct{ instanceID, userID string }

// attendance is the presence of a user through this node. Enter and Exit may overtake
// each other, so it is kept while the node has feeds of the room.
type attendance struct {
	socketID string // of the connection with order
	order    uint64 // the highest of Enter; zero if Redis has no presence of the user
	exited   uint64 // the highest of Exit
}

func (a attendance) online() bool { return a.order > a.exited }

// recentExit is the end of a user's presence through this node, stored in Redis at a
// time. A replica that becomes the master may lack it, and no other node knows it once
// this one has no feed of the room.
type recentExit struct {
	user roomUser
	at   time.Duration // local time
}

const (
	// exitMemory is how long exits are remembered: longer than a demoted master accepts
	// writes.
	exitMemory = 30 * time.Second
	// maxExits is the maximum number of remembered exits.
	maxExits = 4096
)

func newPresence(s *Store) *presence {
	return &presence{
		store:    s,
		renewNow: make(chan struct{}, 1),
		peers:    make(map[string]*peer),
		rooms:    make(map[string]map[string]attendance),
		turns:    make(map[roomUser]chan struct{}),
		dirty:    make(map[roomUser]struct{}),
	}
}

// inTurn runs a task with the turn of a user, for which it waits until ctx is done.
func (p *presence) inTurn(ctx context.Context, u roomUser, task func() error) error {
	turn := make(chan struct{})
	for {
		p.mu.Lock()
		taken := p.turns[u]
		if taken == nil {
			p.turns[u] = turn
		}
		p.mu.Unlock()
		if taken == nil {
			break
		}
		select {
		case <-taken:
		case <-ctx.Done():
			return client.Unavailable("presence", ctx.Err())
		}
	}
	defer func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		delete(p.turns, u)
		close(turn)
	}()
	return task()
}

func (p *presence) attendance(u roomUser) attendance {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.rooms[u.instanceID][u.userID]
}

// socketID returns the newest connection of a user online through this node, or "".
func (p *presence) socketID(u roomUser) string {
	if a := p.attendance(u); a.online() {
		return a.socketID
	}
	return ""
}

// update changes an attendance, and returns the one before.
func (p *presence) update(u roomUser, change func(*attendance)) (before attendance) {
	p.mu.Lock()
	defer p.mu.Unlock()
	users := p.rooms[u.instanceID]
	if users == nil {
		users = make(map[string]attendance)
		p.rooms[u.instanceID] = users
	}
	before = users[u.userID]
	after := before
	change(&after)
	users[u.userID] = after
	return before
}

// forget forgets an instance of a room.
func (p *presence) forget(instanceID string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.rooms, instanceID)
}

// users returns the newest connection of each user online through this node.
func (p *presence) users(instanceID string) map[string]string {
	p.mu.Lock()
	defer p.mu.Unlock()
	users := make(map[string]string)
	for userID, a := range p.rooms[instanceID] {
		if a.online() {
			users[userID] = a.socketID
		}
	}
	return users
}

// markDirty notes that Redis may differ from the attendance of a user.
func (p *presence) markDirty(u roomUser) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.dirty[u] = struct{}{}
}

func (p *presence) isDirty(u roomUser) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	_, dirty := p.dirty[u]
	return dirty
}

// enter records a connection and writes it to Redis with store, which gets the user's
// newest connection.
func (p *presence) enter(ctx context.Context, u roomUser, c room.Presence, store func(newest string) error) error {
	return p.inTurn(ctx, u, func() error {
		if c.Order <= p.attendance(u).exited {
			return fmt.Errorf("redisstore: enter: %w: the connection has gone", room.ErrUnavailable)
		}
		// Here before Redis, or a resync that finds the user there would take the entry for
		// a stale one.
		before := p.update(u, func(a *attendance) {
			if c.Order > a.order {
				a.order, a.socketID = c.Order, c.SocketID
			}
		})
		err := store(p.attendance(u).socketID)
		if err != nil {
			p.update(u, func(a *attendance) { a.order, a.socketID = before.order, before.socketID })
		}
		if errors.Is(err, room.ErrUnavailable) {
			p.markDirty(u) // it may have happened
		}
		return err
	})
}

// exit records that no connection up to order is left, and writes that to Redis.
func (p *presence) exit(ctx context.Context, u roomUser, order uint64) {
	p.update(u, func(a *attendance) { a.exited = max(a.exited, order) })
	err := p.inTurn(ctx, u, func() error {
		if a := p.attendance(u); a.online() || (a.order == 0 && !p.isDirty(u)) {
			return nil
		}
		return p.write(ctx, u)
	})
	if err != nil {
		p.markDirty(u)
	}
}

// evict ends the presence of a removed user, without waiting for Redis.
func (p *presence) evict(u roomUser) {
	if p.socketID(u) == "" {
		return
	}
	p.store.spawn(func(ctx context.Context) {
		err := p.inTurn(ctx, u, func() error {
			p.update(u, func(a *attendance) { a.exited = max(a.exited, a.order) })
			return p.write(ctx, u)
		})
		if err != nil {
			p.markDirty(u)
		}
	})
}

// reconcile writes the presence of dirty users.
func (p *presence) reconcile(ctx context.Context) (err error) {
	p.mu.Lock()
	dirty := p.dirty
	p.dirty = make(map[roomUser]struct{})
	p.mu.Unlock()
	for u := range dirty {
		if err == nil {
			err = p.inTurn(ctx, u, func() error { return p.write(ctx, u) })
		}
		if err != nil {
			p.markDirty(u)
		}
	}
	return err
}

// write writes to Redis whether a user is online through this node. The caller has the
// user's turn.
func (p *presence) write(ctx context.Context, u roomUser) error {
	k := p.store.keys.Room(u.instanceID)
	entry := script.PresenceEntry{Node: p.store.node, UserID: u.userID, SocketID: p.socketID(u)}
	if entry.SocketID != "" {
		if err := p.store.scripts.RepairPresence(ctx, k, entry); !errors.Is(err, room.ErrRoomNotFound) {
			return err
		}
		return nil
	}
	if err := p.store.scripts.Exit(ctx, k, entry); err != nil {
		return err
	}
	p.rememberExit(u)
	if p.attendance(u).order != 0 { // else it would remember an unknown user
		p.update(u, func(a *attendance) {
			if !a.online() {
				a.order = 0
			}
		})
	}
	return nil
}

func (p *presence) rememberExit(u roomUser) {
	now := p.store.clock.Local()
	p.mu.Lock()
	defer p.mu.Unlock()
	old := 0
	for old < len(p.exits) && (now-p.exits[old].at > exitMemory || len(p.exits)-old >= maxExits) {
		old++
	}
	p.exits = append(p.exits[old:], recentExit{u, now})
}

// rewriteExits marks the users of recent exits dirty, and forgets the exits.
func (p *presence) rewriteExits() {
	now := p.store.clock.Local()
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, e := range p.exits {
		if now-e.at <= exitMemory {
			p.dirty[e.user] = struct{}{}
		}
	}
	p.exits = nil
}

// repair writes the entries that Redis lacks of users online through this node, except
// removed ones, and returns them. It takes no turns, so users may come and go meanwhile:
// those are reconciled later.
func (p *presence) repair(ctx context.Context, k script.Keys, entries []script.PresenceEntry, removed map[string]bool) (missing []script.PresenceEntry, err error) {
	known := make(map[string]string)
	for _, e := range entries {
		if e.Node == p.store.node {
			known[e.UserID] = e.SocketID
		}
	}
	for userID, socketID := range p.users(k.InstanceID) {
		if !removed[userID] && known[userID] != socketID {
			missing = append(missing, script.PresenceEntry{Node: p.store.node, UserID: userID, SocketID: socketID})
		}
	}
	if err := p.store.scripts.RepairPresence(ctx, k, missing...); err != nil {
		return nil, err
	}
	for _, e := range missing {
		if u := (roomUser{k.InstanceID, e.UserID}); p.socketID(u) != e.SocketID {
			p.markDirty(u)
		}
	}
	return missing, nil
}
