package redisstore_test

import (
	"errors"
	"testing"
	"time"

	"github.com/ephemeralchat/caddy-ephemeral-chat/redisstore/redistest"
	"github.com/ephemeralchat/caddy-ephemeral-chat/room"
)

// TestLateCreate delays the creation of a room until the lobby time after its entry
// in the lobby list: the entry may be gone, and no node would ever reap the room.
func TestLateCreate(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t, redistest.Options{})
	node := openNodes(t, optionsOf(server), 1)[0]
	const lobby = time.Second
	serverTime := func() time.Time {
		now, err := server.Client().Time(t.Context()).Result()
		if err != nil {
			t.Error(err)
		}
		return now
	}
	interrupt(t, server, node, "create", func() {
		over := serverTime().Add(lobby)
		eventually(t, awaitTimeout, func() string {
			if now := serverTime(); !now.After(over) {
				return "the lobby time is not over"
			}
			return ""
		})
	})
	r := room.Room{ID: room.NewID(), Name: "late", Admin: admin, TTL: time.Hour, Key: []byte("key"), Epoch: "epoch"}
	if err := node.Create(t.Context(), r, room.CreateLimits{Lobby: lobby}); !errors.Is(err, room.ErrUnavailable) {
		t.Errorf("Create after the lobby time: %v, want ErrUnavailable", err)
	}
	if _, err := node.Load(t.Context(), r.ID); !errors.Is(err, room.ErrRoomNotFound) {
		t.Errorf("Load: %v, want ErrRoomNotFound", err)
	}
}
