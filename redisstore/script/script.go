package redisstore

import (
	"context"
	"embed"
	"strings"

	"github.com/redis/go-redis/v9"
)

//go:embed scripts/*.lua
var scriptFiles embed.FS

// Each script says at its top what it is given and what it replies. The others
// named here are functions that it uses.
var (
	scriptPush    = newScript("push", "now")
	scriptCreate  = newScript("create", "now", "fields")
	scriptLoad    = newScript("load", "now", "fields")
	scriptJoin    = newScript("join", "now", "fields")
	scriptStart   = newScript("start", "now", "begin")
	scriptResume  = newScript("resume", "now", "begin")
	scriptLock    = newScript("lock")
	scriptRemove  = newScript("remove")
	scriptDelete  = newScript("delete")
	scriptReap    = newScript("reap")
	scriptFinish  = newScript("finish", "now")
	scriptPost    = newScript("post", "now", "begin")
	scriptRetract = newScript("retract")
	scriptHistory = newScript("history")
	scriptEnter   = newScript("enter")
	scriptReenter = newScript("reenter")
	scriptExit    = newScript("exit")
	scriptSync    = newScript("sync", "now", "fields", "moved")
	scriptEpoch   = newScript("epoch")
	scriptPeek    = newScript("peek", "now")
	scriptPop     = newScript("pop")
	scriptBeat    = newScript("beat", "now")
)

// The status of a reply.
const (
	replyOK        = 0
	replyGone      = 1 // no such room
	replyRemoved   = 2
	replyNot       = 3 // not a member; of post: not stored, a duplicate
	replyLocked    = 4
	replyFull      = 5
	replyTooLate   = 6
	replyRoomTaken = 7
	replyNoMessage = 8
	replyNotOwn    = 9
	replyLost      = 10 // of post
	replyBegan     = 16 // of post, more negative than any of the others: see there
)

// script is a script and its name, which errors give.
type script struct {
	name, source string
	*redis.Script
}

func newScript(name string, uses ...string) script {
	var b strings.Builder
	for _, file := range append(uses, name) {
		source, err := scriptFiles.ReadFile("scripts/" + file + ".lua")
		if err != nil {
			panic(err) // a name above has no file
		}
		b.Write(source)
	}
	return script{name, b.String(), redis.NewScript(b.String())}
}

// bySHA1 is a call of the script by its hash, and inFull one that carries it. The
// hash is all that a server that knows the script needs.
func (s script) bySHA1(ctx context.Context, keys []string, args []any) *redis.Cmd {
	return scriptCall(ctx, keys, args, "evalsha", s.Hash())
}

func (s script) inFull(ctx context.Context, keys []string, args []any) *redis.Cmd {
	return scriptCall(ctx, keys, args, "eval", s.source)
}

func scriptCall(ctx context.Context, keys []string, args []any, name, what string) *redis.Cmd {
	all := make([]any, 0, 3+len(keys)+len(args))
	all = append(all, name, what, len(keys))
	for _, key := range keys {
		all = append(all, key)
	}
	command := redis.NewCmd(ctx, append(all, args...)...)
	command.SetFirstKeyPos(3)
	return command
}
