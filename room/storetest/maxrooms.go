package storetest

import (
	"errors"
	"testing"

	"github.com/ephemeralchat/caddy-ephemeral-chat/room"
)

// maxRoomsTests each have a backend of their own, as they count its rooms.
var maxRoomsTests = map[string]func(*testing.T, Backend){
	"Limit":    testMaxRooms,
	"AtOnce":   testMaxRoomsAtOnce,
	"NoLimit":  testNoMaxRooms,
	"Expiring": testMaxRoomsExpiring,
	"Standing": testMaxRoomsDeclared,
}

func createLimited(t *testing.T, b Backend, r room.Room, rooms int) error {
	t.Helper()
	return b.node(0).Create(t.Context(), r, room.CreateLimits{Lobby: longLobby, MaxRooms: rooms})
}

func testMaxRooms(t *testing.T, b Backend) {
	first := newRoom(longTTL)
	for i, r := range []room.Room{first, newRoom(longTTL), newRoom(longTTL)} {
		if err := createLimited(t, b, r, 3); err != nil {
			t.Fatalf("Create of room %d of 3: %v", i+1, err)
		}
	}
	refused := newRoom(longTTL)
	if err := createLimited(t, b, refused, 3); !errors.Is(err, room.ErrTooManyRooms) {
		t.Errorf("Create of room 4 of 3: %v, want ErrTooManyRooms", err)
	}
	if _, err := b.node(0).Load(t.Context(), refused.ID); !errors.Is(err, room.ErrRoomNotFound) {
		t.Errorf("Load of a room that was refused: %v, want ErrRoomNotFound", err)
	}
	if err := b.node(0).Delete(t.Context(), first.ID); err != nil {
		t.Fatal(err)
	}
	if err := createLimited(t, b, refused, 3); err != nil {
		t.Errorf("Create after a deletion: %v", err)
	}
}

func testMaxRoomsAtOnce(t *testing.T, b Backend) {
	const creators, rooms = 16, 5
	var errs [creators]error
	together(creators, func(i int) { errs[i] = createLimited(t, b, newRoom(longTTL), rooms) })
	created := 0
	for _, err := range errs {
		switch {
		case err == nil:
			created++
		case !errors.Is(err, room.ErrTooManyRooms):
			t.Errorf("Create at once with others: %v", err)
		}
	}
	if created != rooms {
		t.Errorf("%d rooms were made at once, want %d", created, rooms)
	}
}

func testNoMaxRooms(t *testing.T, b Backend) {
	for range 100 {
		if err := createLimited(t, b, newRoom(longTTL), 0); err != nil {
			t.Fatalf("Create without a limit: %v", err)
		}
	}
}

func testMaxRoomsExpiring(t *testing.T, b Backend) {
	r := newRoom(shortTTL)
	if err := createLimited(t, b, r, 1); err != nil {
		t.Fatal(err)
	}
	w := watchOn(t, b, 0, r.ID)
	if _, err := b.node(0).Start(t.Context(), r.ID); err != nil {
		t.Fatal(err)
	}
	if err := createLimited(t, b, newRoom(longTTL), 1); !errors.Is(err, room.ErrTooManyRooms) {
		t.Errorf("Create beside a started room: %v, want ErrTooManyRooms", err)
	}
	w.awaitKind(t, room.EventEnded)
	if err := createLimited(t, b, newRoom(longTTL), 1); err != nil {
		t.Errorf("Create after the other room has expired: %v", err)
	}
}

// testMaxRoomsDeclared opens declared rooms, which count like any others.
func testMaxRoomsDeclared(t *testing.T, b Backend) {
	limits := room.CreateLimits{Lobby: longLobby, MaxRooms: 1}
	r := newInstance("a", longTTL)
	if _, err := b.node(0).Open(t.Context(), r, limits); err != nil {
		t.Fatal(err)
	}
	if _, err := b.node(0).Open(t.Context(), newInstance("a", longTTL), limits); err != nil {
		t.Errorf("Open of a room that is there: %v", err)
	}
	if _, err := b.node(0).Open(t.Context(), newInstance("b", longTTL), limits); !errors.Is(err, room.ErrTooManyRooms) {
		t.Errorf("Open of room 2 of 1: %v, want ErrTooManyRooms", err)
	}
	if err := createLimited(t, b, newRoom(longTTL), 1); !errors.Is(err, room.ErrTooManyRooms) {
		t.Errorf("Create of room 2 of 1: %v, want ErrTooManyRooms", err)
	}
	if err := b.node(0).Delete(t.Context(), r.InstanceID()); err != nil {
		t.Fatal(err)
	}
	if _, err := b.node(0).Open(t.Context(), newInstance("b", longTTL), limits); err != nil {
		t.Errorf("Open after a deletion: %v", err)
	}
}
