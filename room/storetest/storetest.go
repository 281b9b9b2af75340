// Package storetest is the contract of room.Store in executable form. Every
// store runs it, over as many nodes as share its rooms:
//
//	func TestStore(t *testing.T) {
//		storetest.Run(t, func(t *testing.T) storetest.Backend { … })
//	}
//
// The suite runs on the real clock, with times to live of one or two seconds,
// because the clock of a store may be a server's. It expects that clock to be
// the one of the machine it runs on.
package storetest

import (
	"testing"

	"github.com/ephemeralchat/caddy-ephemeral-chat/room"
)

// Backend is what the suite runs against.
type Backend struct {
	// Nodes are stores over the same rooms, at least one. The function that opens
	// the backend closes them in a cleanup of the test.
	Nodes []room.Store
	// Remains lists the data that the backend still holds of a room, for people to read:
	// keys, objects, goroutines. The bare id of a room in a list of rooms to be
	// reaped does not count. The suite calls it after the room has ended,
	// unless it is nil.
	Remains func(t *testing.T, roomID string) []string
	// LimitsRooms means that Create enforces CreateLimits.MaxRooms.
	LimitsRooms bool
}

// node returns the store of a node; any number will do.
func (b Backend) node(i int) room.Store { return b.Nodes[i%len(b.Nodes)] }

// Run runs the suite. open is called for a fresh backend: once for all tests
// that get along with each other's rooms, and for each of those that don't.
func Run(t *testing.T, open func(t *testing.T) Backend) {
	t.Helper()
	shared := open(t)
	if len(shared.Nodes) == 0 {
		t.Fatal("the backend has no nodes")
	}
	for _, group := range []struct {
		name  string
		tests map[string]func(*testing.T, Backend)
	}{
		{"Room", roomTests},
		{"End", endTests},
		{"Join", joinTests},
		{"Start", startTests},
		{"Post", postTests},
		{"Retract", retractTests},
		{"History", historyTests},
		{"Page", pageTests},
		{"Watch", watchTests},
		{"Presence", presenceTests},
		{"Enter", enterTests},
		{"Expiry", expiryTests},
		{"Lobby", lobbyTests},
		{"Instances", instanceTests},
	} {
		t.Run(group.name, func(t *testing.T) {
			t.Parallel()
			for name, test := range group.tests {
				t.Run(name, func(t *testing.T) {
					t.Parallel()
					test(t, shared)
				})
			}
		})
	}
	if !shared.LimitsRooms {
		return
	}
	t.Run("MaxRooms", func(t *testing.T) {
		for name, test := range maxRoomsTests {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				test(t, open(t))
			})
		}
	})
}
