package redisstore_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/redis/go-redis/v9"

	"github.com/ephemeralchat/caddy-ephemeral-chat/redisstore"
	"github.com/ephemeralchat/caddy-ephemeral-chat/redisstore/redistest"
)

// processHook is a hook for single commands.
type processHook func(ctx context.Context, command redis.Cmder, next redis.ProcessHook) error

func (processHook) DialHook(next redis.DialHook) redis.DialHook { return next }

func (h processHook) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, command redis.Cmder) error { return h(ctx, command, next) }
}

func (processHook) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return next
}

// interruption does something just before a store runs a script for the first time.
type interruption struct {
	once sync.Once
	done chan struct{} // closed when the script has run
}

// interrupt makes the server forget all scripts, so that the store sends the source of
// the script, by which its comment shows.
func interrupt(t *testing.T, server *redistest.Server, s *redisstore.Store, script string, do func()) *interruption {
	t.Helper()
	i := &interruption{done: make(chan struct{})}
	s.AddHook(processHook(func(ctx context.Context, command redis.Cmder, next redis.ProcessHook) error {
		first := false
		if command.Name() == "eval" && strings.Contains(fmt.Sprint(command.Args()[1]), "-- "+script+" ") {
			i.once.Do(func() { first = true })
		}
		if first {
			defer close(i.done)
			do()
		}
		return next(ctx, command)
	}))
	if err := server.Client().ScriptFlush(t.Context()).Err(); err != nil {
		t.Fatal(err)
	}
	return i
}

func (i *interruption) await(t *testing.T) {
	t.Helper()
	await(t, i.done, "the script has not run")
}

// countCalls counts the commands of a store whose arguments contain all texts.
func countCalls(s *redisstore.Store, texts ...string) *atomic.Int32 {
	var count atomic.Int32
	s.AddHook(processHook(func(ctx context.Context, command redis.Cmder, next redis.ProcessHook) error {
		err := next(ctx, command)
		all := fmt.Sprint(command.Args()...)
		for _, text := range texts {
			if !strings.Contains(all, text) {
				return err
			}
		}
		if err == nil {
			count.Add(1)
		}
		return err
	}))
	return &count
}
