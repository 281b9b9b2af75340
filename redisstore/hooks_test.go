package redisstore_test

import (
	"bytes"
	"context"
	"sync"

	"github.com/redis/go-redis/v9"

	"github.com/ephemeralchat/caddy-ephemeral-chat/redisstore"
)

// calls sees the calls of a store that carry posts.
type calls struct {
	mu     sync.Mutex
	single []context.Context
	shared []sharedCall
	before func() // runs before each shared call
}

// sharedCall is a call that carries several posts.
type sharedCall struct {
	inFull bool // it carries the script as well
	bodies []string
}

func seeCalls(s *redisstore.Store) *calls {
	c := &calls{before: func() {}}
	s.AddHook(c)
	return c
}

func (c *calls) DialHook(next redis.DialHook) redis.DialHook { return next }

func (c *calls) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		if bodyOf(cmd) != "" {
			c.mu.Lock()
			c.single = append(c.single, ctx)
			c.mu.Unlock()
		}
		return next(ctx, cmd)
	}
}

func (c *calls) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return func(ctx context.Context, commands []redis.Cmder) error {
		if bodyOf(commands[0]) != "" {
			// The commands are not this hook's any more when it returns.
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

// bodyOf is the body of the message that a command posts, "" if it posts none.
func bodyOf(cmd redis.Cmder) string {
	for _, argument := range cmd.Args() {
		if body, ok := argument.([]byte); ok && bytes.HasPrefix(body, []byte(`"message":`)) {
			return string(body)
		}
	}
	return ""
}
