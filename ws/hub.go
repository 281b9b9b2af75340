package ws

import (
	"context"
	"errors"
	"net/netip"
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
	// awayGrace is how long connections have to take the close frame when the
	// hub closes.
	awayGrace = time.Second
	// retrySpread is the time within which clients of a hub that closes are
	// told to come back.
	retrySpread = 2 * time.Second
)

// Settings are what a site allows its connections.
type Settings struct {
	// Rooms are the rooms of the hub's store, under the limits of the site.
	Rooms *room.Rooms
	// PingInterval is the time between pings. A connection that has been silent
	// for twice that is dead.
	PingInterval time.Duration
	// MessageRate and MessageBurst limit the messages of one connection;
	// rate.Inf is no limit.
	MessageRate  rate.Limit
	MessageBurst int
	// FlushInterval is the least time between two passes over more than 64
	// connections of one room; what is said meanwhile goes out together. The first
	// connection to a room decides for the room. Zero is none.
	FlushInterval time.Duration
	// Client is the address that the connection counts for, and MaxConnections how
	// many of one address the hub may have open; zero is no limit. Addresses are
	// counted for the whole hub, whatever limits the sites that share it have.
	Client         netip.Addr
	MaxConnections int
	// UserID is the user whom the site has signed in, whatever the client says;
	// empty where clients say who they are.
	UserID string
}

// Hub holds the connections of one node to the rooms of one store. It is safe
// for concurrent use.
type Hub struct {
	store room.Store
	log   func() *zap.Logger
	// synchronous is whether the store is, see room.Store.
	synchronous bool

	orders   atomic.Uint64 // numbers the connections that enter rooms
	counters *counters     // fixed
	observer Observer      // fixed once the hub serves; nil is none

	mu     sync.Mutex
	closed bool
	conns  map[*conn]struct{}
	// clients has how many of the connections each address has; nobody has none.
	clients map[netip.Addr]int
	rooms   map[string]*liveRoom // by the ids of their lives
	// standing has the lives of standing rooms, by the ids of the rooms: of those
	// that are open, the one that was opened last.
	standing map[string]*liveRoom

	running sync.WaitGroup // connections, and users who are about to leave
}

// NewHub returns a hub for the rooms of store. log is asked for a logger each
// time something is logged, because loggers can be replaced while a hub lives.
func NewHub(store room.Store, log func() *zap.Logger) *Hub {
	return &Hub{
		store:       store,
		log:         log,
		synchronous: store.Synchronous(),
		counters:    newCounters(),
		conns:       make(map[*conn]struct{}),
		clients:     make(map[netip.Addr]int),
		rooms:       make(map[string]*liveRoom),
		standing:    make(map[string]*liveRoom),
	}
}

// Close closes every connection with 1001 (going away) and waits until they are
// gone, about a second at most; a new one is refused with apierror.ErrGoingAway.
// The reason of the close frame tells the client when to come back: retry=<ms>.
// The store stays open; users stay online in it until it is closed.
func (h *Hub) Close() {
	h.mu.Lock()
	h.closed = true
	conns := make([]*conn, 0, len(h.conns))
	for c := range h.conns {
		conns = append(conns, c)
	}
	rooms := make([]*liveRoom, 0, len(h.rooms))
	for _, lr := range h.rooms {
		rooms = append(rooms, lr)
	}
	h.mu.Unlock()

	for _, lr := range rooms {
		lr.forgetLeaving()
	}
	for _, c := range conns {
		c.close(awayGrace, goingAwayFrame())
	}
	gone := make(chan struct{})
	// It ends when the connections have, which the deadlines below see to.
	go func() {
		h.running.Wait()
		close(gone)
	}()
	timer := time.NewTimer(awayGrace)
	defer timer.Stop()
	select {
	case <-gone:
		return
	case <-timer.C:
	}
	for _, c := range conns {
		c.abort()
	}
	<-gone
}

