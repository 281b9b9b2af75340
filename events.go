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
)

// The events that Caddy's events app is given. Their data is documented in
// docs/operations.md: never what is said, passwords or sessions.
const (
	eventRoomCreated   = "room_created"
	eventRoomStarted   = "room_started"
	eventRoomEnded     = "room_ended"
	eventMemberJoined  = "member_joined"
	eventMemberRemoved = "member_removed"
)

const (
	// maxNews is how many events may wait for handlers that are slow.
	maxNews = 1024
	// heraldGrace is how long the handler of an event may take when the chat is
	// closed.
	heraldGrace = time.Second
)

// herald tells the events of a chat, in order and one after the other, to the
// events app of the configuration that runs. Whoever has something to tell does
// not wait for the handlers of it.
type herald struct {
	log     func() *zap.Logger
	dropped atomic.Uint64 // events, because too many waited

	mu      sync.Mutex
	voices  []*voice // the newest last
	news    []news   // the oldest first
	telling bool     // the goroutine of run is at work
	closed  bool
	running sync.WaitGroup // likewise
}

// news is an event that is to be told.
type news struct {
	name string
	data map[string]any
}

// voice is how a handler reaches the events app of its configuration. It is of use
// from when that runs until it is overtaken.
type voice struct {
	herald  *herald
	ctx     caddy.Context // says who emits an event, and when the configuration is over
	app     *caddyevents.App
	started atomic.Bool
}

func newHerald(log func() *zap.Logger) *herald { return &herald{log: log} }

// join gives the herald the voice of a handler that is being provisioned. It is nil
// where there is no events app.
func (h *herald) join(ctx caddy.Context) (*voice, error) {
	loaded, err := ctx.AppIfConfigured("events") // as soon as any module uses it
	if errors.Is(err, caddy.ErrNotConfigured) {
		return nil, nil //nolint:nilnil // nobody can listen
	}
	if err != nil {
		return nil, err
	}
	app, ok := loaded.(*caddyevents.App)
	if !ok {
		return nil, nil //nolint:nilnil // likewise
	}
	v := &voice{herald: h, ctx: ctx, app: app}
	if err := app.On("started", v); err != nil {
		return nil, err
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.voices = append(h.voices, v)
	return v, nil
}

// Handle implements caddyevents.Handler: it is told when its configuration runs.
func (v *voice) Handle(context.Context, caddy.Event) error {
	v.started.Store(true)
	v.herald.mu.Lock()
	defer v.herald.mu.Unlock()
	v.herald.wake()
	return nil
}

// leave takes back what join has given; nil is nothing.
func (h *herald) leave(v *voice) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.voices = slices.DeleteFunc(h.voices, func(other *voice) bool { return other == v })
}

// current returns the newest voice whose configuration runs, nil if there is none.
// mu is held.
func (h *herald) current() *voice {
	for _, v := range slices.Backward(h.voices) {
		if v.started.Load() && v.ctx.Err() == nil {
			return v
		}
	}
	return nil
}

// tell tells an event soon. It never blocks.
func (h *herald) tell(name string, data map[string]any) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.closed || len(h.voices) == 0 {
		return
	}
	if v := h.current(); v != nil && !v.app.ShouldEmit(name) {
		return
	}
	if len(h.news) >= maxNews {
		if h.dropped.Add(1) == 1 {
			h.log().Warn("events are dropped, because their handlers are too slow")
		}
		return
	}
	h.news = append(h.news, news{name, data})
	h.wake()
}

// wake sees to it that news are told, if they can be. mu is held.
func (h *herald) wake() {
	if h.telling || len(h.news) == 0 || h.current() == nil {
		return
	}
	h.telling = true
	h.running.Go(h.run) // ends when there is nothing to tell; close waits
}

func (h *herald) run() {
	for {
		h.mu.Lock()
		v := h.current()
		if len(h.news) == 0 || v == nil {
			h.telling = false
			if len(h.news) == 0 {
				h.news = nil
			}
			h.mu.Unlock()
			return
		}
		next := h.news[0]
		h.news[0] = news{}
		h.news = h.news[1:]
		h.mu.Unlock()
		v.app.Emit(v.ctx, next.name, next.data)
	}
}

// close drops what has not been told, and waits for the handler that is being
// told: not for longer than heraldGrace, because handlers are anybody's code.
func (h *herald) close() error {
	h.mu.Lock()
	h.closed, h.news = true, nil
	h.mu.Unlock()
	done := make(chan struct{})
	// Ends with run.
	go func() {
		h.running.Wait()
		close(done)
	}()
	timer := time.NewTimer(heraldGrace)
	defer timer.Stop()
	select {
	case <-done:
		return nil
	case <-timer.C:
		return errors.New("the handler of an event does not end")
	}
}

// tell tells an event of a room, about a user unless that is empty, with more
// names and values that alternate.
func (c *chat) tell(name, roomID, userID string, more ...any) {
	data := map[string]any{"store": c.name, "room_id": roomID}
	if userID != "" {
		data["user_id"] = userID
	}
	for i := 0; i+1 < len(more); i += 2 {
		if key, ok := more[i].(string); ok {
			data[key] = more[i+1]
		}
	}
	c.herald.tell(name, data)
}

// Interface guards
var _ caddyevents.Handler = (*voice)(nil)
