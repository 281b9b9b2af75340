package client_test

import (
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/ephemeralchat/caddy-ephemeral-chat/redisstore/client"
	"github.com/ephemeralchat/caddy-ephemeral-chat/redisstore/redistest"
)

// TestConnectionsAreSmall makes as many calls wait for Redis at once as the pool may have
// connections, which it keeps then. It is not parallel: other tests use memory too.
func TestConnectionsAreSmall(t *testing.T) {
	const calls = 20
	server := redistest.Start(t, redistest.Options{})
	topology, err := client.Options{Addrs: []string{server.Addr()}}.Open()
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = topology.Close() }()
	ask := func() {
		err := client.Send(t.Context(), topology, "key", redis.NewStringCmd(t.Context(), "get", "key"))
		if !errors.Is(err, redis.Nil) {
			t.Errorf("GET of a key that does not exist: %v, want redis.Nil", err)
		}
	}
	ask() // makes everything that is made once
	before, connected, opened := inUse(), connections(t, server), sockets(t)
	server.Pause(t)
	var asking sync.WaitGroup
	for range calls {
		asking.Go(ask)
	}
	// All of them wait, within a call's timeout, each on its own socket.
	for deadline := time.Now().Add(10 * time.Second); sockets(t) < opened+calls-1; runtime.Gosched() {
		if time.Now().After(deadline) {
			t.Fatalf("%d sockets, before were %d", sockets(t), opened)
		}
	}
	server.Resume(t)
	asking.Wait()
	more := connections(t, server) - connected
	if more < calls/2 {
		t.Fatalf("%d connections more for %d calls at a time", more, calls)
	}
	if each := (inUse() - before) / more; each > 24<<10 {
		t.Errorf("a connection takes %d bytes", each)
	}
}

// inUse is the number of bytes in use on the heap, without pooled ones.
func inUse() int {
	runtime.GC()
	runtime.GC()
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	return int(stats.HeapAlloc)
}

// connections is the number of connections to a server.
func connections(t *testing.T, server *redistest.Server) int {
	t.Helper()
	list, err := server.Client().ClientList(t.Context()).Result()
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, c := range list {
		if c == '\n' {
			n++
		}
	}
	return n
}

// sockets is the number of sockets that this process has open.
func sockets(t *testing.T) int {
	t.Helper()
	descriptors, err := filepath.Glob("/proc/self/fd/*")
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, descriptor := range descriptors {
		if target, err := os.Readlink(descriptor); err == nil && strings.HasPrefix(target, "socket:") {
			n++
		}
	}
	return n
}
