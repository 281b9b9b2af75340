package redisstore

import (
	"context"
	"errors"
	"maps"
	"slices"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/ephemeralchat/caddy-ephemeral-chat/redisstore/client"
	"github.com/ephemeralchat/caddy-ephemeral-chat/redisstore/pubsub"
	"github.com/ephemeralchat/caddy-ephemeral-chat/redisstore/script"
	"github.com/ephemeralchat/caddy-ephemeral-chat/room"
)

// markerTimeout is how long a marker may take from Redis to this node.
const markerTimeout = 2 * time.Second

// errVoid means that a read of the room is void, because the connection was lost or the
// room changes too fast. The caller reads it again.
var errVoid = errors.New("redisstore: the read of a room is void")

// snapshot is the state of a room in Redis at the moment of a marker.
type snapshot struct {
	script.Snapshot // Online without stale entries

	marker string
	stale  []script.PresenceEntry // to be deleted
	// announced are connections that were announced and stored before the marker.
	announced []room.Presence

	// Set by detectLoss.
	lost   bool   // Redis has lost messages
	common uint64 // the last message that is as it was emitted
}

// requestResync compares the feed with Redis soon.
func (f *feed) requestResync() {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.open {
		f.resync()
	}
}

// resync does the same, and emits no events until then. The caller holds mu.
func (f *feed) resync() {
	f.live = false
	switch {
	case f.over || !f.connected: // Up resyncs
	case f.resyncing:
		f.again = true
	default:
		f.resyncing = true
		f.store.spawn(f.resyncLoop)
	}
}

// resyncLoop resyncs until that succeeds and no other resync is requested. It ends with
// ctx, with the feed or with the connection.
func (f *feed) resyncLoop(ctx context.Context) {
	failures := 0
	for {
		err := f.resyncOnce(ctx)
		f.mu.Lock()
		done := f.over || !f.connected || (err == nil && !f.again)
		if done {
			f.resyncing = false
		}
		f.again = false
		f.mu.Unlock()
		if done {
			return
		}
		if err != nil {
			if !client.Backoff(ctx, failures) {
				return
			}
			failures++
		}
	}
}

// resyncOnce brings the feed in line with Redis, after repairing what Redis has lost and
// the feed knows.
func (f *feed) resyncOnce(ctx context.Context) error {
	select {
	case f.store.resyncs <- struct{}{}:
		defer func() { <-f.store.resyncs }()
	case <-ctx.Done():
		return ctx.Err()
	}
	r, err := f.read(ctx)
	switch {
	case errors.Is(err, room.ErrRoomNotFound):
		return nil // read has emitted the end
	case err != nil:
		return err
	}
	for _, step := range []func(context.Context, *snapshot) error{
		f.repair, f.detectLoss, f.repairRetractions, f.replayMissed, f.finishResync,
	} {
		if err := step(ctx, r); err != nil {
			return err
		}
	}
	f.store.counters.resyncs.Add(1)
	return nil
}

// read reads the room and waits for the marker. It ends the feed if the room is gone.
func (f *feed) read(ctx context.Context) (*snapshot, error) {
	r := &snapshot{marker: script.NewMarker()}
	users := f.store.presence.users(f.keys.InstanceID)
	f.mu.Lock()
	if f.over || !f.connected {
		f.mu.Unlock()
		return nil, errVoid
	}
	marked, down := make(chan struct{}), f.down
	f.live, f.marker, f.marked, f.hasMarker, f.queue, f.queued = false, r.marker, marked, false, nil, 0
	args := script.SyncArgs{Marker: r.marker, Message: f.seq, HasMessage: f.open}
	if f.store.topology.Replaceable() {
		// This server may lack the last messages that the one before had published, and no
		// client that received them may be left to notice.
		args.NewEpoch = room.NewNonce()
	}
	args.Users = slices.AppendSeq(slices.Collect(maps.Keys(users)), maps.Keys(f.removed))
	for _, a := range f.announced {
		if a.stored {
			r.announced = append(r.announced, a.Presence)
		} else {
			a.doubtful = true
		}
	}
	f.mu.Unlock()
	var err error
	r.Snapshot, err = f.store.scripts.Sync(ctx, f.keys, args)
	if errors.Is(err, room.ErrRoomNotFound) {
		f.gone(r.Now)
	}
	if err != nil {
		return nil, err
	}
	if err := f.separateStale(ctx, r); err != nil {
		return nil, err
	}
	timeout := time.NewTimer(markerTimeout)
	defer timeout.Stop()
	select {
	case <-marked:
		return r, nil
	case <-down:
		return nil, errVoid
	case <-timeout.C:
		return nil, errVoid
	case <-ctx.Done():
		return nil, client.Unavailable("sync", ctx.Err())
	}
}

