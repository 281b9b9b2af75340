// Package client connects to Redis: to one server, to the master that sentinels
// name, or to the masters of a cluster. It knows nothing of rooms.
package client

import (
	"context"
	"math/rand/v2"
	"time"

	"github.com/redis/go-redis/v9"
)

// Topology is the set of Redis servers that hold the keys. Safe for concurrent use.
type Topology interface {
	// ClientFor returns the client of the server that holds a key.
	ClientFor(ctx context.Context, key string) (*redis.Client, error)
	// Masters returns the clients of all servers that hold keys. A server keeps its
	// client for as long as it is part of the topology.
	Masters(ctx context.Context) ([]*redis.Client, error)
	// Subscriber returns the client of a server that delivers everything published on
	// any server: another one than last time, if possible.
	Subscriber(ctx context.Context) (*redis.Client, error)
	// Pipeline sends each command to the server that holds its key, in one round trip
	// per server, and follows keys that have moved. Each command has its own outcome.
	Pipeline(ctx context.Context, commands ...redis.Cmder)
	// NoteError refreshes the slot map if the error suggests a topology change.
	NoteError(ctx context.Context, err error)
	// Sharded reports whether the keys are spread over several servers.
	Sharded() bool
	// Replaceable reports whether another server may take over from one, without the
	// last writes of that one.
	Replaceable() bool
	// CheckMaster drops connections to a demoted master that the library has kept.
	// Call it about once per second while there is work.
	CheckMaster(ctx context.Context)
	// Close closes all connections.
	Close() error
}

// Send sends a command once to the server that holds the key, and returns the
// command's error.
func Send(ctx context.Context, t Topology, key string, command redis.Cmder) error {
	server, err := t.ClientFor(ctx, key)
	if err != nil {
		command.SetErr(err)
		t.NoteError(ctx, err)
		return err
	}
	if err = server.Process(ctx, command); IsRedirection(err) {
		t.Pipeline(ctx, command)
		err = command.Err()
	}
	t.NoteError(ctx, err)
	return err
}

// IsRedirection reports whether a server answered that another one holds the keys of
// a command. It has not executed the command then.
func IsRedirection(err error) bool {
	return err != nil && (redis.HasErrorPrefix(err, "MOVED ") || redis.HasErrorPrefix(err, "ASK "))
}

// standalone is one server, or the master that sentinels name.
type standalone struct {
	client *redis.Client
	master *masterTracker // nil without sentinels
}

func (s standalone) ClientFor(context.Context, string) (*redis.Client, error) { return s.client, nil }

func (s standalone) Masters(context.Context) ([]*redis.Client, error) {
	return []*redis.Client{s.client}, nil
}

func (s standalone) Subscriber(context.Context) (*redis.Client, error) { return s.client, nil }

func (s standalone) Pipeline(ctx context.Context, commands ...redis.Cmder) {
	if len(commands) == 1 {
		_ = s.client.Process(ctx, commands[0]) // the command has the error
		return
	}
	pipeline := s.client.Pipeline()
	_ = pipeline.BatchProcess(ctx, commands...) // only queues them
	_, _ = pipeline.Exec(ctx)                   // each command has its own error
}

func (s standalone) NoteError(context.Context, error) {}

func (s standalone) Sharded() bool { return false }

func (s standalone) Replaceable() bool { return s.master != nil }

func (s standalone) CheckMaster(ctx context.Context) {
	if s.master != nil {
		s.master.check(ctx)
	}
}

func (s standalone) Close() error {
	if s.master != nil {
		for _, sentinel := range s.master.sentinels {
			_ = sentinel.Close() // fails only if it is closed
		}
	}
	return s.client.Close()
}

// Backoff pauses after a failed attempt, counted from 0: from about 100 to about 500 ms,
// each time twice as long. It returns false if ctx is done. The pause is random by half,
// so that nodes that lost the same server do not reconnect all at once.
func Backoff(ctx context.Context, attempt int) bool {
	d := min(100*time.Millisecond<<min(attempt, 10), 500*time.Millisecond)
	t := time.NewTimer(d/2 + rand.N(d/2+1)) //nolint:gosec // G404: nothing secret
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}
