package redisstore_test

import (
	"testing"
	"time"

	"github.com/ephemeralchat/caddy-ephemeral-chat/redisstore/redistest"
	"github.com/ephemeralchat/caddy-ephemeral-chat/room"
)

// TestInstanceChangesMeanwhile begins the next instance between the decision of a node to
// write something of an instance, and the write.
func TestInstanceChangesMeanwhile(t *testing.T) {
	t.Parallel()
	for script, trigger := range map[string]func(*testing.T, *setup, *watch){
		"repair_clock": func(t *testing.T, s *setup, _ *watch) {
			t.Helper()
			s.do(t, "hdel", "room:"+s.room.ID, "startedAt", "deadline")
			s.cutPubSub(t)
		},
		"remove": func(t *testing.T, s *setup, _ *watch) {
			t.Helper()
			s.do(t, "hdel", "room:"+s.room.ID, "x:bert")
			s.cutPubSub(t)
		},
		"repair_presence": func(t *testing.T, s *setup, _ *watch) {
			t.Helper()
			s.do(t, "del", "room:online:"+s.room.ID)
			s.cutPubSub(t)
		},
		"new_epoch": func(t *testing.T, s *setup, _ *watch) {
			t.Helper()
			s.lose(t, 1, 2)
			s.cutPubSub(t)
		},
		"retract": func(t *testing.T, s *setup, _ *watch) {
			t.Helper()
			s.undoRetraction(t, 2, s.entry(t, 1))
			s.cutPubSub(t)
		},
		"exit": func(t *testing.T, _ *setup, w *watch) {
			t.Helper()
			w.Exit(t.Context(), "anna", ^uint64(0))
		},
	} {
		t.Run(script, func(t *testing.T) {
			t.Parallel()
			s := newInstances(t)
			instanceID, node, w := s.room.InstanceID(), s.nodes[0], s.watches[0]
			s.watches[1].Close()
			joinRoom(t, node, instanceID, "anna", "bert")
			w.enter(t, presenceOf("anna"))
			for range 3 {
				if _, err := node.Post(t.Context(), instanceID, newPost(node, "", 0, "of the former instance")); err != nil {
					t.Fatal(err)
				}
			}
			if err := node.Remove(t.Context(), instanceID, "bert"); err != nil {
				t.Fatal(err)
			}
			if err := node.Retract(t.Context(), instanceID, room.Retraction{Seq: 2, Any: true}); err != nil {
				t.Fatal(err)
			}
			w.awaitKind(t, room.EventRetracted)

			// In the next instance, a write of the former one would have an effect.
			var next room.Room
			var before string
			i := interrupt(t, s.server, node, script, func() {
				s.vanish(t)
				next = openInstance(t, s.nodes[1], s.room.ID)
				s.do(t, "hset", "room:"+s.room.ID, "epoch", s.room.Epoch)
				joinRoom(t, s.nodes[1], next.InstanceID(), "anna", "bert")
				watchRoom(t, node, next.InstanceID()).enter(t, presenceOf("anna"))
				if script != "repair_clock" {
					for range 3 {
						if _, err := s.nodes[1].Post(t.Context(), next.InstanceID(), newPost(s.nodes[1], "", 0, "of the next instance")); err != nil {
							t.Error(err)
						}
					}
				}
				before = everything(t, s.server.Client(), ":"+s.room.ID)
			})
			trigger(t, s, w)
			i.await(t)
			if script != "exit" { // the only one that is not part of a resync
				w.awaitKind(t, room.EventEnded)
			}
			if after := everything(t, s.server.Client(), ":"+s.room.ID); after != before {
				t.Errorf("the next instance was\n%sand is\n%s", before, after)
			}
		})
	}
}

// TestInstanceChangesWhileReaped is the same for the reaping of a room that no client
// starts.
func TestInstanceChangesWhileReaped(t *testing.T) {
	t.Parallel()
	s := &setup{server: redistest.Start(t, redistest.Options{})}
	s.nodes = openNodes(t, optionsOf(s.server), 1)
	r := room.Room{ID: room.NewID(), Instance: "first", Name: "x", TTL: time.Hour, Key: []byte("key"), Epoch: "e"}
	var err error
	if s.room, err = s.nodes[0].Open(t.Context(), r, room.CreateLimits{Lobby: time.Second}); err != nil {
		t.Fatal(err)
	}
	created := s.do(t, "hget", "room:"+s.room.ID, "createdAt")
	var before string
	i := interrupt(t, s.server, s.nodes[0], "reap", func() {
		s.vanish(t)
		openInstance(t, s.nodes[0], s.room.ID)
		// As if the two had begun at the same time.
		s.do(t, "hset", "room:"+s.room.ID, "createdAt", created)
		before = everything(t, s.server.Client(), ":"+s.room.ID)
	})
	i.await(t)
	if after := everything(t, s.server.Client(), ":"+s.room.ID); after != before {
		t.Errorf("the next instance was\n%sand is\n%s", before, after)
	}
}
