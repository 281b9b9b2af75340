// Package script runs the Lua scripts of the store: one typed function per script,
// which builds its keys and arguments and decodes its reply.
package script

import (
	"context"
	"embed"
	"slices"
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
	timed              bool // the second element of the reply is the server's time
}

// load reads a script and the Lua functions that it calls. With now among them, its
// reply has the time.
func load(name string, functions ...string) script {
	var b strings.Builder
	for _, file := range append(functions, name) {
		source, err := files.ReadFile(file + ".lua")
		if err != nil {
			panic(err) // the name has no file
		}
		b.Write(source)
	}
	return script{name, b.String(), redis.NewScript(b.String()).Hash(), slices.Contains(functions, "now")}
}

// newCommand returns a call of a script: with evalsha by its hash, or, for a server that
// does not know it, with eval by its source.
func newCommand(ctx context.Context, eval, script string, keys []string, args []any) *redis.Cmd {
	all := make([]any, 0, 3+len(keys)+len(args))
	all = append(all, eval, script, len(keys))
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

// run runs a script, and returns its reply and the error that its status stands for.
func (r *Runner) run(ctx context.Context, s script, keys []string, args ...any) (reply, error) {
	result, err := r.call(ctx, s, keys, args...)
	if err == nil {
		err = statusError(result.status())
	}
	return result, err
}

// call runs a script whose reply may have no status. It samples the time of the reply. A
// timed reply without it is an error: the clock would go back to the year 1.
func (r *Runner) call(ctx context.Context, s script, keys []string, args ...any) (reply, error) {
	if err := ctx.Err(); err != nil {
		return nil, client.Unavailable(s.name, err)
	}
	sent, command := r.clock.Local(), newCommand(ctx, "evalsha", s.sha1, keys, args)
	err := client.Send(ctx, r.topology, keys[0], command)
	if err != nil && redis.HasErrorPrefix(err, "NOSCRIPT") {
		sent, command = r.clock.Local(), newCommand(ctx, "eval", s.source, keys, args)
		err = client.Send(ctx, r.topology, keys[0], command)
	}
	var elements []any
	if err == nil {
		elements, err = command.Slice()
	}
	if err != nil {
		return nil, client.Unavailable(s.name, err)
	}
	result := reply(elements)
	if s.timed {
		now := result.time(1)
		if now.IsZero() {
			return nil, errMalformed
		}
		r.clock.Add(now, sent, r.clock.Local())
	}
	return result, nil
}
