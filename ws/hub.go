package ws

import (
	"context"
	"errors"
	"maps"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"
	"golang.org/x/time/rate"

	"github.com/ephemeralchat/caddy-ephemeral-chat/internal/apierror"
	"github.com/ephemeralchat/caddy-ephemeral-chat/room"
)

const (
	// storeTimeout bounds each call of the store.
	storeTimeout = 5 * time.Second
	// awayGrace is the time for connections to take the close frame when the hub closes.
	awayGrace = time.Second
	// retrySpread is the time within which a closing hub asks its clients to reconnect.
	retrySpread = 2 * time.Second
)

// Settings are the limits of a site's connections.
type Settings struct {
	// Rooms are the rooms of the hub's store, under the limits of the site.
	Rooms *room.Rooms
	// PingInterval is the time between pings. A connection that is silent for twice
	// that time is dead.
	PingInterval time.Duration
	// MessageRate and MessageBurst limit the messages of one connection;
	// rate.Inf is no limit.
	MessageRate  rate.Limit
	MessageBurst int
	// FlushInterval is the least time between two flushes to more than 64
	// connections of one room; messages posted meanwhile go out together. The first
	// connection to a room sets it for the room. Zero is no limit.
	FlushInterval time.Duration
	// Client is the address that the connection counts for, and MaxConnections how
	// many of one address the hub may have open; zero is no limit. Addresses are
	// counted for the whole hub, whatever limits the sites that share it have.
	Client         netip.Addr
	MaxConnections int
	// UserID is the user that the site has signed in, whatever the client sends;
	// empty where clients choose their names.
	UserID string
}

// deadAfter is how long a connection may be silent, or accept no bytes.
func (s *Settings) deadAfter() time.Duration { return 2 * s.PingInterval }

// Observer receives the changes of rooms that no call asked for. Methods must not
// block; any goroutine may call them.
type Observer interface {
	// RoomStarted reports that a message of a user of this hub has started the room,
	// which lives for ttl. Of all hubs that share a store, one reports it.
	RoomStarted(roomID, userID string, ttl time.Duration)
	// RoomExpired reports that a room with connections to this hub has reached its
	// deadline.
	RoomExpired(roomID string)
}

// Hub holds the connections of one node to the rooms of one store. It is safe
// for concurrent use.
type Hub struct {
	// Fixed once the hub serves.
	store       room.Store
	log         func() *zap.Logger
	synchronous bool // see room.Store
	counters    counters
	observer    Observer // nil for none

	orders atomic.Uint64 // numbers the connections that enter rooms

	mu      sync.Mutex
	closed  bool
	conns   map[*conn]struct{}
	ends    map[string]uint64   // connections that have ended, by CloseReasons
	clients map[netip.Addr]int  // connections of each address; never zero
	rooms   map[string]*hubRoom // by instance id
	// declared has the newest open instance of each declared room, by room id.
	declared map[string]*hubRoom

	running sync.WaitGroup // connections, replays, and users in their leaveGrace
}

// NewHub returns a hub for the rooms of store. The hub calls log for each entry,
// because loggers can be replaced during its lifetime.
func NewHub(store room.Store, log func() *zap.Logger) *Hub {
	ends := make(map[string]uint64)
	for _, reason := range CloseReasons() {
		ends[reason] = 0
	}
	return &Hub{
		store:       store,
		log:         log,
		synchronous: store.Synchronous(),
		counters:    counters{refused: apierror.NewCounter()},
		ends:        ends,
		conns:       make(map[*conn]struct{}),
		clients:     make(map[netip.Addr]int),
		rooms:       make(map[string]*hubRoom),
		declared:    make(map[string]*hubRoom),
	}
}

// Observe sets the observer. Call it before the hub serves.
func (h *Hub) Observe(o Observer) { h.observer = o }

// Close closes every connection with 1001 (going away) and waits for their end,
// about a second at most. New ones are refused with apierror.ErrGoingAway. The
// reason of the close frame is the time until the client should reconnect:
// retry=<ms>. The store stays open; users stay online in it until it is closed.
func (h *Hub) Close() {
	h.mu.Lock()
	h.closed = true
	conns := slices.Collect(maps.Keys(h.conns))
	rooms := slices.Collect(maps.Values(h.rooms))
	h.mu.Unlock()

	for _, hr := range rooms {
		hr.stopLeaveTimers()
	}
	for _, c := range conns {
		c.close(awayGrace, closeFrameOf(apierror.ErrGoingAway))
	}
	timer := time.AfterFunc(awayGrace, func() {
		for _, c := range conns {
			c.abort()
		}
	})
	defer timer.Stop()
	h.running.Wait()
}

