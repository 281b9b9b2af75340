package memstore_test

import (
	"testing"

	"github.com/ephemeralchat/caddy-ephemeral-chat/room"
	"github.com/ephemeralchat/caddy-ephemeral-chat/room/memstore"
	"github.com/ephemeralchat/caddy-ephemeral-chat/room/storetest"
)

func TestStore(t *testing.T) {
	for name, nodes := range map[string]int{
		"OneNode": 1,
		// Each watch of a memory store counts as a node of its own, so that
		// the store can stand for two that share their rooms.
		"TwoNodes": 2,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			storetest.Run(t, func(t *testing.T) storetest.Backend {
				t.Helper()
				store := newStore(t)
				b := storetest.Backend{
					Remains:     func(_ *testing.T, roomID string) []string { return memstore.Remains(store, roomID) },
					LimitsRooms: true,
				}
				for range nodes {
					b.Nodes = append(b.Nodes, store)
				}
				return b
			})
		})
	}
}

func newStore(tb testing.TB) *memstore.Store {
	tb.Helper()
	store := memstore.New()
	tb.Cleanup(func() {
		if err := store.Close(); err != nil {
			tb.Errorf("Close: %v", err)
		}
	})
	return store
}

var _ room.Store = (*memstore.Store)(nil)
