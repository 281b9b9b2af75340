package redisstore

import (
	"context"

	"github.com/redis/go-redis/v9"

	"github.com/ephemeralchat/caddy-ephemeral-chat/room"
)

// posting is a post on its way to Redis: a call of scripts/post.lua.
type posting struct {
	// What is sent. The arguments point to these fields, which costs fewer
	// allocations than an interface around the value of each.
	keys             roomKeys
	post             room.Post
	history, between int
	arguments        [18]any
	command          *redis.IntCmd

	// What came of it: set before done is closed, or before send returns.
	reply int64
	err   error

	done      chan struct{} // nil for one that need not wait
	abandoned bool          // guarded by the batcher's mu
}

// postKeys is how many of a room's keys a post has to do with. The one that it
// leaves out, retracted, does not exist before there is a message, and then has
// the room's deadline.
const postKeys = 6

// What precedes the keys. In a pipeline, redis.Script would neither notice that
// Redis lacks the script nor send it.
var (
	postBySHA1 = [...]any{"evalsha", scriptPost.Hash(), postKeys}
	postInFull = [...]any{"eval", scriptPost.source, postKeys}
)

func newPosting(ctx context.Context, k roomKeys, post room.Post) *posting {
	p := &posting{keys: k, post: post, history: max(1, post.History)}
	p.between = max(1, p.history/4)
	n := copy(p.arguments[:], postBySHA1[:])
	for i := range p.keys.keys {
		p.arguments[n] = &p.keys.keys[i]
		n++
	}
	copy(p.arguments[n:], []any{
		&p.keys.channel, &p.post.UserID, p.post.Body, &p.post.Session, &p.post.ID, &p.history, &p.between, &p.keys.life,
		&p.post.Known,
	})
	p.makeCommand(ctx)
	return p
}

func (p *posting) makeCommand(ctx context.Context) {
	p.command = redis.NewIntCmd(ctx, p.arguments[:]...)
	p.command.SetFirstKeyPos(int8(len(postBySHA1)))
}

// maxRepairs is how often a post is sent again that was not executed: its room may
// have gone to another server, which does not know the script.
const maxRepairs = 2

// repair makes it ready to be sent again, if it was not executed.
func (p *posting) repair(ctx context.Context) bool {
	switch {
	case p.err == nil:
		return false
	case redis.HasErrorPrefix(p.err, "NOSCRIPT"):
		copy(p.arguments[:], postInFull[:])
	case !isRedirection(p.err):
		return false
	}
	p.makeCommand(ctx)
	return true
}

// send sends it by itself.
func (p *posting) send(ctx context.Context, server *redis.Client, all servers) {
	_ = server.Process(ctx, p.command) // the command has the error
	p.settle()
	for n := 0; n < maxRepairs && p.repair(ctx); n++ {
		all.pipeline(ctx, p.command)
		p.settle()
	}
	if p.err != nil {
		all.failed(ctx, p.err)
	}
}

// settle notes the outcome of the command. The script never replies zero, so
// another value is a reply that has arrived: the client puts the error that
// breaks a pipeline on all of its commands, also on those that were answered.
func (p *posting) settle() {
	if p.reply = p.command.Val(); p.reply != 0 {
		p.err = nil
		return
	}
	p.err = p.command.Err()
}
