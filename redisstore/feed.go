package redisstore

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/ephemeralchat/caddy-ephemeral-chat/room"
)

const (
	// watchTimeout is how long Watch tries.
	watchTimeout = 3 * time.Second
	// maxQueued is how many bytes of events a feed keeps while it synchronizes.
	maxQueued = 4 << 20
)

// feed is one watcher of one life of a room.
//
// Events reach it in one of three states: live, in which they are told at once;
// synchronizing, in which those that come after the mark of the synchronization
// wait in queue; and neither, in which they are dropped, because a
// synchronization will read what they did.
type feed struct {
	// Fixed after construction.
	store      *Store
	instanceID string
	keys       roomKeys
	tell       func(room.Event) // called under mu

	mu sync.Mutex
	// All below is guarded by mu.

	open  bool // the first synchronization is done
	over  bool // the room has ended or the feed is closed: nothing is told
	timer *time.Timer

	linked bool          // the channel is subscribed to
	up     chan struct{} // closed while linked
	down   chan struct{} // closed while not linked

	live      bool
	syncing   bool          // the goroutine of syncLoop is at work
	again     bool          // and has to go around once more
	mark      string        // the payload that is the mark of the synchronization under way
	marked    chan struct{} // closed when the mark has come
	queue     []string      // what came after it
	queued    int           // bytes of queue; maxQueued or more: some were dropped
	hasMark   bool          // marked is closed
	past      []string      // earlier epochs
	epoch     string
	seq       uint64 // the last message told
	recent    recent // what the last messages told were
	created   time.Time
	lobby     time.Duration
	started   time.Time
	deadline  time.Time
	locked    bool
	online    crowd
	retracted room.Retractions         // of the messages that were told or preceded the first synchronization
	removed   map[string]struct{}      // users whose removal was heard of
	unheard   map[string]*announcement // connections whose EventOpened has not come, by socketId
}

// announcement is a connection that was opened through the feed.
type announcement struct {
	room.Presence
	entered bool // the store has been told
	// doubtful says that a synchronization began while the store was being
	// told: EventOpened may have come before its mark, unheard.
	doubtful bool
}

// Watch implements room.Store.
func (s *Store) Watch(ctx context.Context, instanceID string, watcher func(room.Event)) (room.Snapshot, room.Feed, error) {
	ctx, cancel := context.WithTimeout(ctx, watchTimeout)
	defer cancel()
	if err := s.heart.ensure(ctx); err != nil {
		return room.Snapshot{}, nil, err
	}
	f := &feed{
		store:      s,
		instanceID: instanceID,
		keys:       s.keys.room(instanceID),
		tell:       watcher,
		up:         make(chan struct{}),
		down:       make(chan struct{}),
		removed:    make(map[string]struct{}),
		unheard:    make(map[string]*announcement),
	}
	close(f.down)
	s.link.add(f)
	for {
		snapshot, err := f.first(ctx)
		if err == nil {
			return snapshot, f, nil
		}
		if !errors.Is(err, errUnlinked) {
			f.Close()
			return room.Snapshot{}, nil, err
		}
	}
}

// first waits for the link and synchronizes for the first time.
func (f *feed) first(ctx context.Context) (room.Snapshot, error) {
	f.mu.Lock()
	up := f.up
	f.mu.Unlock()
	select {
	case <-up:
	case <-ctx.Done():
		return room.Snapshot{}, unavailable("watch", ctx.Err())
	}
	r, err := f.read(ctx)
	if err != nil {
		return room.Snapshot{}, err
	}
	f.leaveStrays(r)
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.mark != r.mark {
		return room.Snapshot{}, errUnlinked
	}
	if f.queued >= maxQueued {
		return room.Snapshot{}, errUnlinked
	}
	f.epoch, f.seq = r.room.Epoch, r.room.Seq
	if r.entry != "" {
		f.recent.add(f.seq, hashOf([]byte(r.entry)))
	}
	f.retracted = r.retracted
	f.created, f.lobby = r.room.CreatedAt, r.lobby
	f.started, f.deadline = r.room.StartedAt, r.room.Deadline
	f.locked = r.room.Locked
	for _, p := range r.online {
		f.enterCrowd(p.node, p.user)
	}
	f.arm()
	f.open = true
	snapshot := room.Snapshot{Room: r.room, Online: f.online.users(), Retracted: slices.Clone(f.retracted)}
	f.goLive()
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
	for _, node := range f.online.nodes() {
		if node != f.store.node {
			f.store.nodes.leave(node)
		}
	}
	f.online = crowd{}
	if f.store.link.remove(f) {
		f.store.presence.forget(f.instanceID)
	}
}

// end tells the end of the room. The caller holds mu.
func (f *feed) end(reason room.EndReason) {
	if f.over {
		return
	}
	f.tell(room.Event{Kind: room.EventEnded, Reason: reason})
	f.stop()
}

// isOver reports whether the room has ended or the feed is closed.
func (f *feed) isOver() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.over
}

// linkUp says that the channel is subscribed to from now on.
func (f *feed) linkUp() {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.over || f.linked {
		return
	}
	f.linked = true
	close(f.up)
	f.down = make(chan struct{})
	if f.open {
		f.resync()
	}
}

// linkDown says that events may have been lost from now on.
func (f *feed) linkDown() {
	f.mu.Lock()
	defer f.mu.Unlock()
	if !f.linked {
		return
	}
	f.linked, f.live, f.mark, f.queue = false, false, "", nil
	close(f.down)
	f.up = make(chan struct{})
}

// Typing implements room.Feed.
func (f *feed) Typing(ctx context.Context, userID string) error {
	if f.isOver() {
		return room.ErrRoomNotFound
	}
	if err := ctx.Err(); err != nil {
		return unavailable("typing", err)
	}
	// On a cluster, through the server that tells everything else of the room.
	publish := redis.NewIntCmd(ctx, "publish", f.keys.channel, encodeTyping(userID))
	if err := f.store.send(ctx, f.keys.keys[0], publish); err != nil {
		return unavailable("typing", err)
	}
	return nil
}

// errUnlinked means that a synchronization is void because the link was lost.
var errUnlinked = fmt.Errorf("redisstore: %w: the connection for events was lost", room.ErrUnavailable)
