package ephemeralchat

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyevents"
	"go.uber.org/zap"

	"github.com/ephemeralchat/caddy-ephemeral-chat/internal/apierror"
	"github.com/ephemeralchat/caddy-ephemeral-chat/internal/instrument"
	"github.com/ephemeralchat/caddy-ephemeral-chat/room"
	"github.com/ephemeralchat/caddy-ephemeral-chat/ws"
)

// sharedStore is an open store with everything that its handlers share: the hub of the
// connections to its rooms, the statistics, and the events. It survives reloads.
type sharedStore struct {
	// Fixed.
	key      poolKey
	name     string     // unique among openStores
	store    room.Store // counts its calls
	calls    *instrument.Calls
	pubsub   room.PubSub // the store, if it is one; else nil
	hub      *ws.Hub
	refusals *apierror.Counter // of HTTP requests
	events   *eventDispatcher
}

// poolKey identifies a shared store.
type poolKey struct {
	module   caddy.ModuleID
	identity string
}

// sharedStores has every store that a handler of some configuration uses. During a
// reload the new handlers acquire theirs before the old handlers release theirs.
var sharedStores = caddy.NewUsagePool()

// acquireStore returns the shared store of a configuration, which it opens for its
// first user. The caller must call release exactly once.
func acquireStore(config Store) (*sharedStore, error) {
	key := poolKey{module: config.CaddyModule().ID, identity: config.Identity()}
	value, _, err := sharedStores.LoadOrNew(key, func() (caddy.Destructor, error) {
		store, err := config.Open(currentLogger)
		if err != nil {
			return nil, err
		}
		return openStores.add(key, displayName(config), store), nil
	})
	shared, _ := value.(*sharedStore) // nil after an error
	return shared, err
}

// release ends the use of a store. The last user closes it.
func (s *sharedStore) release() error {
	_, err := sharedStores.Delete(s.key)
	return err
}

// Destruct closes all connections and then the store. The pool calls it after the last
// release.
func (s *sharedStore) Destruct() error {
	openStores.remove(s)
	s.hub.Close()
	err := s.store.Close()
	return errors.Join(err, s.events.close())
}

// closeOnExit closes the WebSockets when the process is about to exit. Servers wait for
// their streams before they stop, and everything else waits for the servers.
func (s *sharedStore) closeOnExit(ctx caddy.Context) error {
	loaded, err := ctx.App("events")
	if err != nil {
		return err
	}
	app, ok := loaded.(*caddyevents.App)
	if !ok {
		return fmt.Errorf("the events app is a %T", loaded)
	}
	return app.On("stopping", onEvent(func() {
		if caddy.Exiting() { // Caddy emits the event at reloads as well
			s.hub.Close()
		}
	}))
}

// Named is an optional interface of stores. Metrics and the admin API show the name
// after that of the store's module, instead of the identity.
type Named interface {
	Store

	// DisplayName is called when Identity is. The name must not have secrets. Two
	// stores may have the same name.
	DisplayName() string
}

// displayName returns the name of a store, such as memory or redis/localhost:6379/0.
func displayName(store Store) string {
	kind := store.CaddyModule().ID.Name()
	name := strings.TrimPrefix(store.Identity(), kind+"/")
	if named, ok := store.(Named); ok {
		name = named.DisplayName()
	}
	if name == "" {
		return kind
	}
	return kind + "/" + strings.ToValidUTF8(name, "\uFFFD") // as label values must be
}

// openStores are the stores that the metrics and the admin API show.
var openStores storeList

// storeList is a list of stores with unique names. It is safe for concurrent use.
type storeList struct {
	mu     sync.Mutex
	stores []*sharedStore
}

// add adds an open store under the name or, if that is taken, the name with a number.
func (l *storeList) add(key poolKey, name string, store room.Store) *sharedStore {
	l.mu.Lock()
	defer l.mu.Unlock()
	unique := name
	for number := 2; slices.ContainsFunc(l.stores, func(s *sharedStore) bool { return s.name == unique }); number++ {
		unique = fmt.Sprintf("%s#%d", name, number)
	}
	s := &sharedStore{
		key:      key,
		name:     unique,
		refusals: apierror.NewCounter(),
		events:   newEventDispatcher(currentLogger),
	}
	s.store, s.calls = instrument.Wrap(store, unique)
	s.pubsub, _ = store.(room.PubSub)
	s.hub = ws.NewHub(s.store, currentLogger)
	s.hub.Observe(s)
	l.stores = append(l.stores, s)
	return s
}

// remove frees the name of a store. Its metrics go first: the next store of that name
// has its own.
func (l *storeList) remove(s *sharedStore) {
	l.mu.Lock()
	defer l.mu.Unlock()
	s.calls.Forget()
	l.stores = slices.DeleteFunc(l.stores, func(other *sharedStore) bool { return other == s })
}

// all returns the open stores, ordered by name.
func (l *storeList) all() []*sharedStore {
	l.mu.Lock()
	defer l.mu.Unlock()
	all := slices.Clone(l.stores)
	slices.SortFunc(all, func(a, b *sharedStore) int { return strings.Compare(a.name, b.name) })
	return all
}

// currentLogger returns the logger of the running configuration. A shared store asks
// for it each time that it logs, because a reload closes the log files of the old
// configuration.
func currentLogger() *zap.Logger { return caddy.Log().Named(moduleID) }

// Interface guards
var _ caddy.Destructor = (*sharedStore)(nil)
