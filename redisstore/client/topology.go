package redisstore

import (
	"context"

	"github.com/redis/go-redis/v9"
)

// servers are the Redis servers that have the keys: one, or the masters of a
// cluster. Safe for concurrent use.
type servers interface {
	// of returns the client of the server that has a key.
	of(ctx context.Context, key string) (*redis.Client, error)
	// masters returns the clients of all servers that have keys. The same server
	// has the same client for as long as it is there.
	masters(ctx context.Context) ([]*redis.Client, error)
	// subscriber returns the client of a server from which everything is heard that
	// is published on any of them: if possible, another one than last time.
	subscriber(ctx context.Context) (*redis.Client, error)
	// pipeline sends each command to whoever has its key, together where they go to
	// the same server. It follows keys that have moved. Each command gets its own
	// outcome.
	pipeline(ctx context.Context, commands ...redis.Cmder)
	// failed takes note of what came of a call: some errors mean that it has to be
	// found out anew who has which keys.
	failed(ctx context.Context, err error)
	// spread reports whether the keys are on more than one server.
	spread() bool
	// replaceable reports whether another server may take the place of one, without
	// the last of what that had.
	replaceable() bool
	// review leaves servers that have been replaced, if the client has not. It is to
	// be called every second or so while there is something to do.
	review(ctx context.Context)
	close() error
}

// single is one server, or the master of the moment that sentinels name.
type single struct {
	client  *redis.Client
	elected *election // nil without sentinels
}

func (s single) of(context.Context, string) (*redis.Client, error) { return s.client, nil }

func (s single) masters(context.Context) ([]*redis.Client, error) {
	return []*redis.Client{s.client}, nil
}

func (s single) subscriber(context.Context) (*redis.Client, error) { return s.client, nil }

func (s single) pipeline(ctx context.Context, commands ...redis.Cmder) {
	if len(commands) == 1 {
		_ = s.client.Process(ctx, commands[0]) // the command has the error
		return
	}
	pipeline := s.client.Pipeline()
	_ = pipeline.BatchProcess(ctx, commands...) // only puts them together
	_, _ = pipeline.Exec(ctx)                   // each command has its own error
}

func (s single) failed(context.Context, error) {}

func (s single) spread() bool { return false }

func (s single) replaceable() bool { return s.elected != nil }

func (s single) review(ctx context.Context) {
	if s.elected != nil {
		s.elected.review(ctx)
	}
}

func (s single) close() error {
	if s.elected != nil {
		s.elected.close()
	}
	return s.client.Close()
}

// send sends a command to the server that has a key, and returns its error.
func (s *Store) send(ctx context.Context, key string, command redis.Cmder) error {
	server, err := s.servers.of(ctx, key)
	if err != nil {
		command.SetErr(err)
		s.servers.failed(ctx, err)
		return err
	}
	if err = server.Process(ctx, command); isRedirection(err) {
		s.servers.pipeline(ctx, command)
		err = command.Err()
	}
	s.servers.failed(ctx, err)
	return err
}

// isRedirection reports whether a server does not have the keys of a command,
// which it then has not executed.
func isRedirection(err error) bool {
	return err != nil && (redis.HasErrorPrefix(err, "MOVED ") || redis.HasErrorPrefix(err, "ASK "))
}
