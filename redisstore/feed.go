package redisstore

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/ephemeralchat/caddy-ephemeral-chat/redisstore/client"
	"github.com/ephemeralchat/caddy-ephemeral-chat/redisstore/pubsub"
	"github.com/ephemeralchat/caddy-ephemeral-chat/redisstore/script"
	"github.com/ephemeralchat/caddy-ephemeral-chat/room"
)

const (
	// watchTimeout is how long Watch tries.
	watchTimeout = 3 * time.Second
	// maxQueued is how many bytes of events a feed keeps during a resync.
	maxQueued = 4 << 20
)

// feed is one watcher of one instance of a room.
//
// It receives events in one of three states: live, in which it emits them at once;
// resyncing, in which it queues those after the marker of the resync; and neither, in
// which it drops them, because a resync will read their effect.
type feed struct {
	// Fixed by Watch.
	store *Store
	keys  script.Keys
	emit  func(room.Event) // called under mu

	mu sync.Mutex
	// All below is guarded by mu.

	open  bool // the first read is done
	over  bool // the room has ended or the feed is closed: no more events
	timer *time.Timer

	connected bool          // the channel is subscribed to
	up        chan struct{} // closed while connected
	down      chan struct{} // closed while not connected

	live      bool
	resyncing bool          // the goroutine of resyncLoop is running
	again     bool          // and must run once more
	marker    string        // payload of the marker of the resync in progress
	marked    chan struct{} // closed when the marker has come
	hasMarker bool          // marked is closed
	queue     []string      // payloads after the marker
	queued    int           // bytes of queue; maxQueued or more: some were dropped

	pastEpochs   []string
	epoch        string
	seq          uint64       // the last message emitted
	fingerprints fingerprints // of the last messages emitted
	created      time.Time
	lobby        time.Duration
	clock        room.Clock // zero before the start
	locked       bool
	online       onlineSet
	retracted    room.Retractions         // of messages that were emitted or precede the first read
	removed      map[string]struct{}      // users whose removal was received
	announced    map[string]*announcement // connections whose EventOpened has not come, by socket id
}

// announcement is a connection that was opened through the feed.
type announcement struct {
	room.Presence
	stored bool // Redis has the connection
	// doubtful means that a resync began while the connection was being stored:
	// EventOpened may have come before the marker, and was dropped.
	doubtful bool
}

// Watch implements room.Store.
func (s *Store) Watch(ctx context.Context, instanceID string, watcher func(room.Event)) (room.Snapshot, room.Feed, error) {
	ctx, cancel := context.WithTimeout(ctx, watchTimeout)
	defer cancel()
	if s.presence.renewalDue(2 * leaseInterval) {
		if err := s.renewLease(ctx); err != nil {
			return room.Snapshot{}, nil, err
		}
	}
	f := &feed{
		store:     s,
		keys:      s.keys.Room(instanceID),
		emit:      watcher,
		up:        make(chan struct{}),
		down:      make(chan struct{}),
		removed:   make(map[string]struct{}),
		announced: make(map[string]*announcement),
	}
	close(f.down)
	s.conn.Add(f.keys.Channel, f)
	for {
		snapshot, err := f.first(ctx)
		if err == nil {
			return snapshot, f, nil
		}
		if !errors.Is(err, errVoid) {
			f.Close()
			return room.Snapshot{}, nil, err
		}
	}
}

// first waits for the subscription and reads the room for the first time.
func (f *feed) first(ctx context.Context) (room.Snapshot, error) {
	f.mu.Lock()
	up := f.up
	f.mu.Unlock()
	select {
	case <-up:
	case <-ctx.Done():
		return room.Snapshot{}, client.Unavailable("watch", ctx.Err())
	}
	r, err := f.read(ctx)
	if err != nil {
		return room.Snapshot{}, err
	}
	if len(r.stale) > 0 {
		// After a failure, the next node that reads the room tries again.
		f.store.spawn(func(ctx context.Context) { _ = f.store.scripts.Exit(ctx, f.keys, r.stale...) })
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.marker != r.marker || f.queued >= maxQueued {
		return room.Snapshot{}, errVoid
	}
	f.epoch, f.seq = r.Room.Epoch, r.Room.Seq
	if r.Entry != "" {
		f.fingerprints.add(f.seq, fingerprintOf([]byte(r.Entry)))
	}
	f.retracted = r.Retracted
	f.created, f.lobby, f.locked = r.Room.CreatedAt, r.Lobby, r.Room.Locked
	f.clock = room.Clock{StartedAt: r.Room.StartedAt, Deadline: r.Room.Deadline}
	for _, e := range r.Online {
		f.setOnline(e, true)
	}
	f.setTimer()
	f.open = true
	snapshot := room.Snapshot{Room: r.Room, Online: f.online.users(), Retracted: slices.Clone(f.retracted)}
	f.resumeLive()
	return snapshot, nil
}

// Close implements room.Feed.
func (f *feed) Close() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.stop()
}

