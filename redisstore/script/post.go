package script

import (
	"context"

	"github.com/redis/go-redis/v9"

	"github.com/ephemeralchat/caddy-ephemeral-chat/redisstore/client"
	"github.com/ephemeralchat/caddy-ephemeral-chat/room"
)

var postScript = load("post", "now", "start_clock")

// postKeys is the number of keys that a post uses. The last one of a room, retracted,
// does not exist before there is a message, and then has the room's deadline.
const postKeys = 6

// The arguments before the keys. A redis.Script in a pipeline would neither notice
// that Redis lacks the script nor send it.
var (
	postBySHA1 = [...]any{"evalsha", postScript.sha1, postKeys}
	postInFull = [...]any{"eval", postScript.source, postKeys}
)

// PostCall is one call of post.lua, for a pipeline. It must not be copied after Init: the
// arguments point to its fields, which takes fewer allocations than an interface around
// each value.
type PostCall struct {
	keys            Keys
	post            room.Post
	history, excess int // messages kept, and those beyond that before a trim
	args            [18]any
	command         *redis.IntCmd
}

// Init makes the call ready to be sent.
func (c *PostCall) Init(ctx context.Context, s Keyspace, instanceID string, post room.Post) {
	c.keys, c.post, c.history = s.names(instanceID, postKeys), post, max(1, post.History)
	c.excess = max(1, c.history/4)
	n := copy(c.args[:], postBySHA1[:])
	for i := range c.keys.names {
		c.args[n] = &c.keys.names[i]
		n++
	}
	copy(c.args[n:], []any{
		&c.keys.Channel, &c.post.UserID, c.post.Body, &c.post.Session, &c.post.ID, &c.history, &c.excess, &c.keys.instance,
		&c.post.Known,
	})
	c.makeCommand(ctx)
}

func (c *PostCall) makeCommand(ctx context.Context) {
	c.command = redis.NewIntCmd(ctx, c.args[:]...)
	c.command.SetFirstKeyPos(int8(len(postBySHA1)))
}

// Key returns a key of the room.
func (c *PostCall) Key() string { return c.keys.Room() }

// Command returns the command to send.
func (c *PostCall) Command() redis.Cmder { return c.command }

// Err returns the error of the command that was sent. A reply is never zero, so a
// command with another value has succeeded: the library sets the error that breaks a
// pipeline on all of its commands, also on those with a reply.
func (c *PostCall) Err() error {
	if c.command.Val() != 0 {
		return nil
	}
	return c.command.Err()
}

// PrepareRetry makes a new command if the last one was not executed: Redis lacks the
// script, or another server has the room.
func (c *PostCall) PrepareRetry(ctx context.Context) bool {
	switch err := c.Err(); {
	case err == nil:
		return false
	case redis.HasErrorPrefix(err, "NOSCRIPT"):
		copy(c.args[:], postInFull[:])
	case !client.IsRedirection(err):
		return false
	}
	c.makeCommand(ctx)
	return true
}

// Receipt decodes the reply to a call without error.
func (c *PostCall) Receipt() (room.Receipt, error) {
	switch n := c.command.Val(); {
	case n > 0:
		return room.Receipt{Seq: uint64(n)}, nil
	case n < -statusStarted:
		return room.Receipt{Seq: uint64(-statusStarted - n), Began: true}, nil
	case n == -statusLost:
		return room.Receipt{Lost: true}, nil
	case n == -statusNot:
		return room.Receipt{Duplicate: true}, nil
	case n == 0:
		return room.Receipt{}, errMalformed
	default:
		return room.Receipt{}, statusError(-n)
	}
}
