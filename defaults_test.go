package ephemeralchat_test

import (
	"fmt"
	"strings"
	"testing"
)

// TestRefusedDefaults checks where mistakes of the global option are said to be, and
// those of a site that does not go with it.
func TestRefusedDefaults(t *testing.T) {
	for name, test := range map[string]struct {
		defaults string // from line 3 on
		site     string // the line after them
		message  string
		line     int
	}{
		"unknown option":   {"tll 2h", "ephemeral_chat", `unknown option "tll" of ephemeral_chat`, 3},
		"repeated option":  {"ttl 2h\nttl 2h", "ephemeral_chat", "ttl is given twice", 4},
		"stores":           {"redis\nstore memory", "ephemeral_chat", "redis and store exclude each other", 4},
		"contradiction":    {"max_ttl 1h\nttl 2h", "ephemeral_chat", "ttl (2h0m0s) is longer than max_ttl (1h0m0s)", 4},
		"a room":           {"room lounge Lounge", "ephemeral_chat", "a room belongs to a site", 4},
		"the site differs": {"ttl 2h", "ephemeral_chat {\nmax_ttl 1h\n}", "ttl (2h0m0s) is longer than max_ttl (1h0m0s)", 8},
		"rooms of redis":   {"redis", "ephemeral_chat {\nmax_rooms 5\n}", "max_rooms is for the memory store only", 8},
		"both of a site":   {"redis", "ephemeral_chat {\nredis\nstore memory\n}", "redis and store exclude each other", 9},
	} {
		t.Run(name, func(t *testing.T) {
			_, _, err := adapt("{\nephemeral_chat {\n" + test.defaults + "\n}\n}\n:80 {\n" + test.site + "\n}\n")
			if err == nil {
				t.Fatal("accepted")
			}
			if want := fmt.Sprintf(", at Caddyfile:%d", test.line); !strings.Contains(err.Error(), test.message) || !strings.Contains(err.Error()+" ", want) {
				t.Errorf("error %q, want %q%s", err, test.message, want)
			}
		})
	}
	_, _, err := adapt("{\nephemeral_chat {\nttl 1h\n}\nephemeral_chat {\nttl 2h\n}\n}\n:80 {\nephemeral_chat\n}\n")
	if err == nil || !strings.Contains(err.Error(), "ephemeral_chat is given twice") {
		t.Errorf("given twice: %v", err)
	}
	_, _, err = adapt("{\nephemeral_chat all {\nttl 1h\n}\n}\n:80 {\nephemeral_chat\n}\n")
	if err == nil || !strings.Contains(err.Error(), "wrong argument count") {
		t.Errorf("with an argument: %v", err)
	}
}

// TestDefaults runs sites that take the global option, and one that does not.
func TestDefaults(t *testing.T) {
	plain, other := newSite(t), newSite(t)
	loadWith(t, "ephemeral_chat {\nttl 7m\ncreate_rate 2 1h\n}",
		plain.block("ephemeral_chat")+other.block("ephemeral_chat /chat/* {\nttl 9m\ncreate_rate off\n}"))
	for range 2 {
		if ttl := plain.post(t, "/createRoom", object(t, "roomName", "x")).ok(t)["ttl"]; ttl != 7.*60 {
			t.Errorf("the ttl is %v s, want the default of 7 min", ttl)
		}
	}
	plain.post(t, "/createRoom", object(t, "roomName", "x")).refused(t, 429, "rate_limited")
	for range 5 {
		if ttl := other.post(t, "/chat/createRoom", object(t, "roomName", "x")).ok(t)["ttl"]; ttl != 9.*60 {
			t.Errorf("the ttl is %v s, want the site's own of 9 min", ttl)
		}
	}
}
