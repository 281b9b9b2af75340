package redisstore_test

import (
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ephemeralchat/caddy-ephemeral-chat/internal/apierror"
	"github.com/ephemeralchat/caddy-ephemeral-chat/redisstore"
	"github.com/ephemeralchat/caddy-ephemeral-chat/room"
	"github.com/ephemeralchat/caddy-ephemeral-chat/room/message"
)

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
	e := new(cannedReply)
	s, err := redisstore.New(redisstore.Options{Addrs: []string{"127.0.0.1:1"}})
	if err != nil {
		f.Fatal(err)
	}
	s.AddHook(e)
	f.Cleanup(func() {
		if err := s.Close(); err != nil {
			f.Error(err)
		}
	})
	f.Fuzz(func(t *testing.T, text string) {
		var ok bool
		if e.reply, ok = replyOf(text); !ok {
			return
		}
		callEverything(t, s, e.reply)
	})
}

// callEverything makes every call that runs a script, and checks the results.
func callEverything(t *testing.T, s *redisstore.Store, reply any) {
	t.Helper()
	ctx := t.Context()
	const id = "AAAAAAAAAAAAAAAAAAAAAA"
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
	if r, err := s.Load(ctx, id); !failed(err) {
		expectRoom("load", r)
	}
	if r, _, err := s.Member(ctx, id, "ben"); !failed(err) {
		expectRoom("member", r)
	}
	candidates := []string{"ben", "ben-2"}
	if j, err := s.Join(ctx, id, room.Join{Candidates: candidates, MaxOnline: 1, MaxMembers: 1}); !failed(err) {
		expectRoom("join", j.Room)
		if !slices.Contains(candidates, j.UserID) {
			t.Errorf("joined as %q", j.UserID)
		}
	}
	if c, err := s.Start(ctx, id); !failed(err) && !c.Deadline.After(c.StartedAt) {
		t.Errorf("started %+v", c)
	}
	if r, err := s.Open(ctx, room.Room{ID: id, Instance: "life", Name: "Room", TTL: time.Hour, Epoch: "e", Key: make([]byte, 32)},
		room.CreateLimits{Lobby: time.Hour}); !failed(err) {
		expectRoom("open", r)
	}
	if r, err := s.Post(ctx, id, room.Post{UserID: "ben", Body: []byte(`"message":"x"}`), History: 10}); err == nil &&
		r.Seq == 0 && !r.Duplicate && !r.Lost {
		t.Errorf("posted: %+v", r)
	}
	if p, err := s.After(ctx, id, 0, 1<<20); !failed(err) {
		if p.Epoch == "" || p.Last() > p.Newest || len(p.Entries) > 0 && (p.First == 0 || p.First < p.Oldest) {
			t.Errorf("page %+v", p)
		}
		for i, entry := range p.Entries {
			if seq, ok := message.SeqOfEntry(entry); !ok || seq != p.First+uint64(i) {
				t.Errorf("in a page from %d on, number %d is %q", p.First, i, entry)
			}
		}
	}
	failed(s.Retract(ctx, id, room.Retraction{Seq: 1, UserID: "ben"}))
	failed(s.SetLocked(ctx, id, true))
	failed(s.Remove(ctx, id, "ben"))
	failed(s.Delete(ctx, id))
	if r, oldest, err := s.Sync(id, []string{"ben"}); !failed(err) {
		expectRoom("sync", r)
		if oldest == 0 || oldest > r.Seq+1 {
			t.Errorf("the oldest of %d messages is %d", r.Seq, oldest)
		}
	}
}
