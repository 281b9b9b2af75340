package ephemeralchat

import (
	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"go.uber.org/zap"

	"github.com/ephemeralchat/caddy-ephemeral-chat/room"
	"github.com/ephemeralchat/caddy-ephemeral-chat/room/memstore"
)

// Store is the configuration of a room.Store: a module in the namespace
// http.handlers.ephemeral_chat.stores. A module that implements caddyfile.Unmarshaler
// as well can be used in a Caddyfile as `store <name>`.
//
// Handlers whose stores have the same identity share one room.Store, and with it rooms
// and connections. It is opened for the first of them and closed after the last; a
// reload that does not change the identity keeps it.
type Store interface {
	caddy.Module

	// Identity returns the location of the rooms, such as the address and database of
	// a server, without secrets. Two configurations of this module have the same
	// identity if and only if they have the same rooms. It is called after the module
	// has been provisioned.
	Identity() string

	// Open returns the store; package room/storetest checks its contract. Open must
	// not wait for anything outside the process: if a server cannot be reached, the
	// store's methods return room.ErrUnavailable. The store outlives the module, so it
	// must not keep the module's context or logger. It calls log each time that it
	// needs a logger.
	Open(log func() *zap.Logger) (room.Store, error)
}

// MemoryStore keeps rooms in the memory of the process. They end with the process, and
// other processes do not share them.
type MemoryStore struct {
	// The name of the room space. Handlers with the same name share rooms. Default:
	// empty, which is a room space as well.
	Name string `json:"name,omitempty"`
}

func init() { caddy.RegisterModule(MemoryStore{}) }

// CaddyModule returns the Caddy module information.
func (MemoryStore) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: storeNamespace + ".memory", New: func() caddy.Module { return new(MemoryStore) }}
}

// UnmarshalCaddyfile sets up the store from Caddyfile tokens. Syntax:
//
//	memory [<name>]
func (s *MemoryStore) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	d.Next() // the store's name
	if d.NextArg() {
		s.Name = d.Val()
	}
	if d.NextArg() {
		return d.ArgErr()
	}
	if d.NextBlock(0) {
		return d.Errf("unknown option %q of the memory store", d.Val())
	}
	return nil
}

// Identity returns the name of the room space.
func (s *MemoryStore) Identity() string { return "memory/" + s.Name }

// Open returns an empty store.
func (s *MemoryStore) Open(func() *zap.Logger) (room.Store, error) { return memstore.New(), nil }

// Interface guards
var (
	_ Store                 = (*MemoryStore)(nil)
	_ caddyfile.Unmarshaler = (*MemoryStore)(nil)
)