// add registers a connection, unless its client has too many.
func (h *Hub) add(c *conn) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.closed {
		return apierror.ErrGoingAway
	}
	client, limit := c.settings.Client, c.settings.MaxConnections
	if limit > 0 && h.clients[client] >= limit {
		return apierror.ErrTooManyConnections
	}
	h.running.Add(1)
	h.conns[c] = struct{}{}
	h.clients[client]++
	return nil
}

// remove undoes add, and counts the end of a connection that was open by its reason.
func (h *Hub) remove(c *conn, reason string) {
	h.mu.Lock()
	if reason != "" {
		h.ends[reason]++
	}
	delete(h.conns, c)
	if client := c.settings.Client; h.clients[client] > 1 {
		h.clients[client]--
	} else {
		delete(h.clients, client)
	}
	h.mu.Unlock()
	h.running.Done()
}

// acquire returns the hubRoom of an instance and takes a reference to it, which the
// caller releases. If there is none yet, acquire opens it with the flush interval.
// While an ended instance closes its connections, the next one of the same room has
// a hubRoom of its own.
func (h *Hub) acquire(ctx context.Context, instanceID string, flushInterval time.Duration) (*hubRoom, error) {
	for {
		h.mu.Lock()
		if h.closed {
			h.mu.Unlock()
			return nil, apierror.ErrGoingAway
		}
		hr := h.rooms[instanceID]
		if hr == nil {
			hr = newHubRoom(h, instanceID, flushInterval)
			h.rooms[instanceID] = hr
			if hr.roomID != instanceID {
				h.declared[hr.roomID] = hr
			}
			h.mu.Unlock()
			return h.open(ctx, hr)
		}
		closing := hr.refs == 0
		if !closing {
			hr.refs++
		}
		h.mu.Unlock()
		if !closing {
			opened := await(ctx, hr.ready)
			if opened == nil && hr.err == nil {
				return hr, nil
			}
			h.release(hr)
			if opened != nil {
				return nil, opened
			}
			if !hr.abandoned {
				return nil, hr.err
			}
		}
		// A room is watched once at a time: the next attempt follows this one's end.
		if err := await(ctx, hr.closed); err != nil {
			return nil, err
		}
	}
}

// open watches the room for the first connection, which holds a reference.
func (h *Hub) open(ctx context.Context, hr *hubRoom) (*hubRoom, error) {
	hr.err = hr.watch(ctx)
	hr.abandoned = hr.err != nil && errors.Is(ctx.Err(), context.Canceled)
	close(hr.ready)
	if hr.err != nil {
		h.release(hr)
		return nil, hr.err
	}
	return hr, nil
}

// release gives one reference back. The last one closes the hubRoom.
func (h *Hub) release(hr *hubRoom) {
	h.mu.Lock()
	hr.refs--
	last := hr.refs == 0
	h.mu.Unlock()
	if !last {
		return
	}
	hr.close()
	h.mu.Lock()
	delete(h.rooms, hr.id)
	if h.declared[hr.roomID] == hr {
		delete(h.declared, hr.roomID)
	}
	h.mu.Unlock()
	close(hr.closed)
}

// retain takes another reference to a hubRoom for work that Close must wait for; the
// caller holds one already. It fails if the hub is closing.
func (h *Hub) retain(hr *hubRoom) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.closed {
		return false
	}
	hr.refs++
	h.running.Add(1)
	return true
}

// openRoom returns the hubRoom of a room that is open on this node, or nil, so that
// a session can be checked without the store. A declared room may have a newer
// instance elsewhere.
func (h *Hub) openRoom(roomID string) *hubRoom {
	h.mu.Lock()
	defer h.mu.Unlock()
	hr := h.rooms[roomID]
	if hr == nil {
		hr = h.declared[roomID]
	}
	if hr == nil || hr.refs == 0 || !hr.isReady() {
		return nil
	}
	return hr
}

// await waits for a channel to be closed, and fails if ctx ends first.
func await(ctx context.Context, done <-chan struct{}) error {
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return unavailable(ctx)
	}
}

// unavailable is the error of a store call that ctx has ended.
func unavailable(ctx context.Context) error {
	return errors.Join(room.ErrUnavailable, context.Cause(ctx))
}
