package load_test

import (
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/ephemeralchat/caddy-ephemeral-chat/cmd/chatload/load"
)

func TestParseOptions(t *testing.T) {
	t.Parallel()
	o, err := load.ParseOptions("chatload", strings.Fields(
		"-url http://a:1/chat,https://b/ -url http://c -rooms 3 -pid caddy=12,34 -gc http://a/1,http://a/2 -ping"), io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	if want := []string{"http://a:1/chat/", "https://b/", "http://c/"}; !slices.Equal(o.URLs, want) {
		t.Errorf("URLs are %q, want %q", o.URLs, want)
	}
	if want := []load.Process{{Name: "caddy", PID: 12}, {Name: "34", PID: 34}}; !slices.Equal(o.Processes, want) {
		t.Errorf("processes are %v, want %v", o.Processes, want)
	}
	if len(o.GC) != 2 || o.InFlight != 1 || o.Members != 2 || o.Rooms != 3 {
		t.Errorf("got %+v", o)
	}
}

func TestParseOptionsRefuses(t *testing.T) {
	t.Parallel()
	for _, line := range []string{
		"-url localhost:8080", "-url ws://localhost/", "-url http://", "-url http://a,",
		"-rooms 0", "-members 0", "-members x", "-rate 0", "-rate -1", "-flight -1", "-size 0", "-parallel 0",
		"-stall 1", "-stall -0.1", "-idle 1 -storm 1", "-duration 0s", "-warmup -1s", "-pid x", "-pid a=0", "-pid 1,,2",
		"-unknown", "rest",
	} {
		if _, err := load.ParseOptions("chatload", strings.Fields(line), io.Discard); err == nil {
			t.Errorf("%q was accepted", line)
		}
	}
}
