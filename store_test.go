package ephemeralchat_test

import (
	"context"
	"errors"

	"github.com/caddyserver/caddy/v2"
	"go.uber.org/zap"

	ephemeralchat "github.com/ephemeralchat/caddy-ephemeral-chat"
	"github.com/ephemeralchat/caddy-ephemeral-chat/room"
	"github.com/ephemeralchat/caddy-ephemeral-chat/room/memstore"
)

func init() {
	caddy.RegisterModule(failingStore{})
	caddy.RegisterModule(defectiveStore{})
}

// failingStore is a store of another module. Its Provision fails.
type failingStore struct{ ephemeralchat.MemoryStore }

func (failingStore) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{
		ID:  "http.handlers.ephemeral_chat.stores.failing",
		New: func() caddy.Module { return new(failingStore) },
	}
}

func (failingStore) Provision(caddy.Context) error { return errors.New("failing on purpose") }

// defectiveStore is a store of another module that violates the contract.
type defectiveStore struct{ ephemeralchat.MemoryStore }

func (defectiveStore) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{
		ID:  "http.handlers.ephemeral_chat.stores.defective",
		New: func() caddy.Module { return new(defectiveStore) },
	}
}

func (defectiveStore) Open(func() *zap.Logger) (room.Store, error) {
	return defectiveRooms{memstore.New()}, nil
}

type defectiveRooms struct{ room.Store }

func (defectiveRooms) Load(context.Context, string) (room.Room, error) {
	return room.Room{}, errors.New("the gears are stuck")
}
