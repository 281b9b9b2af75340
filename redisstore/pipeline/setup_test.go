package pipeline_test

import (
	"bytes"
	"context"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/ephemeralchat/caddy-ephemeral-chat/redisstore/client"
	"github.com/ephemeralchat/caddy-ephemeral-chat/redisstore/pipeline"
	"github.com/ephemeralchat/caddy-ephemeral-chat/redisstore/redistest"
	"github.com/ephemeralchat/caddy-ephemeral-chat/redisstore/script"
	"github.com/ephemeralchat/caddy-ephemeral-chat/room"
	"github.com/ephemeralchat/caddy-ephemeral-chat/room/message"
)

const (
	awaitTimeout = 15 * time.Second
	sender       = "admin"
)

// setup is a server with one room and one node that posts in it.
type setup struct {
	server *redistest.Server
	node   *node
	roomID string
}

// node is a Publisher with what it needs of a store.
type node struct {
	*pipeline.Publisher
	server  *redis.Client
	scripts *script.Runner
	close   func() // may be called twice
}

// noClock ignores samples of the server's time.
type noClock struct{}

func (noClock) Local() time.Duration { return 0 }

func (noClock) Add(time.Time, time.Duration, time.Duration) {}

// openNode opens a node that is closed when the test is over.
func openNode(t *testing.T, addr string) *node {
	t.Helper()
	topology, err := client.Options{Addrs: []string{addr}}.Open()
	if err != nil {
		t.Fatal(err)
	}
	server, err := topology.ClientFor(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var mu sync.Mutex
	var work sync.WaitGroup // added to under mu
	closed := false
	n := &node{server: server, scripts: script.NewRunner(topology, noClock{})}
	n.Publisher = pipeline.New(topology, script.Keyspace{}, func(task func(context.Context)) {
		mu.Lock()
		if !closed {
			defer mu.Unlock()
			work.Go(func() { task(ctx) }) // ends with ctx; close waits
			return
		}
		mu.Unlock()
		task(ctx)
	})
	n.close = sync.OnceFunc(func() {
		mu.Lock()
		closed = true
		mu.Unlock()
		cancel()
		work.Wait()
		if err := topology.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	})
	t.Cleanup(n.close)
	return n
}

func newSetup(t *testing.T) *setup {
	t.Helper()
	server := redistest.Start(t, redistest.Options{})
	s := &setup{server: server, node: openNode(t, server.Addr()), roomID: room.NewID()}
	r := room.Room{ID: s.roomID, Name: "a room", Admin: sender, TTL: time.Hour, Key: []byte("key"), Epoch: "epoch"}
	createdAt, lobby, err := s.node.scripts.LobbyEnqueue(t.Context(), script.Keyspace{}, r.ID, time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := s.node.scripts.Create(t.Context(), script.Keyspace{}.Room(r.ID), r, createdAt, lobby); err != nil {
		t.Fatal(err)
	}
	return s
}

func newPost(text string) room.Post {
	return room.Post{UserID: sender, History: 1_000_000, Body: message.EncodeBody(text, time.Now(), sender, 0, "")}
}

func (s *setup) post(t *testing.T, text string) {
	t.Helper()
	if _, err := s.node.Post(t.Context(), s.roomID, newPost(text)); err != nil {
		t.Fatalf("Post: %v", err)
	}
}

// do runs a command without the node.
func (s *setup) do(t *testing.T, args ...any) {
	t.Helper()
	if err := s.server.Client().Do(t.Context(), args...).Err(); err != nil {
		t.Fatalf("%v: %v", args[0], err)
	}
}

// eventually polls until check returns "".
func eventually(t *testing.T, check func() string) {
	t.Helper()
	deadline := time.Now().Add(awaitTimeout)
	for fault := check(); fault != ""; fault = check() {
		if time.Now().After(deadline) {
			t.Fatalf("still after %v: %s", awaitTimeout, fault)
		}
		<-time.After(5 * time.Millisecond)
	}
}

// postCalls records the calls that send posts.
type postCalls struct {
	mu     sync.Mutex
	single []context.Context
	shared []sharedCall
	before func() // runs before each shared call
}

// sharedCall is a call with several posts.
type sharedCall struct {
	inFull bool // it has the source of the script
	bodies []string
}

func recordPosts(n *node) *postCalls {
	c := &postCalls{before: func() {}}
	n.server.AddHook(c)
	return c
}

func (c *postCalls) DialHook(next redis.DialHook) redis.DialHook { return next }

func (c *postCalls) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		if bodyOf(cmd) != "" {
			c.mu.Lock()
			c.single = append(c.single, ctx)
			c.mu.Unlock()
		}
		return next(ctx, cmd)
	}
}

func (c *postCalls) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return func(ctx context.Context, commands []redis.Cmder) error {
		if bodyOf(commands[0]) != "" {
			// The hook must not keep the commands after it returns.
			call := sharedCall{inFull: commands[0].Name() == "eval"}
			for _, command := range commands {
				call.bodies = append(call.bodies, bodyOf(command))
			}
			c.mu.Lock()
			c.shared = append(c.shared, call)
			c.mu.Unlock()
			c.before()
		}
		return next(ctx, commands)
	}
}

// bodyOf returns the body of the message that a command posts, "" if it posts none.
func bodyOf(cmd redis.Cmder) string {
	for _, argument := range cmd.Args() {
		if body, ok := argument.([]byte); ok && bytes.HasPrefix(body, []byte(`"message":`)) {
			return string(body)
		}
	}
	return ""
}
