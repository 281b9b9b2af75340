package ws

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gorilla/websocket"
	"golang.org/x/time/rate"

	"github.com/ephemeralchat/caddy-ephemeral-chat/internal/apierror"
	"github.com/ephemeralchat/caddy-ephemeral-chat/room"
)

// maxQueue is how many bytes may wait for a connection that reads too slowly
// before it is given up.
const maxQueue = 4 << 20

// conn is a connection. It is made before its upgrade, so that it can be
// refused a place in its room by an HTTP status.
type conn struct {
	// Fixed once the connection runs.
	hub      *Hub
	settings Settings
	socketID string
	ws       *websocket.Conn

	// Fixed once the connection has joined.
	room    *liveRoom
	userID  string
	session room.Session
	order   uint64 // of the connections that have entered rooms on this node

	// Owned by the reading goroutine.
	calls    calls
	limiter  *rate.Limiter // of messages; nil until the first
	again    *rate.Limiter // of messages that come again though they were accepted; likewise
	lookups  *rate.Limiter // of requests for the history; likewise
	retracts *rate.Limiter // of retractions; likewise
	typedAt  time.Time
	heard    time.Time // when alive has last done something
	refusals refusalCount
	refused  refusedIDs
	// accepted is the highest id of the session that is known to be stored.
	accepted uint64
	// retry is the id of the message that the store could not take and that has
	// not come again, owed the highest id that was answered unavailable since and
	// has not come again; each is zero if there is none. The client sends all from
	// retry to owed again, in order.
	retry, owed uint64

	// echoed is the highest id of the session that a message was told with. The
	// fan-out sets it, before it queues the message.
	echoed atomic.Uint64

	// Guarded by room.mu.
	index  int    // in room.conns; -1 when not in it
	opened bool   // its own EventOpened has been seen
	live   bool   // the fan-out delivers messages to it
	cursor uint64 // number of the last message that it was given, until live

	mu  sync.Mutex
	out *wire // nil until the upgrade
	// cancel and cancelReplay end the calls of the store that the reading and the
	// replay goroutine make; once aborted, they have been called. Each is written
	// by its goroutine only; nil is none.
	cancel, cancelReplay context.CancelFunc
	aborted              bool
	queue                []*frame
	inline               [2]*frame     // the memory of a short queue
	queued               int           // bytes that wait, those that are being written included
	held                 bool          // the queue waits for start
	writing              bool          // somebody runs write or flush, or is about to
	timed                bool          // a write deadline is set
	closing              bool          // nothing more is accepted; the last frame is a close
	ending               string        // when closing: of closeReasons, or closedByClient
	closeBy              time.Time     // when closing: what is not written by then is lost
	idle                 chan struct{} // closed when writing ends, if somebody waits for that
	pinger               *time.Timer
}

func newConn(h *Hub, s Settings, cancel context.CancelFunc) *conn {
	c := &conn{
		hub:      h,
		cancel:   cancel,
		settings: s,
		socketID: room.NewNonce(),
		index:    -1,
		held:     true,
	}
	c.queue = c.inline[:0]
	return c
}

// send queues a frame and sees to it that somebody writes it. When the queue is
// full, the connection is closed instead with apierror.ErrTooSlow. It never blocks.
func (c *conn) send(f *frame) {
	if c.enqueue(f) {
		go c.write(nil, 0) // see wake
	}
}

// enqueue is send, but if it reports true, it is for the caller to flush.
func (c *conn) enqueue(f *frame) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closing {
		return false
	}
	if c.queued+f.size > maxQueue {
		c.dropQueue()
		c.closeLocked(slowGrace, refusalFrame(apierror.ErrTooSlow))
		return false
	}
	c.queue = append(c.queue, f)
	c.queued += f.size
	return c.claim()
}

// sendUnbounded queues a frame that doesn't count against the limit of the
// queue, because its sender waits for the queue to drain before it sends
// another.
func (c *conn) sendUnbounded(f *frame) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.closing {
		c.push(&frame{bytes: f.bytes})
	}
}

// hold keeps what is queued from now on until start, or until the connection is
// closed.
func (c *conn) hold() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.held = !c.closing
}

// start lets the queue go, with first as its first frame, unless it is nil or
// the connection is closing.
func (c *conn) start(first *frame) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if first != nil && !c.closing {
		c.queue = append([]*frame{first}, c.queue...)
		c.queued += first.size
	}
	c.held = false
	c.wake()
}

// push queues a frame and sees to it that somebody writes it.
func (c *conn) push(frames ...*frame) {
	for _, f := range frames {
		c.queue = append(c.queue, f)
		c.queued += f.size
	}
	c.wake()
}

func (c *conn) wake() {
	if c.claim() {
		// It ends when the queue is empty or a write fails, which closing the
		// connection brings about. The reading goroutine waits for it (finish).
		go c.write(nil, 0)
	}
}

// claim makes the caller the one who sees to the writing of what is queued, if it
// reports true. mu is held.
func (c *conn) claim() bool {
	if c.held || c.writing || len(c.queue) == 0 {
		return false
	}
	c.writing = true
	return true
}

func (c *conn) dropQueue() {
	for _, f := range c.queue {
		c.queued -= f.size
	}
	clear(c.queue)
	c.queue = c.inline[:0]
}

// forgetContext ends the context of the joining. One that has been used keeps
// memory for its children; an idle connection has none.
func (c *conn) forgetContext() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.cancel()
	c.cancel = nil
}

// context returns a context for calls of the store, which abort ends, in the
// place of the one before it.
func (c *conn) context(cancel *context.CancelFunc) context.Context {
	ctx, end := context.WithCancel(context.Background())
	c.mu.Lock()
	defer c.mu.Unlock()
	if *cancel != nil {
		(*cancel)()
	}
	*cancel = end
	if c.aborted {
		end()
	}
	return ctx
}
