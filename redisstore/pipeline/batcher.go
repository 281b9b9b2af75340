package redisstore

import (
	"context"
	"runtime"
	"sync"

	"github.com/redis/go-redis/v9"
)

const (
	// maxSenders is how many calls that carry posts are under way at a time. Two
	// keep Redis busy: while it works on one, the other is read and written.
	maxSenders = 2
	// maxBatch is how many posts one call carries.
	maxBatch = 128
)

// batcher sends posts to one server. One that finds it idle goes by itself, on the
// goroutine of its caller; those that come while maxSenders calls are under way
// wait, and share the next one. So a lone post costs a round trip and nothing
// else, and many at once share the system calls, which cost most.
//
// Invariants, for whoever changes this:
//   - Posts are taken in the order in which they came, and those of one call are
//     executed in that order. A caller that posts one after the other therefore
//     has them stored in order.
//   - While a post waits, maxSenders calls are under way, and none of them ends
//     without another being made if posts wait then. So nothing has to look
//     after the queue, and no post is forgotten.
//   - A post is sent once; again only after a reply that says that it was not
//     executed: NOSCRIPT, or that another server of a cluster has the room.
//   - A shared call is nobody's in particular: it is made under the store's
//     context, not under a caller's. A caller that gives up gives up its own post
//     only: one that still waits is never sent, one that was sent may be stored.
//   - Who waits is told exactly once, and whoever tells does not wait for it.
type batcher struct {
	server  *redis.Client
	servers servers
	// spawn runs a task in a goroutine under the store's context. Where it cannot,
	// because the store is closed, it runs it at once, under that context, which
	// is done.
	spawn func(task func(context.Context))

	mu      sync.Mutex
	senders int        // calls under way
	waiting []*posting // the oldest first; those who gave up may be among them
}

// do sends a post and returns the script's reply. An error is the client's or
// the context's.
func (b *batcher) do(ctx context.Context, p *posting) (int64, error) {
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	b.mu.Lock()
	if b.senders < maxSenders {
		b.senders++
		b.mu.Unlock()
		p.send(ctx, b.server, b.servers)
		b.leave()
		return p.reply, p.err
	}
	p.done = make(chan struct{})
	b.waiting = append(b.waiting, p)
	b.mu.Unlock()
	select {
	case <-p.done:
		return p.reply, p.err
	case <-ctx.Done():
	}
	b.mu.Lock()
	p.abandoned = true
	b.mu.Unlock()
	select {
	case <-p.done: // it was just in time
		return p.reply, p.err
	default:
		return 0, ctx.Err()
	}
}

// leave ends a call that carried one post. If posts wait, the next call is made
// in its place: by a goroutine, because the caller has what it came for.
func (b *batcher) leave() {
	b.mu.Lock()
	waiting := len(b.waiting) > 0
	if !waiting {
		b.senders--
	}
	b.mu.Unlock()
	if waiting {
		b.spawn(b.drain)
	}
}

// drain sends posts that wait, until none does. Under the context of a closed
// store that takes no time, as every call fails at once.
func (b *batcher) drain(ctx context.Context) {
	batch := make([]*posting, 0, maxBatch)
	commands := make([]redis.Cmder, 0, maxBatch)
	for {
		batch = b.take(batch[:0])
		if len(batch) == 0 {
			return
		}
		b.send(ctx, batch, commands)
		for _, p := range batch {
			close(p.done)
		}
		clear(batch) // or the last posts would be kept from the garbage collector
		// Those who were just told may have more to post. With them in the next call,
		// a post was measured to be a quarter to a third less work at 16 callers.
		runtime.Gosched()
	}
}

// take appends the next posts to batch, which is empty. If none waits, the call
// of whoever asks is over.
func (b *batcher) take(batch []*posting) []*posting {
	b.mu.Lock()
	defer b.mu.Unlock()
	taken := 0
	for _, p := range b.waiting {
		if len(batch) == maxBatch {
			break
		}
		taken++
		if !p.abandoned {
			batch = append(batch, p)
		}
	}
	rest := copy(b.waiting, b.waiting[taken:])
	clear(b.waiting[rest:])
	b.waiting = b.waiting[:rest]
	if len(batch) == 0 {
		b.senders--
	}
	return batch
}

// send sends posts in one call, and those that were not executed in another one:
// for want of the script, which that carries, or because the server has not the
// keys any more, or both, one after the other. Each post has its own outcome.
func (b *batcher) send(ctx context.Context, batch []*posting, commands []redis.Cmder) {
	pipeline := b.server.Pipeline()
	_ = pipeline.BatchProcess(ctx, collectCommands(batch, commands)...) // only puts them together
	_, _ = pipeline.Exec(ctx)                                           // each command has its own error
	clear(commands[:len(batch)])
	left := settleAll(batch)
	for range maxRepairs {
		again := make([]*posting, 0, len(left))
		for _, p := range left {
			if p.repair(ctx) {
				again = append(again, p)
			}
		}
		if len(again) == 0 {
			break
		}
		b.servers.pipeline(ctx, collectCommands(again, nil)...)
		left = settleAll(again)
	}
	if len(left) > 0 {
		b.servers.failed(ctx, left[0].err)
	}
}

func collectCommands(batch []*posting, commands []redis.Cmder) []redis.Cmder {
	for _, p := range batch {
		commands = append(commands, p.command)
	}
	return commands
}

// settleAll notes the outcomes, and returns the posts that have failed.
func settleAll(batch []*posting) (failed []*posting) {
	for _, p := range batch {
		if p.settle(); p.err != nil {
			failed = append(failed, p)
		}
	}
	return failed
}
