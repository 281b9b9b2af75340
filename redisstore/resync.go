package redisstore

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/ephemeralchat/caddy-ephemeral-chat/room"
)

// markTimeout is how long a mark may take from Redis to here.
const markTimeout = 2 * time.Second

// errUnsettled means that the room changed under a synchronization in a way
// that makes it void.
var errUnsettled = fmt.Errorf("redisstore: %w: the room changes too fast", room.ErrUnavailable)

// reading is a room as Redis had it at the moment of a mark.
type reading struct {
	mark    string
	room    room.Room
	lobby   time.Duration
	now     time.Time
	oldest  uint64 // the oldest message kept; above room.Seq if there is none
	entry   string // of the message that the feed told last, if it is kept
	online  []pair // living nodes only
	strays  []pair // to be taken away
	removed map[string]bool
	// retracted are the numbers of the messages that are kept and were retracted.
	retracted room.Retractions
	// awaited are connections that were announced before the mark.
	awaited []room.Presence
}

// requestSync makes the feed look at the room.
func (f *feed) requestSync() {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.open {
		f.resync()
	}
}

// resync does the same, and stops telling events until then. The caller holds
// mu.
func (f *feed) resync() {
	f.live = false
	switch {
	case f.over || !f.linked: // with the link comes a synchronization
	case f.syncing:
		f.again = true
	default:
		f.syncing = true
		f.store.spawn(f.syncLoop)
	}
}

// syncLoop synchronizes until that has succeeded and nobody asks for more. It
// ends with ctx, with the feed or with the link.
func (f *feed) syncLoop(ctx context.Context) {
	backoff := minBackoff
	for {
		err := f.sync(ctx)
		f.mu.Lock()
		done := f.over || !f.linked || (err == nil && !f.again)
		if done {
			f.syncing = false
		}
		f.again = false
		f.mu.Unlock()
		if done {
			return
		}
		if err != nil {
			if !pause(ctx, jitter(backoff)) {
				return
			}
			backoff = min(2*backoff, maxBackoff)
		}
	}
}

// sync brings the feed up to date with Redis, and Redis with what the feed knows
// and it has lost.
func (f *feed) sync(ctx context.Context) error {
	select {
	case f.store.syncs <- struct{}{}:
		defer func() { <-f.store.syncs }()
	case <-ctx.Done():
		return ctx.Err()
	}
	r, err := f.read(ctx)
	switch {
	case errors.Is(err, room.ErrRoomNotFound):
		return nil // read has told the end
	case err != nil:
		return err
	}
	if err := f.restore(ctx, r); err != nil {
		return err
	}
	gap, err := f.compare(ctx, r)
	if err != nil {
		return err
	}
	if err := f.retractAgain(ctx, r, gap); err != nil {
		return err
	}
	if err := f.catchUp(ctx, r, gap); err != nil {
		return err
	}
	if err := f.settleDown(r); err != nil {
		return err
	}
	f.store.counters.syncs.Add(1)
	return nil
}

// read reads the room and waits for the mark. A room that is gone is ended.
func (f *feed) read(ctx context.Context) (*reading, error) {
	r := &reading{mark: encodeMark(room.NewNonce()), removed: make(map[string]bool)}
	users := f.store.presence.users(f.instanceID)
	f.mu.Lock()
	if f.over || !f.linked {
		f.mu.Unlock()
		return nil, errUnlinked
	}
	marked, down := make(chan struct{}), f.down
	f.live, f.mark, f.marked, f.hasMark, f.queue, f.queued = false, r.mark, marked, false, nil, 0
	args := []any{f.keys.channel, r.mark, "", f.keys.life, "", ""}
	if f.open {
		args[2] = f.seq
	}
	if f.store.servers.replaceable() {
		// What the server before had told last may not be here, though nobody who was
		// told is left to notice.
		next := room.NewNonce()
		args[4], args[5] = next, encodeEpoch(next)
	}
	ask := make([]string, 0, len(users)+len(f.removed))
	for user := range users {
		ask = append(ask, user)
	}
	for user := range f.removed {
		ask = append(ask, user)
	}
	for _, a := range f.unheard {
		if a.entered {
			r.awaited = append(r.awaited, a.Presence)
		} else {
			a.doubtful = true
		}
	}
	f.mu.Unlock()
	for _, user := range ask {
		args = append(args, user)
	}
	reply, err := f.store.runTimed(ctx, scriptSync, f.keys.keys, args...)
	if err != nil {
		return nil, err
	}
	r.now = reply.time(1)
	if reply.status() == replyGone {
		f.gone(r.now)
		return nil, room.ErrRoomNotFound
	}
	if err := r.decode(f.instanceID, reply, ask); err != nil {
		return nil, err
	}
	if err := f.part(ctx, r, pairsOf(reply.list(5))); err != nil {
		return nil, err
	}
	timeout := time.NewTimer(markTimeout)
	defer timeout.Stop()
	select {
	case <-marked:
		return r, nil
	case <-down:
		return nil, errUnlinked
	case <-timeout.C:
		return nil, errUnlinked
	case <-ctx.Done():
		return nil, unavailable("sync", ctx.Err())
	}
}

