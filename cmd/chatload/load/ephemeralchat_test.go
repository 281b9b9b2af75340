package load_test

import (
	"testing"

	"github.com/ephemeralchat/caddy-ephemeral-chat/cmd/chatload/load"
)

func TestEphemeralChatNext(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		frame string
		kind  load.EventKind
		seq   uint64
		text  string
	}{
		{`{"type":"message","seq":12,"message":"~1.2~","timestamp":"t","userId":"a"}`, load.EventMessage, 12, ""},
		{`{"seq":12,"message":"\"type\":\"welcome\" \"seq\":5","type":"message"}`, load.EventMessage, 12, ""},
		{`{"type":"welcome","room":{"roomId":"r"},"epoch":"e","seq":7,"messages":[{"seq":3}]}`, load.EventJoined, 7, ""},
		{`{"type":"error","code":"rate_limited","message":"slow down"}`, load.EventRefused, 0, "rate_limited"},
		{`{"type":"joined","userId":"message"}`, load.EventOther, 0, ""},
		{`{}`, load.EventRefused, 0, "a frame without a type"},
	} {
		e, rest := load.EphemeralChat{}.Next([]byte(test.frame))
		if e.Kind != test.kind || e.Seq != test.seq || len(rest) > 0 {
			t.Errorf("%s: got kind %d, number %d, rest %q", test.frame, e.Kind, e.Seq, rest)
		}
		if test.text != "" && string(e.Text) != test.text {
			t.Errorf("%s: got %q, want %q", test.frame, e.Text, test.text)
		}
	}
}
