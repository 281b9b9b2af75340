package redisstore_test

import (
	"context"
	"fmt"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/ephemeralchat/caddy-ephemeral-chat/redisstore"
	"github.com/ephemeralchat/caddy-ephemeral-chat/redisstore/redistest"
	"github.com/ephemeralchat/caddy-ephemeral-chat/room"
)

// interruption does something just before a store runs a script for the first time.
type interruption struct {
	header string // how the comment of the script begins
	do     func()
	once   sync.Once
	done   chan struct{} // closed when the script has been run then
}

// interrupt makes the server forget all scripts, so that the store sends the source.
func interrupt(t *testing.T, server *redistest.Server, s *redisstore.Store, script string, do func()) *interruption {
	t.Helper()
	i := &interruption{header: "-- " + script + " ", do: do, done: make(chan struct{})}
	s.AddHook(i)
	if err := server.Client().ScriptFlush(t.Context()).Err(); err != nil {
		t.Fatal(err)
	}
	return i
}

func (i *interruption) await(t *testing.T) {
	t.Helper()
	select {
	case <-i.done:
	case <-time.After(patience):
		t.Fatal("the store has not run the script")
	}
}

func (i *interruption) DialHook(next redis.DialHook) redis.DialHook {
	return func(ctx context.Context, network, addr string) (net.Conn, error) { return next(ctx, network, addr) }
}

func (i *interruption) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return next
}

func (i *interruption) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		first := false
		if cmd.Name() == "eval" && strings.Contains(fmt.Sprint(cmd.Args()[1]), i.header) {
			i.once.Do(func() { first = true })
		}
		if !first {
			return next(ctx, cmd)
		}
		defer close(i.done)
		i.do()
		return next(ctx, cmd)
	}
}

// TestLifeChangesMeanwhile has the next life begin between the moments at which a
// node has decided to write something of a life and at which it does.
func TestLifeChangesMeanwhile(t *testing.T) {
	t.Parallel()
	for script, trigger := range map[string]func(*testing.T, *setup, *watch){
		"repair_clock": func(t *testing.T, s *setup, _ *watch) {
			t.Helper()
			s.raw(t, "hdel", "room:"+s.room.ID, "startedAt", "deadline")
			s.cutLinks(t)
		},
		"remove": func(t *testing.T, s *setup, _ *watch) {
			t.Helper()
			s.raw(t, "hdel", "room:"+s.room.ID, "x:bert")
			s.cutLinks(t)
		},
		"repair_presence": func(t *testing.T, s *setup, _ *watch) {
			t.Helper()
			s.raw(t, "del", "room:online:"+s.room.ID)
			s.cutLinks(t)
		},
		"new_epoch": func(t *testing.T, s *setup, _ *watch) {
			t.Helper()
			s.lose(t, 1, 2)
			s.cutLinks(t)
		},
		"retract": func(t *testing.T, s *setup, _ *watch) {
			t.Helper()
			s.unretract(t, 2, s.entry(t, 1))
			s.cutLinks(t)
		},
		"exit": func(t *testing.T, _ *setup, w *watch) {
			t.Helper()
			w.Exit(t.Context(), "anna", ^uint64(0))
		},
	} {
		t.Run(script, func(t *testing.T) {
			t.Parallel()
			s := newLives(t)
			instanceID, node, w := s.room.InstanceID(), s.nodes[0], s.watches[0]
			s.watches[1].Close()
			joinRoom(t, node, instanceID, "anna", "bert")
			w.enter(t, presenceOf("anna"))
			for range 3 {
				if _, err := node.Post(t.Context(), instanceID, newPost(node, "", 0, "of the former life")); err != nil {
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

			// In the next life all is so that what belongs to the former would fit.
			var next room.Room
			var before string
			i := interrupt(t, s.server, node, script, func() {
				s.vanish(t)
				next = openLife(t, s.nodes[1], s.room.ID)
				s.raw(t, "hset", "room:"+s.room.ID, "epoch", s.room.Epoch)
				joinRoom(t, s.nodes[1], next.InstanceID(), "anna", "bert")
				watchRoom(t, node, next.InstanceID()).enter(t, presenceOf("anna"))
				if script != "repair_clock" {
					for range 3 {
						if _, err := s.nodes[1].Post(t.Context(), next.InstanceID(), newPost(s.nodes[1], "", 0, "of the next life")); err != nil {
							t.Error(err)
						}
					}
				}
				before = everything(t, s.server.Client(), ":"+s.room.ID)
			})
			trigger(t, s, w)
			i.await(t)
			if script != "exit" { // the only one that is not part of looking at the room
				w.awaitKind(t, room.EventEnded)
			}
			if after := everything(t, s.server.Client(), ":"+s.room.ID); after != before {
				t.Errorf("the next life was\n%sand is\n%s", before, after)
			}
		})
	}
}

// TestLifeChangesWhileReaped is the same for what every node does with rooms that
// nobody starts.
func TestLifeChangesWhileReaped(t *testing.T) {
	t.Parallel()
	s := &setup{server: redistest.Start(t, redistest.Options{})}
	s.nodes = openNodes(t, optionsOf(s.server), 1)
	r := room.Room{ID: room.NewID(), Instance: "first", Name: "x", TTL: time.Hour, Key: []byte("key"), Epoch: "e"}
	var err error
	if s.room, err = s.nodes[0].Open(t.Context(), r, room.CreateLimits{Lobby: time.Second}); err != nil {
		t.Fatal(err)
	}
	created := s.raw(t, "hget", "room:"+s.room.ID, "createdAt")
	var before string
	i := interrupt(t, s.server, s.nodes[0], "reap", func() {
		s.vanish(t)
		openLife(t, s.nodes[0], s.room.ID)
		// As if the two had begun at once.
		s.raw(t, "hset", "room:"+s.room.ID, "createdAt", created)
		before = everything(t, s.server.Client(), ":"+s.room.ID)
	})
	i.await(t)
	if after := everything(t, s.server.Client(), ":"+s.room.ID); after != before {
		t.Errorf("the next life was\n%sand is\n%s", before, after)
	}
}
