package script_test

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/ephemeralchat/caddy-ephemeral-chat/internal/apierror"
	"github.com/ephemeralchat/caddy-ephemeral-chat/redisstore/client"
	"github.com/ephemeralchat/caddy-ephemeral-chat/redisstore/script"
	"github.com/ephemeralchat/caddy-ephemeral-chat/room"
	"github.com/ephemeralchat/caddy-ephemeral-chat/room/message"
)

// cannedReply answers the commands of a client with one reply, in place of Redis.
type cannedReply struct{ reply any }

func (*cannedReply) DialHook(next redis.DialHook) redis.DialHook { return next }

func (r *cannedReply) ProcessHook(redis.ProcessHook) redis.ProcessHook {
	return func(_ context.Context, cmd redis.Cmder) error {
		switch cmd := cmd.(type) {
		case *redis.Cmd:
			cmd.SetVal(r.reply)
		case *redis.IntCmd:
			number, ok := r.reply.(int64)
			if !ok {
				cmd.SetErr(errors.New("no number"))
			}
			cmd.SetVal(number)
		default:
			cmd.SetErr(errors.New("no such reply"))
		}
		return cmd.Err()
	}
}

func (*cannedReply) ProcessPipelineHook(redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return func(_ context.Context, commands []redis.Cmder) error {
		for _, cmd := range commands {
			cmd.SetErr(errors.New("no such reply"))
		}
		return nil
	}
}

// noClock ignores samples of the server's time.
type noClock struct{}

func (noClock) Local() time.Duration { return 0 }

func (noClock) Add(time.Time, time.Duration, time.Duration) {}

// replyOf returns the reply that JSON describes, in the types of the client library:
// strings, integers, lists and nil. It returns false for others.
func replyOf(text string) (any, bool) {
	decoder := json.NewDecoder(strings.NewReader(text))
	decoder.UseNumber()
	var value any
	if decoder.Decode(&value) != nil {
		return nil, false
	}
	return asReply(value)
}

func asReply(value any) (any, bool) {
	switch value := value.(type) {
	case nil, string:
		return value, true
	case json.Number:
		n, err := value.Int64()
		return n, err == nil
	case []any:
		for i := range value {
			var ok bool
			if value[i], ok = asReply(value[i]); !ok {
				return nil, false
			}
		}
		return value, true
	default:
		return nil, false
	}
}

// roomFields are the fields of a room in a reply, and loaded is the beginning of one.
const (
	roomFields = `["2","epoch","1764003600000","1764000000000","1763999000000","3600",null,"anna","Room","01234567890123456789012345678901",null,"86400",null,"",null]`
	loaded     = `[0,1764000001000,` + roomFields
)

// FuzzReplies answers every script with any reply. Either the call returns a consistent
// result, or it fails with one of the errors of a store.
func FuzzReplies(f *testing.F) {
	for _, seed := range []string{
		loaded + `,1]`, loaded + `,2]`, `[0,null,` + roomFields + `,1]`, loaded + `,"ben"]`, loaded + `]`,
		loaded + `,2,"{\"seq\":2}",["node:anna","socket"],[1,0],["1"]]`,
		loaded + `,3,null,[],[],["9223372036854775807","-1",null]]`,
		`[7,1764000001000,` + roomFields + `]`,
		`[0,1764000001000,1764000000000,"1764003600000",1]`,
		`[0,1764000001000,null,null,0]`,
		`[0,"epoch",1,2,1,["{\"seq\":1,\"message\":\"a\"}","{\"seq\":2,\"message\":\"b\"}"]]`,
		`[0,"epoch",3,2,9007199254740993,["x"]]`, `[0,"epoch",1,2,1,["{\"seq\":1,","{\"seq\":1,"]]`, `[0,"epoch",2,2,1,["{\"seq\":1,","{\"seq\":2,"]]`,
		`[0,"epoch",0,0,0,[]]`,
		`[0,"18446744073709551615"]`,
		`[0,1764000001000,[null,null,null,null,null,null,null,null,null,null,null,null,null,null,null]]`,
		`[0,-9223372036854775808,["18446744073709551616","epoch","x","-9223372036854775808","","9223372036854775807","","","","key"]]`,
		`[0]`, `[1,1]`, `[2]`, `[3]`, `[4,1]`, `[5,1,1]`, `[6,1]`, `[8]`, `[9]`, `[10]`, `[]`, `[[]]`, `[null]`, `["0"]`,
		`null`, `0`, `1`, `-1`, `-16`, `-17`, `9223372036854775807`, `-9223372036854775808`, `"OK"`,
	} {
		f.Add(seed)
	}
	topology, err := client.Options{Addrs: []string{"127.0.0.1:1"}}.Open()
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() { _ = topology.Close() }) // it never connects
	server, err := topology.ClientFor(f.Context(), "")
	if err != nil {
		f.Fatal(err)
	}
	canned := new(cannedReply)
	server.AddHook(canned)
	runner := script.NewRunner(topology, noClock{})
	f.Fuzz(func(t *testing.T, text string) {
		var ok bool
		if canned.reply, ok = replyOf(text); !ok {
			return
		}
		runEverything(t, runner, server, canned.reply)
	})
}

