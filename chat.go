package ephemeralchat

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyevents"
	"go.uber.org/zap"

	"github.com/ephemeralchat/caddy-ephemeral-chat/internal/apierror"
	"github.com/ephemeralchat/caddy-ephemeral-chat/room"
	"github.com/ephemeralchat/caddy-ephemeral-chat/ws"
)

// chat is what handlers with the same store share: the store, the hub of the
// connections to its rooms, and what is counted and told of both.
type chat struct {
	// Fixed.
	name    string         // unique among openChats
	module  caddy.ModuleID // of the store
	store   room.Store
	link    room.PubSub // the store, if it is one; else nil
	hub     *ws.Hub
	meter   *meter            // of calls of the store
	refused *apierror.Counter // requests
	herald  *herald
}

// poolKey names a chat.
type poolKey struct {
	module   caddy.ModuleID
	identity string
}

// chats holds every chat that a handler of some configuration uses. During a
// reload the new handlers take theirs before the old ones give theirs back.
var chats = caddy.NewUsagePool()

// takeChat returns the chat of the store, opening it if nobody has it. The key
// must be released once.
func takeChat(store Store) (*chat, poolKey, error) {
	key := poolKey{module: store.CaddyModule().ID, identity: store.Identity()}
	value, _, err := chats.LoadOrNew(key, func() (caddy.Destructor, error) {
		opened, err := store.Open(currentLogger)
		if err != nil {
			return nil, err
		}
		return openChat(store, opened), nil
	})
	if err != nil {
		return nil, poolKey{}, err
	}
	shared, ok := value.(*chat)
	if !ok {
		return nil, poolKey{}, fmt.Errorf("pool holds a %T", value)
	}
	return shared, key, nil
}

func openChat(config Store, store room.Store) *chat {
	c := &chat{
		module:  config.CaddyModule().ID,
		meter:   new(meter),
		refused: apierror.NewCounter(),
		herald:  newHerald(currentLogger),
	}
	c.link, _ = store.(room.PubSub)
	c.store = metered(store, c.meter)
	c.hub = ws.NewHub(c.store, currentLogger)
	c.hub.Observe(c)
	openChats.add(c, nameOf(config))
	return c
}

// releaseChat gives back what takeChat returned. Whoever is the last closes it.
func releaseChat(key poolKey) error {
	_, err := chats.Delete(key)
	return err
}

// Destruct closes every connection and then the store. The pool calls it when
// nobody uses the chat any more.
func (c *chat) Destruct() error {
	openChats.remove(c)
	c.hub.Close()
	err := c.store.Close()
	return errors.Join(err, c.herald.close())
}

// closeOnExit closes the WebSockets of a chat when the process is about to end.
// Servers wait for streams before they stop, and with them for everything else.
type closeOnExit struct{ chat *chat }

// closeOnExit has the chat closed when the process is about to end, where it may have
// streams.
func (h *Handler) closeOnExit(ctx caddy.Context) error {
	if !h.ExtendedConnect {
		return nil
	}
	loaded, err := ctx.App("events")
	if err != nil {
		return err
	}
	app, ok := loaded.(*caddyevents.App)
	if !ok {
		return fmt.Errorf("the events app is a %T", loaded)
	}
	return app.On("stopping", closeOnExit{h.chat})
}

// Handle implements caddyevents.Handler, for the event "stopping".
func (c closeOnExit) Handle(context.Context, caddy.Event) error {
	if caddy.Exiting() {
		c.chat.hub.Close()
	}
	return nil
}

// RoomStarted implements ws.Observer.
func (c *chat) RoomStarted(roomID, userID string, ttl time.Duration) {
	c.tell(eventRoomStarted, roomID, userID, "ttl", int64(ttl/time.Second))
}

// RoomExpired implements ws.Observer.
func (c *chat) RoomExpired(roomID string) {
	c.tell(eventRoomEnded, roomID, "", "reason", string(room.EndExpired))
}

// Named is implemented by stores that have a name for people, by which metrics
// and the admin API call them, after the name of their module. It is asked for
// when Identity is; where there is none, that is the name.
type Named interface {
	Store

	// DisplayName holds no secret. Two stores may have the same.
	DisplayName() string
}

// nameOf returns what a store is called, such as memory or redis/localhost:6379/0.
func nameOf(store Store) string {
	kind := store.CaddyModule().ID.Name()
	name := strings.TrimPrefix(store.Identity(), kind+"/")
	if named, ok := store.(Named); ok {
		name = named.DisplayName()
	}
	if name == "" {
		return kind
	}
	return kind + "/" + strings.ToValidUTF8(name, "\uFFFD") // as values of labels have to be
}

// openChats are the chats that the metrics and the admin API show.
var openChats chatList

// chatList holds chats.
type chatList struct {
	mu    sync.Mutex
	chats []*chat
}

// add adds a chat under a name, or, if another one has that, under the name with a
// number.
func (l *chatList) add(c *chat, name string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	c.name = name
	for number := 2; l.holds(c.name); number++ {
		c.name = fmt.Sprintf("%s#%d", name, number)
	}
	l.chats = append(l.chats, c)
}

func (l *chatList) holds(name string) bool {
	return slices.ContainsFunc(l.chats, func(c *chat) bool { return c.name == name })
}

func (l *chatList) remove(c *chat) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.chats = slices.DeleteFunc(l.chats, func(other *chat) bool { return other == c })
}

// all returns the chats of the moment, by name.
func (l *chatList) all() []*chat {
	l.mu.Lock()
	defer l.mu.Unlock()
	all := slices.Clone(l.chats)
	slices.SortFunc(all, func(a, b *chat) int { return strings.Compare(a.name, b.name) })
	return all
}

// currentLogger returns the logger of the configuration that runs now. What
// lives longer than a configuration asks for it each time: the files of an old
// configuration's logs are closed.
func currentLogger() *zap.Logger { return caddy.Log().Named(moduleID) }

// Interface guards
var (
	_ caddy.Destructor = (*chat)(nil)
	_ ws.Observer      = (*chat)(nil)
)
