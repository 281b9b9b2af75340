package ws

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gorilla/websocket"
	"go.uber.org/zap"
	"golang.org/x/time/rate"

	"github.com/ephemeralchat/caddy-ephemeral-chat/internal/apierror"
	"github.com/ephemeralchat/caddy-ephemeral-chat/room"
)

// maxQueue is how many bytes may wait for a connection before it is closed for
// reading too slowly.
const maxQueue = 4 << 20

// deadlineSlack is the part of a PingInterval by which a read deadline may be late,
// so that it is not set for every frame.
const deadlineSlack = 16

// conn is a connection. It is made before its upgrade, so that the room can refuse it
// by an HTTP status.
type conn struct {
	// Fixed once the connection runs.
	hub      *Hub
	settings Settings
	socketID string
	ws       *websocket.Conn

	// Fixed once the connection has joined.
	room    *hubRoom
	userID  string
	session room.Session
	order   uint64 // among the connections that have entered rooms on this node

	// Owned by the reading goroutine.
	storeCtx       context.Context //nolint:containedctx // for calls of the store, which end before the connection; see startCall
	storeTimer     *time.Timer     // ends storeCtx
	messageLimiter limiter         // of new messages
	resendLimiter  limiter         // of messages that are sent again though they were accepted
	historyLimiter limiter
	retractLimiter limiter
	typingSent     time.Time // last typing event
	extended       time.Time // last extendReadDeadline
	errorsSince    time.Time // begin of the errorWindow
	errorCount     int       // error frames within it
	// refused has why messages were refused for good, so that a client that resends
	// one gets the same answer and no ack. Beyond maxRefused it forgets the oldest.
	refused []refusal
	// lastAccepted is the highest id of the session that is known to be stored.
	lastAccepted uint64
	// firstUnacked and lastUnacked are the lowest and the highest id that were answered
	// `unavailable` and not resent since; zero for none. The client must resend that
	// range in order.
	firstUnacked, lastUnacked uint64

	// lastEchoed is the highest id of the session whose message was fanned out. The
	// fan-out sets it before it queues the message.
	lastEchoed atomic.Uint64

	// Guarded by room.mu.
	index  int    // in room.conns; -1 if absent
	opened bool   // its own EventOpened has arrived
	live   bool   // the fan-out delivers messages to it
	cursor uint64 // number of the last message that it was given, until live

	mu  sync.Mutex
	out *netConn // nil until the upgrade
	// cancel and cancelReplay end the store calls of the reading and of the replay
	// goroutine, and are set by these; nil for none. If aborted, they have been called.
	cancel, cancelReplay context.CancelFunc
	aborted              bool
	queue                []*frame
	inline               [2]*frame     // the memory of a short queue
	queuedBytes          int           // bytes in the queue or being written
	held                 bool          // the queue waits for releaseQueue
	writing              bool          // a goroutine runs writeQueue or flush, or soon will
	hasDeadline          bool          // a write deadline is set
	closing              bool          // no more frames are accepted; the last one is a close
	endReason            string        // once closing: of closeReasons, or closedByClient
	closeBy              time.Time     // once closing: frames not written by then are lost
	idle                 chan struct{} // closed when writing ends; nil if nothing waits for it
	pingTimer            *time.Timer
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

// send queues a frame and makes sure that it is written. It never blocks.
func (c *conn) send(f *frame) {
	if c.enqueue(f) {
		go c.writeQueue(nil, 0) // see startWriting
	}
}

// enqueue queues a frame. If it returns true, the caller must call flush or
// writeQueue. If the queue is full, it closes the connection with
// apierror.ErrTooSlow instead.
func (c *conn) enqueue(f *frame) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closing {
		return false
	}
	if c.queuedBytes+f.size > maxQueue {
		c.dropQueue()
		c.closeLocked(slowGrace, closeFrameOf(apierror.ErrTooSlow))
		return false
	}
	c.queue = append(c.queue, f)
	c.queuedBytes += f.size
	return c.acquireWriting()
}

// sendUnbounded queues a frame that does not count against maxQueue, because its
// sender waits for the queue to drain before the next one.
func (c *conn) sendUnbounded(f *frame) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.closing {
		c.push(&frame{bytes: f.bytes})
	}
}

