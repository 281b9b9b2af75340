package ephemeralchat

import (
	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"go.uber.org/zap"

	"github.com/ephemeralchat/caddy-ephemeral-chat/room"
	"github.com/ephemeralchat/caddy-ephemeral-chat/room/memstore"
)

// Store is what a guest module in the namespace
// http.handlers.ephemeral_chat.stores implements: the configuration of a place
// where rooms are kept. To be used from a Caddyfile, as `store <name>`, it
// implements caddyfile.Unmarshaler as well.
//
// Handlers whose stores have the same identity share one room.Store, and with
// it their rooms and connections; it is opened for the first of them and closed
// after the last. A reload that does not change the identity keeps it.
type Store interface {
	caddy.Module

	// Identity names where the rooms are, such as the address and database of a
	// server: the same for two configurations that lead to the same rooms, and
	// without secrets. It is called after the module has been provisioned, and
	// is unique within the module's own id.
	Identity() string

	// Open returns the store; package room/storetest checks that it keeps the
	// contract. Open must not wait for anything outside the process: a server
	// that cannot be reached is reported by the store's methods, as
	// room.ErrUnavailable. The store outlives the module, so it must not hold on
	// to the module's context, nor to its logger: it asks for a logger each time
	// that it needs one, by the function that it is given.
	Open(log func() *zap.Logger) (room.Store, error)
}

// MemoryStore keeps rooms in the process. They end with it, and other processes
// know nothing of them.
type MemoryStore struct {
	// Which room space this is. Handlers that name the same one share rooms.
	Name string `json:"name,omitempty"`
}

func init() { caddy.RegisterModule(MemoryStore{}) }

// CaddyModule returns the Caddy module information.
func (MemoryStore) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{
		ID:  storeNamespace + ".memory",
		New: func() caddy.Module { return new(MemoryStore) },
	}
}

// UnmarshalCaddyfile sets up the store from Caddyfile tokens. Syntax:
//
//	memory [<name>]
func (s *MemoryStore) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	d.Next() // the name of the store
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

// Open returns a store without rooms.
func (s *MemoryStore) Open(func() *zap.Logger) (room.Store, error) { return memstore.New(), nil }

// Interface guards
var (
	_ Store                 = (*MemoryStore)(nil)
	_ caddyfile.Unmarshaler = (*MemoryStore)(nil)
)
