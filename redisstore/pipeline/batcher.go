package pipeline

import (
	"context"
	"runtime"
	"slices"
	"sync"

	"github.com/redis/go-redis/v9"

	"github.com/ephemeralchat/caddy-ephemeral-chat/redisstore/client"
	"github.com/ephemeralchat/caddy-ephemeral-chat/redisstore/script"
)

const (
	// maxCalls is the maximum number of calls in flight. Two keep Redis busy: while it
	// executes one, the other one is read and written.
	maxCalls = 2
	// maxBatch is the maximum number of posts in one call.
	maxBatch = 128
	// maxRetries is how often a post that was not executed is sent again: its room may
	// have moved to another server, which does not know the script.
	maxRetries = 2
)

// batcher sends posts to one server. A post that finds the server idle is sent alone, on
// the goroutine of its caller; those that arrive while maxCalls calls are in flight wait,
// and share the next one. So a lone post costs a round trip and nothing else, and many
// posts share the system calls, which cost most.
//
// Invariants:
//   - Posts are taken in the order of arrival, and Redis executes those of one call in
//     that order. So the posts of a caller that waits for each are stored in order.
//   - While a post waits, maxCalls calls are in flight, and each is followed by another
//     one if posts wait then. So no post is forgotten, and no other goroutine has to
//     check the queue.
//   - A post is sent once. It is sent again only after a reply that shows that it was
//     not executed: NOSCRIPT, or a redirection.
//   - A shared call has the store's context, not a caller's. A caller that gives up
//     gives up its own post only: one that still waits is never sent, one that was sent
//     may be stored.
//   - Each waiting post's done channel is closed exactly once; closing never blocks.
type batcher struct {
	// Fixed by Publisher.
	server   *redis.Client
	topology client.Topology
	spawn    func(task func(context.Context)) // see New

	mu sync.Mutex
	// All below is guarded by mu.
	calls   int            // in flight
	waiting []*pendingPost // the oldest first
}

// pendingPost is a post on its way to Redis.
type pendingPost struct {
	script.PostCall

	done chan struct{} // closed after a shared call
}

// do sends a post. It returns the client's or the context's error.
func (b *batcher) do(ctx context.Context, p *pendingPost) error {
	b.mu.Lock()
	if b.calls < maxCalls {
		b.calls++
		b.mu.Unlock()
		_ = b.server.Process(ctx, p.Command()) // the command has the error
		b.retry(ctx, p)
		b.finish()
		return p.Err()
	}
	p.done = make(chan struct{})
	b.waiting = append(b.waiting, p)
	b.mu.Unlock()
	select {
	case <-p.done:
		return p.Err()
	case <-ctx.Done():
	}
	b.mu.Lock()
	b.waiting = slices.DeleteFunc(b.waiting, func(other *pendingPost) bool { return other == p })
	b.mu.Unlock()
	select {
	case <-p.done: // it was just in time
		return p.Err()
	default:
		return ctx.Err()
	}
}

// finish ends a call with one post. If posts wait, a goroutine makes the next call,
// because the caller has its result.
func (b *batcher) finish() {
	b.mu.Lock()
	more := len(b.waiting) > 0
	if !more {
		b.calls--
	}
	b.mu.Unlock()
	if more {
		b.spawn(b.drain)
	}
}

// drain sends waiting posts until none is left. With the context of a closed store
// every call fails at once.
func (b *batcher) drain(ctx context.Context) {
	batch, commands := make([]*pendingPost, 0, maxBatch), make([]redis.Cmder, 0, maxBatch)
	for {
		batch = b.take(batch[:0])
		if len(batch) == 0 {
			return
		}
		for _, p := range batch {
			commands = append(commands, p.Command())
		}
		pipeline := b.server.Pipeline()
		_ = pipeline.BatchProcess(ctx, commands...) // only queues them
		_, _ = pipeline.Exec(ctx)                   // each command has its own error
		b.retry(ctx, batch...)
		for _, p := range batch {
			close(p.done)
		}
		// Else the last posts would be kept from the garbage collector.
		clear(batch)
		clear(commands)
		commands = commands[:0]
		// Callers that were just woken may have more to post. With those in the next call,
		// a post was measured to cost a quarter to a third less at 16 callers.
		runtime.Gosched()
	}
}

// take appends the next posts to batch, which is empty. If none waits, the call of the
// goroutine ends.
func (b *batcher) take(batch []*pendingPost) []*pendingPost {
	b.mu.Lock()
	defer b.mu.Unlock()
	n := min(len(b.waiting), maxBatch)
	batch = append(batch, b.waiting[:n]...)
	b.waiting = slices.Delete(b.waiting, 0, n)
	if n == 0 {
		b.calls--
	}
	return batch
}

// retry sends the posts of a call again that were not executed, together, and reports
// a failure that is left.
func (b *batcher) retry(ctx context.Context, batch ...*pendingPost) {
	for range maxRetries {
		var again []redis.Cmder
		for _, p := range batch {
			if p.PrepareRetry(ctx) {
				again = append(again, p.Command())
			}
		}
		if len(again) == 0 {
			break
		}
		b.topology.Pipeline(ctx, again...)
	}
	for _, p := range batch {
		if err := p.Err(); err != nil {
			b.topology.NoteError(ctx, err)
			return
		}
	}
}
