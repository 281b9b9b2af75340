package load_test

import (
	"math"
	"testing"

	"github.com/ephemeralchat/caddy-ephemeral-chat/cmd/chatload/load"
)

func TestText(t *testing.T) {
	t.Parallel()
	for _, want := range []struct{ slot, sent int64 }{{0, 0}, {7, 1}, {31, 123456789}, {math.MaxInt32, math.MaxInt64}} {
		text := load.AppendText([]byte(`{"message":"`), want.slot, want.sent, 100)
		if len(text) != len(`{"message":"`)+100 {
			t.Errorf("the text has %d bytes, want 100", len(text)-len(`{"message":"`))
		}
		slot, sent, ok := load.ParseText(append(text, `"}`...))
		if !ok || slot != want.slot || sent != want.sent {
			t.Errorf("%v was read as %d, %d, %t", want, slot, sent, ok)
		}
	}
	// A text is longer if slot and time need it.
	if slot, sent, ok := load.ParseText(load.AppendText(nil, 5, 67, 1)); !ok || slot != 5 || sent != 67 {
		t.Errorf("a short text was read as %d, %d, %t", slot, sent, ok)
	}
	for _, text := range []string{"", "hello", "~", "~1", "~1.", "~1.2", "~1~", "~1.2.3~", "~a.b~", "~-1.2~"} {
		if slot, sent, ok := load.ParseText([]byte(text)); ok {
			t.Errorf("%q was read as %d, %d", text, slot, sent)
		}
	}
}