// separateStale moves presence entries of dead nodes, and those of this node without a
// user, from r.Online to r.stale.
func (f *feed) separateStale(ctx context.Context, r *snapshot) error {
	dead, err := f.store.presence.deadNodes(ctx, r.Online)
	if err != nil {
		return err
	}
	users := f.store.presence.users(f.keys.InstanceID)
	r.Online = slices.DeleteFunc(r.Online, func(e script.PresenceEntry) bool {
		stale := dead[e.Node] || (e.Node == f.store.node && users[e.UserID] == "")
		if stale {
			r.stale = append(r.stale, e)
		}
		return stale
	})
	return nil
}

// gone ends a room that Redis does not have, at the server's time now.
func (f *feed) gone(now time.Time) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if !f.open {
		return // Watch returns the error
	}
	end := f.clock.Deadline
	if end.IsZero() && f.lobby > 0 {
		end = f.created.Add(f.lobby)
	}
	reason := room.EndDeleted
	if !end.IsZero() && !now.Before(end) {
		reason = room.EndExpired
	}
	f.end(reason)
}

// finishResync emits all other changes and then the events after the marker.
func (f *feed) finishResync(_ context.Context, r *snapshot) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	switch {
	case f.over || f.marker != r.marker:
		return errVoid
	case f.queued >= maxQueued:
		return errVoid
	}
	f.lobby = r.Lobby
	for userID, removed := range r.Removed {
		if removed {
			f.applyRemoved(userID)
		}
	}
	for _, seq := range r.Retracted {
		f.applyRetracted(seq, r.Oldest)
	}
	f.applyLocked(r.Room.Locked)
	f.applyOnline(r.Online)
	for _, p := range r.announced {
		if f.announced[p.SocketID] != nil {
			f.applyOpened(p)
		}
	}
	f.resumeLive()
	if !f.live && !f.over {
		return errVoid
	}
	return nil
}

// applyOnline emits which users have come and gone. The caller holds mu.
func (f *feed) applyOnline(entries []script.PresenceEntry) {
	var now onlineSet
	for _, e := range entries {
		now.add(e.Node, e.UserID)
		f.setOnline(e, true)
	}
	for _, e := range f.online.list("") {
		if !slices.Contains(now.nodesOf[e.UserID], e.Node) {
			f.setOnline(e, false)
		}
	}
}

const (
	// periodicRounds is the number of probes in which all rooms of a cluster are
	// resynced once, unless more than maxPeriodic resyncs would be due at a time.
	periodicRounds = 15
	maxPeriodic    = 200
)

// periodicResync resyncs some rooms of a cluster at a time, and all of them in turn. The
// servers of a cluster forward events to each other, and lose those in flight on a
// connection that breaks. The next message shows that one was lost, but other events
// would be missed for good. It is owned by the goroutine of the probes.
type periodicResync struct {
	due []*feed // those left in this round
	n   int     // how many at a time
}

func (p *periodicResync) run(conn *pubsub.Conn[*feed]) {
	if len(p.due) == 0 || conn.Idle() {
		p.due = conn.Subscribers()
		p.n = min(maxPeriodic, len(p.due)/periodicRounds+1)
	}
	n := min(len(p.due), p.n)
	for _, f := range p.due[:n] {
		f.requestResync()
	}
	p.due = p.due[n:]
}

// resyncShards resyncs the rooms on servers that were away for a moment or have just
// become masters: they may have lost some of their data.
func (s *Store) resyncShards(ctx context.Context, returned map[*redis.Client]bool) {
	s.repairNode()
	for _, f := range s.conn.Subscribers() {
		if server, err := s.topology.ClientFor(ctx, f.keys.Room()); err != nil || returned[server] {
			f.requestResync()
		}
	}
}
