package ws

import (
	"fmt"
	"strings"
	"testing"

	"github.com/gorilla/websocket"

	"github.com/ephemeralchat/caddy-ephemeral-chat/internal/apierror"
)

// TestJoinWhileGoingAway checks that a client that joins while the hub begins to close
// receives a time to reconnect, as earlier clients do. That moment is too short for a
// test from outside.
func TestJoinWhileGoingAway(t *testing.T) {
	for range 20 {
		f := closeFrameOf(fmt.Errorf("joining: %w", apierror.ErrGoingAway))
		if code := closeCode([]*frame{f}); code != websocket.CloseGoingAway {
			t.Fatalf("closed with %d, want %d", code, websocket.CloseGoingAway)
		}
		const header = 4 // of the frame, and the code
		var ms int
		text, ok := strings.CutPrefix(string(f.bytes[header:]), "retry=")
		if _, err := fmt.Sscan(text, &ms); !ok || err != nil || ms < 0 || ms >= int(retrySpread.Milliseconds()) {
			t.Fatalf("the reason is %q, want retry=<ms> of less than %s", f.bytes[header:], retrySpread)
		}
	}
}
