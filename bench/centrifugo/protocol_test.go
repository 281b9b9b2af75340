package centrifugo_test

import (
	"testing"

	"github.com/ephemeralchat/caddy-ephemeral-chat/cmd/chatload/load"

	"github.com/ephemeralchat/caddy-ephemeral-chat/bench/centrifugo"
)

// TestNext parses a frame that Centrifugo 6.9 sent.
func TestNext(t *testing.T) {
	t.Parallel()
	frame := []byte(`{"id":1,"connect":{"client":"92d3599c","version":"0.0.0 OSS","ping":25,"pong":true}}` + "\n" +
		`{"id":2,"subscribe":{"recoverable":true,"epoch":"GBTEVwic","positioned":true,"offset":41}}` + "\n" +
		`{"push":{"channel":"room1","pub":{"data":"~1.2~","info":{"user":"","client":"92d3599c"},"offset":42,"epoch":"GBTEVwic"}}}` + "\n" +
		`{"id":3,"publish":{}}` + "\n" +
		`{}` + "\n" +
		`{"id":3,"error":{"code":103,"message":"permission denied"}}`)
	want := []struct {
		kind load.EventKind
		seq  uint64
	}{
		{load.EventOther, 0},
		{load.EventJoined, 41},
		{load.EventMessage, 42},
		{load.EventOther, 0},
		{load.EventPing, 0},
		{load.EventRefused, 0},
	}
	for i, w := range want {
		if len(frame) == 0 {
			t.Fatalf("%d events, want %d", i, len(want))
		}
		var e load.Event
		e, frame = centrifugo.Protocol{}.Next(frame)
		if e.Kind != w.kind || e.Seq != w.seq {
			t.Errorf("event %d is of kind %d with number %d, want %d with %d", i, e.Kind, e.Seq, w.kind, w.seq)
		}
	}
	if len(frame) > 0 {
		t.Errorf("%q is left over", frame)
	}
}
