package redisstore

import (
	"context"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"
)

const (
	// beatEvery is how often a node says that it is alive, and beatLife for how
	// long that holds.
	beatEvery = 5 * time.Second
	beatLife  = 15 * time.Second
	// lookEvery is how often it looks after the other nodes.
	lookEvery = time.Second
	// lastLife is for how long a node that was closed still counts as alive:
	// meanwhile its users can come back on others.
	lastLife = 3 * time.Second
	// recovery is how long after an outage silence says nothing about a node.
	recovery = 2 * beatEvery
)

// heart says that this node is alive while it has feeds, looks whether others
// are, and makes up for what Redis could not be told.
type heart struct {
	store *Store
	kick  chan struct{} // holds a token when a beat is due at once

	mu sync.Mutex
	// All below is guarded by mu.
	beaten bool          // since the first feed
	last   time.Duration // local time of the last beat
	wild   bool          // there was an outage
	calm   time.Duration // local time since when there is none; counts if wild
	owed   map[lifeUser]struct{}
}

func newHeart(s *Store) *heart {
	return &heart{store: s, kick: make(chan struct{}, 1), owed: make(map[lifeUser]struct{})}
}

// unsettle notes an outage.
func (h *heart) unsettle() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.wild, h.calm = true, h.store.clock.local()
}

// steady reports whether a node that is silent must be dead: Redis has been
// there long enough for any living node to have said so.
func (h *heart) steady() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return !h.wild || h.store.clock.local()-h.calm > recovery
}

// owe notes that Redis may not agree with presence about a user.
func (h *heart) owe(who lifeUser) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.owed[who] = struct{}{}
}

// owes reports whether that is so.
func (h *heart) owes(who lifeUser) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	_, owed := h.owed[who]
	return owed
}

// run ends with ctx.
func (h *heart) run(ctx context.Context) {
	ticker := time.NewTicker(lookEvery)
	defer ticker.Stop()
	for {
		now := false
		select {
		case <-ctx.Done():
			return
		case <-h.kick:
			now = true
		case <-ticker.C:
		}
		if err := h.tick(ctx, now); err != nil {
			h.unsettle()
		}
	}
}

// tick does what is due.
func (h *heart) tick(ctx context.Context, now bool) error {
	if h.store.link.idle() {
		h.mu.Lock()
		h.beaten = false // the key may expire
		h.mu.Unlock()
	} else {
		if now || h.due(beatEvery) {
			if err := h.beat(ctx); err != nil {
				return err
			}
		}
		if err := h.store.look(ctx); err != nil {
			return err
		}
	}
	return h.settleOwed(ctx)
}

// due reports whether the last beat is so long ago.
func (h *heart) due(after time.Duration) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return !h.beaten || h.store.clock.local()-h.last >= after
}

// ensure makes sure that others know that this node is alive.
func (h *heart) ensure(ctx context.Context) error {
	if !h.due(2 * beatEvery) {
		return nil
	}
	return h.beat(ctx)
}

// beat says that the node is alive. If Redis had forgotten it, then it has lost
// data, or others have taken the node for dead: all rooms are looked at.
func (h *heart) beat(ctx context.Context) error {
	h.mu.Lock()
	before := h.beaten
	h.mu.Unlock()
	r, err := h.store.runTimed(ctx, scriptBeat, []string{h.store.keys.node(h.store.node)}, int(beatLife/time.Second))
	if err != nil {
		return err
	}
	h.mu.Lock()
	h.beaten, h.last = true, h.store.clock.local()
	h.mu.Unlock()
	if before && r.number(0) == 0 {
		h.unsettle()
		for _, f := range h.store.link.all() {
			f.requestSync()
		}
	}
	return nil
}

// settleOwed tells Redis what it could not be told before.
func (h *heart) settleOwed(ctx context.Context) error {
	h.mu.Lock()
	if len(h.owed) == 0 {
		h.mu.Unlock()
		return nil
	}
	owed := h.owed
	h.owed = make(map[lifeUser]struct{})
	h.mu.Unlock()
	var failed error
	for who := range owed {
		if failed == nil {
			failed = h.store.settle(ctx, who)
		}
		if failed != nil {
			h.owe(who)
		}
	}
	return failed
}

// stop lets the node die, after its goroutine has ended: its users count as gone
// soon.
func (h *heart) stop() {
	h.mu.Lock()
	beaten := h.beaten
	h.mu.Unlock()
	if !beaten {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	// If this fails the key expires by itself, only later.
	key := h.store.keys.node(h.store.node)
	_ = h.store.send(ctx, key, redis.NewStatusCmd(ctx, "set", key, 1, "ex", int(lastLife/time.Second), "xx"))
}