// holdQueue keeps the frames queued from now on until releaseQueue, or until the
// connection is closed.
func (c *conn) holdQueue() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.held = !c.closing
}

// releaseQueue ends holdQueue, with first as the first frame unless it is nil or the
// connection is closing.
func (c *conn) releaseQueue(first *frame) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if first != nil && !c.closing {
		c.queue = append([]*frame{first}, c.queue...)
		c.queuedBytes += first.size
	}
	c.held = false
	c.startWriting()
}

// push queues frames and makes sure that they are written. mu is held, here and below.
func (c *conn) push(frames ...*frame) {
	for _, f := range frames {
		c.queue = append(c.queue, f)
		c.queuedBytes += f.size
	}
	c.startWriting()
}

func (c *conn) startWriting() {
	if c.acquireWriting() {
		// It ends when the queue is empty or a write fails, which closing the
		// connection causes. finish waits for it.
		go c.writeQueue(nil, 0)
	}
}

// acquireWriting makes the caller the only writer of the queue, if it returns true.
func (c *conn) acquireWriting() bool {
	if c.held || c.writing || len(c.queue) == 0 {
		return false
	}
	c.writing = true
	return true
}

func (c *conn) dropQueue() {
	for _, f := range c.queue {
		c.queuedBytes -= f.size
	}
	clear(c.queue)
	c.queue = c.inline[:0]
}

// endJoinContext ends the context of the join. A used context keeps memory for its
// children, which an idle connection has not.
func (c *conn) endJoinContext() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.cancel()
	c.cancel = nil
}

// newContext returns a context for store calls, which abort ends, and ends the one
// before it.
func (c *conn) newContext(cancel *context.CancelFunc) context.Context {
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

// startCall returns the context of a store call of the reading goroutine. It ends
// after storeTimeout, or by abort. endCall must follow before the next startCall.
//
// A context with a deadline per call would cost more than the rest of the handling of
// a message, so one serves all calls until it has timed out.
func (c *conn) startCall() context.Context {
	if c.storeCtx == nil || c.storeCtx.Err() != nil {
		c.storeCtx = c.newContext(&c.cancel)
		c.storeTimer = time.AfterFunc(storeTimeout, c.cancel)
	} else {
		c.storeTimer.Reset(storeTimeout)
	}
	return c.storeCtx
}

// endCall ends the call. If the time-out has fired meanwhile, the next call gets a new
// context.
func (c *conn) endCall() { c.storeTimer.Stop() }

// startPinging pings the client every PingInterval.
func (c *conn) startPinging() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closing {
		return
	}
	// finish stops the timer. If the function runs at that moment, it finds closing set
	// and does not start the timer again.
	c.pingTimer = time.AfterFunc(c.settings.PingInterval, func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		if !c.closing {
			c.push(pingFrame)
			c.pingTimer.Reset(c.settings.PingInterval)
		}
	})
}

// extendReadDeadline gives the client another deadAfter to send something, unless the
// connection is closing.
func (c *conn) extendReadDeadline() {
	now := time.Now()
	if now.Sub(c.extended) < c.settings.PingInterval/deadlineSlack {
		return // setting it costs more than a little slack
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.closing {
		c.extended = now
		_ = c.out.SetReadDeadline(now.Add(c.settings.deadAfter() + c.settings.PingInterval/deadlineSlack))
	}
}

// limiter is a rate limiter that is made on its first use.
type limiter struct{ *rate.Limiter }

func (l *limiter) allow(limit rate.Limit, burst int) bool {
	if l.Limiter == nil {
		l.Limiter = rate.NewLimiter(limit, burst)
	}
	return l.Allow()
}

// logFailure logs a failed operation, without any text of a message. The store itself
// logs once that it is unavailable, so that not every frame does.
func (c *conn) logFailure(operation string, err error) {
	level := zap.ErrorLevel
	if errors.Is(err, room.ErrUnavailable) {
		level = zap.DebugLevel
	}
	c.hub.log().Log(level, "ephemeral chat: "+operation, zap.Error(err))
}