// stop ends the feed. The caller holds mu.
func (f *feed) stop() {
	if f.over {
		return
	}
	f.over, f.live, f.queue = true, false, nil
	if f.timer != nil {
		f.timer.Stop()
	}
	for node := range f.online.usersOn {
		f.store.presence.removePeer(node)
	}
	f.online = onlineSet{}
	if f.store.conn.Remove(f.keys.Channel, f) {
		f.store.presence.forget(f.keys.InstanceID)
	}
}

// end emits the end of the room. The caller holds mu.
func (f *feed) end(reason room.EndReason) {
	if f.over {
		return
	}
	f.emit(room.Event{Kind: room.EventEnded, Reason: reason})
	f.stop()
}

// isOver reports whether the room has ended or the feed is closed.
func (f *feed) isOver() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.over
}

// Up implements pubsub.Subscriber.
func (f *feed) Up() {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.over || f.connected {
		return
	}
	f.connected = true
	close(f.up)
	f.down = make(chan struct{})
	if f.open {
		f.resync()
	}
}

// Down implements pubsub.Subscriber.
func (f *feed) Down() {
	f.mu.Lock()
	defer f.mu.Unlock()
	if !f.connected {
		return
	}
	f.connected, f.live, f.marker, f.queue = false, false, "", nil
	close(f.down)
	f.up = make(chan struct{})
}

// Enter implements room.Feed.
func (f *feed) Enter(ctx context.Context, p room.Presence, maxOnline int) (lastID uint64, err error) {
	if f.isOver() {
		return 0, room.ErrRoomNotFound
	}
	defer f.forgetIfOver()
	err = f.store.presence.enter(ctx, f.user(p.UserID), p, func(newest string) (err error) {
		lastID, err = f.storeEntry(ctx, p, newest, maxOnline)
		f.confirmAnnouncement(p.SocketID, err)
		return err
	})
	return lastID, err
}

// storeEntry writes a connection to Redis, whose EventOpened is to come then. It takes O(1), unless too many users seem to
// be online: then it reads the presence entries of the room, as this node's knowledge may
// be slightly older.
func (f *feed) storeEntry(ctx context.Context, p room.Presence, newest string, maxOnline int) (lastID uint64, err error) {
	f.mu.Lock()
	f.announced[p.SocketID] = &announcement{Presence: p}
	args := script.EnterArgs{
		Node: f.store.node, Presence: p, Newest: newest, MaxOnline: maxOnline,
		Surplus: f.online.surplus(), IsOnline: f.online.has(p.UserID),
	}
	f.mu.Unlock()
	lastID, err = f.store.scripts.Enter(ctx, f.keys, args)
	if errors.Is(err, room.ErrRoomFull) {
		online, readErr := f.store.presence.readOnline(ctx, f.keys)
		if readErr != nil {
			return 0, readErr
		}
		args.Surplus, args.IsOnline = online.surplus(), online.has(p.UserID)
		lastID, err = f.store.scripts.Enter(ctx, f.keys, args)
	}
	return lastID, f.store.noteGone(f.keys.InstanceID, err)
}

// confirmAnnouncement notes the outcome of storing an announced connection.
func (f *feed) confirmAnnouncement(socketID string, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err != nil {
		delete(f.announced, socketID)
	} else if a := f.announced[socketID]; a != nil {
		a.stored = true
		if a.doubtful {
			f.resync() // which emits EventOpened, unless it comes
		}
	}
}

// Exit implements room.Feed.
func (f *feed) Exit(ctx context.Context, userID string, order uint64) {
	if f.isOver() {
		return
	}
	defer f.forgetIfOver()
	f.store.presence.exit(ctx, f.user(userID), order)
}

func (f *feed) user(userID string) roomUser { return roomUser{f.keys.InstanceID, userID} }

// forgetIfOver forgets the presence in the room if the last feed has ended meanwhile.
func (f *feed) forgetIfOver() {
	if f.isOver() && len(f.store.conn.SubscribersOf(f.keys.Channel)) == 0 {
		f.store.presence.forget(f.keys.InstanceID)
	}
}

// Typing implements room.Feed.
func (f *feed) Typing(ctx context.Context, userID string) error {
	if f.isOver() {
		return room.ErrRoomNotFound
	}
	if err := ctx.Err(); err != nil {
		return client.Unavailable("typing", err)
	}
	event := pubsub.Event{Type: pubsub.TypeTyping, UserID: userID}
	// In a cluster, through the server that publishes all other events of the room.
	publish := redis.NewIntCmd(ctx, "publish", f.keys.Channel, event.Encode())
	if err := client.Send(ctx, f.store.topology, f.keys.Room(), publish); err != nil {
		return client.Unavailable("typing", err)
	}
	return nil
}
