// Package script runs the Lua scripts of the store: one typed function per script,
// which builds its keys and arguments and decodes its reply.
package script

import (
	"context"
	"embed"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/ephemeralchat/caddy-ephemeral-chat/redisstore/client"
)

//go:embed *.lua
var files embed.FS

// script is the source of one script. Its file begins with the contract: keys,
// arguments and reply.
type script struct {
	name, source, sha1 string
}

// load reads a script and the Lua functions that it calls.
func load(name string, functions ...string) script {
	var b strings.Builder
	for _, file := range append(functions, name) {
		source, err := files.ReadFile(file + ".lua")
		if err != nil {
			panic(err) // the name has no file
		}
		b.Write(source)
	}
	return script{name, b.String(), redis.NewScript(b.String()).Hash()}
}

// call returns the command that runs the script: by its hash, or by its source for a
// server that does not know it.
func (s script) call(ctx context.Context, inFull bool, keys []string, args []any) *redis.Cmd {
	all := make([]any, 0, 3+len(keys)+len(args))
	if inFull {
		all = append(all, "eval", s.source, len(keys))
	} else {
		all = append(all, "evalsha", s.sha1, len(keys))
	}
	for _, key := range keys {
		all = append(all, key)
	}
	command := redis.NewCmd(ctx, append(all, args...)...)
	command.SetFirstKeyPos(3)
	return command
}

// Clock collects samples of the server's time, see the methods of the store's clock.
type Clock interface {
	Local() time.Duration
	Add(server time.Time, sent, received time.Duration)
}

// Runner runs scripts: each of its methods runs one script, in one round trip. Errors
// wrap room.ErrUnavailable if the outcome is unknown, else they are those of room.Store.
// Safe for concurrent use.
type Runner struct {
	topology client.Topology
	clock    Clock
}

// NewRunner returns a Runner that gives the clock the time in each reply that has one.
func NewRunner(topology client.Topology, clock Clock) *Runner { return &Runner{topology, clock} }

// run runs a script whose reply has no time.
func (r *Runner) run(ctx context.Context, s script, keys []string, args ...any) (reply, error) {
	if err := ctx.Err(); err != nil {
		return nil, client.Unavailable(s.name, err)
	}
	call := s.call(ctx, false, keys, args)
	err := client.Send(ctx, r.topology, keys[0], call)
	if err != nil && redis.HasErrorPrefix(err, "NOSCRIPT") {
		call = s.call(ctx, true, keys, args)
		err = client.Send(ctx, r.topology, keys[0], call)
	}
	if err != nil {
		return nil, client.Unavailable(s.name, err)
	}
	result, err := call.Slice()
	if err != nil {
		return nil, client.Unavailable(s.name, err)
	}
	return result, nil
}

// runTimed runs a script whose reply has the server's time second, and samples it. A
// reply without it is an error: the clock would go back to the year 1.
func (r *Runner) runTimed(ctx context.Context, s script, keys []string, args ...any) (reply, error) {
	sent := r.clock.Local()
	result, err := r.run(ctx, s, keys, args...)
	if err != nil {
		return nil, err
	}
	now := result.time(1)
	if now.IsZero() {
		return nil, errMalformed
	}
	r.clock.Add(now, sent, r.clock.Local())
	return result, nil
}
