package pubsub_test

import (
	"testing"

	"github.com/ephemeralchat/caddy-ephemeral-chat/redisstore/pubsub"
)

// FuzzDecodeEvent checks that no payload breaks the decoder, and that an event stays
// the same when it is encoded and decoded again.
func FuzzDecodeEvent(f *testing.F) {
	for _, seed := range []string{
		`{"type":"started","startedAt":1763999999999,"deadline":1764003599999}`,
		`{"type":"locked","locked":true}`,
		`{"type":"removed","userId":"anna"}`,
		`{"type":"opened","node":"n","userId":"anna","socketId":"s","session":"t"}`,
		`{"type":"present","node":"n","userId":"anna"}`,
		`{"type":"closed","node":"n","userId":"anna"}`,
		`{"type":"typing","userId":"anna"}`,
		`{"type":"epoch","epoch":"e"}`,
		`{"type":"ended","reason":"expired"}`,
		`{"type":"mark","mark":"m"}`,
		`{"type":"retracted","seq":12,"oldest":3}`,
		`{"type":"later","what":[]}`,
		`{"type":"started","startedAt":-1,"deadline":1e99}`,
		`{"type":"removed","userId":"\ud800"}`,
		`null`, `[]`, `"`, ``,
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, payload string) {
		event, err := pubsub.DecodeEvent([]byte(payload))
		if err != nil {
			return
		}
		encoded := event.Encode()
		again, err := pubsub.DecodeEvent([]byte(encoded))
		if err != nil || again != event {
			t.Errorf("%q was decoded and encoded as %q, and that decoded as %+v (%v)", payload, encoded, again, err)
		}
	})
}
