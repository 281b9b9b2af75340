package ephemeralchat

import (
	"context"
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyevents"
	"go.uber.org/zap"

	"github.com/ephemeralchat/caddy-ephemeral-chat/api"
	"github.com/ephemeralchat/caddy-ephemeral-chat/room"
	"github.com/ephemeralchat/caddy-ephemeral-chat/ws"
)

// The methods of api.Observer and ws.Observer. They emit the events that docs/run.md
// documents. The data of events never includes messages, passwords or sessions.

func (s *sharedStore) RoomCreated(roomID, userID string, ttl time.Duration) {
	s.emit("room_created", roomID, userID, "ttl", int64(ttl/time.Second))
}

func (s *sharedStore) RoomStarted(roomID, userID string, ttl time.Duration) {
	s.emit("room_started", roomID, userID, "ttl", int64(ttl/time.Second))
}

func (s *sharedStore) RoomDeleted(roomID, userID string) {
	s.emit("room_ended", roomID, userID, "reason", string(room.EndDeleted))
}

func (s *sharedStore) RoomExpired(roomID string) {
	s.emit("room_ended", roomID, "", "reason", string(room.EndExpired))
}

func (s *sharedStore) MemberJoined(roomID, userID string) {
	s.emit("member_joined", roomID, userID, "", nil)
}

func (s *sharedStore) MemberRemoved(roomID, userID, by string) {
	s.emit("member_removed", roomID, userID, "by", by)
}

// emit emits an event of a room, with a user and one more value if they are not empty.
func (s *sharedStore) emit(name, roomID, userID, key string, value any) {
	data := map[string]any{"store": s.name, "room_id": roomID}
	if userID != "" {
		data["user_id"] = userID
	}
	if key != "" {
		data[key] = value
	}
	s.events.emit(queuedEvent{name, data})
}

const (
	// maxQueuedEvents bounds the events that wait for slow handlers.
	maxQueuedEvents = 1024
	// eventGrace bounds how long close waits for the handler of an event.
	eventGrace = time.Second
)

// eventDispatcher passes the events of a store to the events app of the running
// configuration, in order and one at a time.
//
// It does not call App.Emit directly, because that calls the handlers of an event and
// waits for them: a slow one, such as a command, would block requests and the fan-out
// of messages. It also bridges reloads, since a store outlives configurations and
// only a running one may handle events.
type eventDispatcher struct {
	// Fixed.
	log     func() *zap.Logger
	changed *sync.Cond    // signals a change of the fields below
	done    chan struct{} // closed when run ends

	dropped atomic.Uint64 // events for which the queue was full

	mu       sync.Mutex
	closed   bool
	queue    []queuedEvent
	emitters []*emitter // of configurations that are not cleaned up, the newest last
}

type queuedEvent struct {
	name string
	data map[string]any
}

// emitter binds one configuration's events app. It is valid from the start of the
// configuration until the next reload.
type emitter struct {
	// Fixed.
	ctx caddy.Context // of the handler; canceled when the configuration ends
	app *caddyevents.App

	started bool // guarded by the dispatcher's mu
}

func newEventDispatcher(log func() *zap.Logger) *eventDispatcher {
	d := &eventDispatcher{log: log, done: make(chan struct{})}
	d.changed = sync.NewCond(&d.mu)
	go d.run() // until close
	return d
}

// attach adds the emitter of a handler that is being provisioned. It returns nil if
// the configuration has no events app.
func (d *eventDispatcher) attach(ctx caddy.Context) (*emitter, error) {
	loaded, err := ctx.AppIfConfigured("events") // any module that uses it configures it
	app, ok := loaded.(*caddyevents.App)
	if errors.Is(err, caddy.ErrNotConfigured) || err == nil && !ok {
		return nil, nil //nolint:nilnil // no events app means no handlers
	}
	e := &emitter{ctx: ctx, app: app}
	if err == nil {
		err = app.On("started", onEvent(func() {
			d.mu.Lock()
			defer d.mu.Unlock()
			e.started = true
			d.changed.Signal()
		}))
	}
	if err != nil {
		return nil, err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.emitters = append(d.emitters, e)
	return e, nil
}

// onEvent handles an event of a configuration by a function.
type onEvent func()

// Handle implements caddyevents.Handler.
func (call onEvent) Handle(context.Context, caddy.Event) error {
	call()
	return nil
}

// detach removes an emitter, which may be nil.
func (d *eventDispatcher) detach(e *emitter) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.emitters = slices.DeleteFunc(d.emitters, func(other *emitter) bool { return other == e })
}

// current returns the newest emitter whose configuration runs, or nil. d.mu is held.
func (d *eventDispatcher) current() *emitter {
	for _, e := range slices.Backward(d.emitters) {
		if e.started && e.ctx.Err() == nil {
			return e
		}
	}
	return nil
}

// emit queues an event. It never blocks; it drops the event if the queue is full.
func (d *eventDispatcher) emit(event queuedEvent) {
	d.mu.Lock()
	defer d.mu.Unlock()
	e := d.current()
	if d.closed || len(d.emitters) == 0 || e != nil && !e.app.ShouldEmit(event.name) {
		return
	}
	if len(d.queue) >= maxQueuedEvents {
		if d.dropped.Add(1) == 1 {
			d.log().Warn("dropping events, because their handlers are too slow; see the metric events_dropped_total",
				zap.Int("queued", maxQueuedEvents))
		}
		return
	}
	d.queue = append(d.queue, event)
	d.changed.Signal()
}

// run passes on the queued events until the dispatcher is closed. It waits while no
// configuration runs.
func (d *eventDispatcher) run() {
	defer close(d.done)
	d.mu.Lock()
	defer d.mu.Unlock()
	for !d.closed {
		e := d.current()
		if e == nil || len(d.queue) == 0 {
			d.changed.Wait()
			continue
		}
		event := d.queue[0]
		d.queue = slices.Delete(d.queue, 0, 1)
		d.mu.Unlock()
		e.app.Emit(e.ctx, event.name, event.data)
		d.mu.Lock()
	}
}

// close drops the queued events and waits for the running handler, but no longer than
// eventGrace: handlers are other modules' code.
func (d *eventDispatcher) close() error {
	d.mu.Lock()
	d.closed, d.queue = true, nil
	d.changed.Signal()
	d.mu.Unlock()
	timer := time.NewTimer(eventGrace)
	defer timer.Stop()
	select {
	case <-d.done:
		return nil
	case <-timer.C:
		return errors.New("the handler of an event did not return within " + eventGrace.String())
	}
}

// Interface guards
var (
	_ api.Observer        = (*sharedStore)(nil)
	_ ws.Observer         = (*sharedStore)(nil)
	_ caddyevents.Handler = onEvent(nil)
)
