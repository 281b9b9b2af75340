package room_test

import (
	"strings"
	"testing"

	"github.com/ephemeralchat/caddy-ephemeral-chat/room"
)

func TestNewID(t *testing.T) {
	seen := make(map[string]bool)
	for range 1_000 {
		id, socketID := room.NewID(), room.NewNonce()
		if len(id) != 22 || !room.ValidID(id) {
			t.Fatalf("id %q, want 22 characters of base64url", id)
		}
		if socketID == "" || seen[id] || seen[socketID] {
			t.Fatalf("id %q or socket id %q came twice or is empty", id, socketID)
		}
		seen[id], seen[socketID] = true, true
	}
}

func TestValidID(t *testing.T) {
	for id, want := range map[string]bool{
		"a": true, "0": true, "-": true, "_": true, "AZaz09-_": true, strings.Repeat("a", 64): true,
		"": false, strings.Repeat("a", 65): false, "a b": false, "a.b": false, "a/b": false, "a:b": false, "a+b": false,
		"a=": false, "{a}": false, "a*": false, "a\x00": false, "a\n": false, "é": false, "\xff": false, "@": false,
		"[": false, "`": false, "../a": false,
	} {
		if got := room.ValidID(id); got != want {
			t.Errorf("ValidID(%q) is %v", id, got)
		}
	}
}