// runEverything runs every script of a room, and checks the results.
func runEverything(t *testing.T, r *script.Runner, server *redis.Client, reply any) {
	t.Helper()
	ctx := t.Context()
	const id = "AAAAAAAAAAAAAAAAAAAAAA"
	keys := script.Keyspace{}.Room(id)
	failed := func(err error) bool {
		if err != nil && apierror.Of(err) == apierror.Of(room.ErrInternal) && !errors.Is(err, room.ErrInternal) {
			t.Errorf("an unknown error: %v", err)
		}
		if list, _ := reply.([]any); err == nil && (len(list) == 0 || list[0] != int64(0) && list[0] != int64(7)) {
			t.Errorf("%v was taken for success", reply)
		}
		return err != nil
	}
	expectRoom := func(what string, r room.Room) {
		if list, _ := reply.([]any); len(list) < 2 || list[1] == nil {
			t.Errorf("%s: %v has no time", what, reply)
		}
		if r.ID != id || r.Epoch == "" || len(r.Key) == 0 || r.TTL < time.Second {
			t.Errorf("%s: half a room: %+v", what, r)
		}
	}
	for _, userID := range []string{"", "ben"} {
		if loaded, _, err := r.Load(ctx, keys, userID); !failed(err) {
			expectRoom("load", loaded)
		}
	}
	candidates := []string{"ben", "ben-2"}
	if j, _, err := r.Join(ctx, keys, room.Join{Candidates: candidates, MaxOnline: 1, MaxMembers: 1}, 0); !failed(err) {
		expectRoom("join", j.Room)
		if !slices.Contains(candidates, j.UserID) {
			t.Errorf("joined as %q", j.UserID)
		}
	}
	if c, err := r.Start(ctx, keys); !failed(err) && !c.Deadline.After(c.StartedAt) {
		t.Errorf("started %+v", c)
	}
	if createdAt, lobby, err := r.LobbyEnqueue(ctx, script.Keyspace{}, id, time.Hour); err == nil {
		created := room.Room{ID: id, Instance: "first", Name: "Room", TTL: time.Hour, Epoch: "e", Key: make([]byte, 32)}
		if existing, _, err := r.Create(ctx, keys, created, createdAt, lobby); !failed(err) {
			expectRoom("create", existing)
		}
	}
	post := new(script.PostCall)
	post.Init(ctx, script.Keyspace{}, id, room.Post{UserID: "ben", Body: []byte(`"message":"x"`), History: 10})
	if err := server.Process(ctx, post.Command()); err == nil {
		if receipt, err := post.Receipt(); err == nil && receipt.Seq == 0 && !receipt.Duplicate && !receipt.Lost {
			t.Errorf("posted: %+v", receipt)
		}
	}
	if p, err := r.History(ctx, keys, script.After, 0, 1<<30, 1<<20); !failed(err) {
		if p.Epoch == "" || p.Last() > p.Newest || len(p.Entries) > 0 && (p.First == 0 || p.First < p.Oldest) {
			t.Errorf("page %+v", p)
		}
		for i, entry := range p.Entries {
			if seq, ok := message.SeqOfEntry(entry); !ok || seq != p.First+uint64(i) {
				t.Errorf("in a page from %d on, number %d is %q", p.First, i, entry)
			}
		}
	}
	failed(r.Retract(ctx, keys, room.Retraction{Seq: 1, UserID: "ben"}))
	failed(r.SetLocked(ctx, keys, true))
	failed(r.Remove(ctx, keys, "ben", false))
	failed(r.Delete(ctx, keys))
	if s, err := r.Sync(ctx, keys, script.SyncArgs{Users: []string{"ben"}}); !failed(err) {
		expectRoom("sync", s.Room)
		if s.Oldest == 0 || s.Oldest > s.Room.Seq+1 {
			t.Errorf("the oldest of %d messages is %d", s.Room.Seq, s.Oldest)
		}
	}
}