// add registers a connection, unless its client has too many.
func (h *Hub) add(c *conn) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.closed {
		return apierror.ErrGoingAway
	}
	client, most := c.settings.Client, c.settings.MaxConnections
	if most > 0 && h.clients[client] >= most {
		return apierror.ErrTooManyConnections
	}
	h.running.Add(1)
	h.conns[c] = struct{}{}
	h.clients[client]++
	return nil
}

// drop forgets a connection that add has registered.
func (h *Hub) drop(c *conn) {
	h.mu.Lock()
	delete(h.conns, c)
	if client := c.settings.Client; h.clients[client] > 1 {
		h.clients[client]--
	} else {
		delete(h.clients, client)
	}
	h.mu.Unlock()
	h.running.Done()
}

// acquire returns the live room of a life, opening it with the pace if it is not.
// The caller releases it. While the connections of a life that has ended are being
// closed, the next one has a live room of its own.
func (h *Hub) acquire(ctx context.Context, instanceID string, pace time.Duration) (*liveRoom, error) {
	for {
		h.mu.Lock()
		if h.closed {
			h.mu.Unlock()
			return nil, apierror.ErrGoingAway
		}
		lr := h.rooms[instanceID]
		switch {
		case lr == nil:
			lr = newLiveRoom(h, instanceID, pace)
			h.rooms[instanceID] = lr
			if roomID, life := room.SplitInstanceID(instanceID); life != "" {
				h.standing[roomID] = lr
			}
			h.mu.Unlock()
			return h.open(ctx, lr)
		case lr.refs == 0: // it is being closed; a room is watched once at a time
			h.mu.Unlock()
			select {
			case <-lr.closed:
			case <-ctx.Done():
				return nil, unavailable(ctx)
			}
		default:
			lr.refs++
			h.mu.Unlock()
			select {
			case <-lr.ready:
			case <-ctx.Done():
				h.release(lr)
				return nil, unavailable(ctx)
			}
			if lr.err == nil {
				return lr, nil
			}
			h.release(lr)
			if !lr.deserted {
				return nil, lr.err
			}
			select {
			case <-lr.closed:
			case <-ctx.Done():
				return nil, unavailable(ctx)
			}
		}
	}
}

func (h *Hub) open(ctx context.Context, lr *liveRoom) (*liveRoom, error) {
	lr.err = lr.watch(ctx)
	lr.deserted = lr.err != nil && errors.Is(ctx.Err(), context.Canceled)
	close(lr.ready)
	if lr.err != nil {
		h.release(lr)
		return nil, lr.err
	}
	return lr, nil
}

// release gives up one hold on a live room. The last one closes it.
func (h *Hub) release(lr *liveRoom) {
	h.mu.Lock()
	lr.refs--
	last := lr.refs == 0
	h.mu.Unlock()
	if !last {
		return
	}
	lr.close()
	h.mu.Lock()
	delete(h.rooms, lr.id)
	if roomID, _ := room.SplitInstanceID(lr.id); h.standing[roomID] == lr {
		delete(h.standing, roomID)
	}
	h.mu.Unlock()
	close(lr.closed)
}

// hold takes another hold on a live room that the caller holds, for something
// that Close has to wait for. It fails when the hub is closing.
func (h *Hub) hold(lr *liveRoom) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.closed {
		return false
	}
	lr.refs++
	h.running.Add(1)
	return true
}

// peek returns a room that is open on this node, so that a session can be checked
// without asking the store. A standing room may be in another life by now.
func (h *Hub) peek(roomID string) *liveRoom {
	h.mu.Lock()
	defer h.mu.Unlock()
	lr := h.rooms[roomID]
	if lr == nil {
		lr = h.standing[roomID]
	}
	if lr == nil || lr.refs == 0 {
		return nil
	}
	select {
	case <-lr.ready:
		if lr.err == nil {
			return lr
		}
		return nil
	default:
		return nil
	}
}