// decode reads the reply of scripts/sync.lua, which was asked about these users.
func (r *reading) decode(instanceID string, reply reply, ask []string) (err error) {
	fields, kept := reply.list(2), reply.count(3)
	if r.room, err = decodeRoom(instanceID, fields); err != nil {
		return err
	}
	if r.room.Seq > maxSeq || kept > r.room.Seq {
		return errMalformed
	}
	r.lobby = lobbyOf(fields)
	r.oldest = r.room.Seq - kept + 1
	r.entry = reply.text(4)
	for i := range reply.list(7) {
		r.retracted.Add(reply.list(7).count(i))
	}
	for i, user := range ask {
		r.removed[user] = reply.list(6).number(i) == 1
	}
	return nil
}

// part tells those who are online from those who only seem to be.
func (f *feed) part(ctx context.Context, r *reading, pairs []pair) error {
	living, dead, err := f.store.partByLife(ctx, pairs)
	if err != nil {
		return err
	}
	r.strays = dead
	users := f.store.presence.users(f.instanceID)
	for _, p := range living {
		if p.node == f.store.node && users[p.user] == "" {
			r.strays = append(r.strays, p)
		} else {
			r.online = append(r.online, p)
		}
	}
	return nil
}

// leaveStrays takes those away who only seem to be online, without waiting.
func (f *feed) leaveStrays(r *reading) {
	if len(r.strays) > 0 {
		// A failure leaves them to the next one who reads the room.
		f.store.spawn(func(ctx context.Context) { _ = f.store.clear(ctx, f.keys, r.strays) })
	}
}

// gone ends a room that Redis does not have, at the server's time now.
func (f *feed) gone(now time.Time) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if !f.open {
		return // Watch says so
	}
	expired := !f.deadline.IsZero() && !now.Before(f.deadline) ||
		f.deadline.IsZero() && f.lobby > 0 && !now.Before(f.created.Add(f.lobby))
	if expired {
		f.end(room.EndExpired)
	} else {
		f.end(room.EndDeleted)
	}
}

// settleDown tells all other changes and then what has happened since the mark.
func (f *feed) settleDown(r *reading) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	switch {
	case f.over || f.mark != r.mark:
		return errUnlinked
	case f.queued >= maxQueued:
		return errUnsettled
	}
	f.lobby = r.lobby
	for user, removed := range r.removed {
		if removed {
			f.applyRemoved(user)
		}
	}
	for _, seq := range r.retracted {
		f.applyRetracted(seq, r.oldest)
	}
	f.applyLocked(r.room.Locked)
	f.applyCrowd(r.online)
	for _, p := range r.awaited {
		if f.unheard[p.SocketID] != nil {
			delete(f.unheard, p.SocketID)
			f.tell(room.Event{Kind: room.EventOpened, UserID: p.UserID, SocketID: p.SocketID, Session: p.Session})
		}
	}
	f.goLive()
	if !f.live && !f.over {
		return errUnsettled
	}
	return nil
}

// applyCrowd tells who has come and gone. The caller holds mu.
func (f *feed) applyCrowd(pairs []pair) {
	now := &crowd{}
	for _, p := range pairs {
		now.add(p.node, p.user)
		f.appear(p.node, p.user)
	}
	for _, node := range f.online.nodes() {
		for _, user := range f.online.usersOn(node) {
			if !now.contains(node, user) {
				f.disappear(node, user)
			}
		}
	}
}
