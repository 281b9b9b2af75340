package redisstore_test

import (
	"bytes"
	"testing"
	"time"

	"github.com/ephemeralchat/caddy-ephemeral-chat/redisstore/redistest"
	"github.com/ephemeralchat/caddy-ephemeral-chat/room/message"
)

// TestForeignPayloads publishes payloads of other programs in a room's channel.
func TestForeignPayloads(t *testing.T) {
	t.Parallel()
	s := newSetup(t, redistest.Options{}, time.Hour)
	for _, payload := range []string{
		"", "null", "[]", "hello", "{", `{"type":7}`, `{"type":"removed"}`, `{"type":"opened","userId":"x"}`,
		`{"type":"ended","reason":"boredom"}`, `{"type":"started"}`, `{"type":"mark","mark":"x"}`, `{"type":"of a later version"}`,
		`{"type":"retracted"}`, `{"type":"retracted","seq":3}`, `{"type":"retracted","seq":1,"oldest":2}`,
		`{"type":"retracted","seq":99,"oldest":1}`, // of a message that no node has received
		`{"type":"message","seq":0,"message":"x"}`, `{"type":"message","seq":99,"message":"x"}`,
	} {
		s.do(t, "publish", "room:events:"+s.room.ID, payload)
	}
	s.post(t, 0, "one", "two")
	for i, w := range s.watches {
		w.awaitSeq(t, 2)
		if events, _ := w.soFar(); len(events) != 3 {
			t.Errorf("node %d received %s, want the start and two messages", i, describe(events))
		}
	}
}

// TestScriptComposesFrames checks that post.lua composes entries and frames like package
// message.
func TestScriptComposesFrames(t *testing.T) {
	t.Parallel()
	s := newSetup(t, redistest.Options{}, time.Hour)
	for _, seq := range []uint64{1, 9, 10, 99_999, 100_000, 9_007_199_254_740, 99_999_999_999_998} {
		s.do(t, "hset", "room:"+s.room.ID, "seq", seq-1)
		s.do(t, "del", "room:messages:"+s.room.ID)
		p := newPost(s.nodes[0], "tag", seq, "hello")
		receipt, err := s.nodes[0].Post(t.Context(), s.room.ID, p)
		if err != nil || receipt.Seq != seq {
			t.Fatalf("Post: %+v, %v, want %d", receipt, err, seq)
		}
		page, err := s.nodes[0].Before(t.Context(), s.room.ID, 0, 1, 1)
		if err != nil || page.First != seq || !bytes.Equal(page.Entries[0], message.Entry(seq, p.Body)) {
			t.Errorf("the entry is %q (%v), want %q", page.Entries, err, message.Entry(seq, p.Body))
		}
	}
}
