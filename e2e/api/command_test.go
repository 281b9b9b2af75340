package api_test

import (
	"net/http"
	"regexp"
	"strings"
	"testing"

	"github.com/ephemeralchat/caddy-ephemeral-chat/e2e/harness"
)

// servedAt matches the line that the command prints when it serves.
var servedAt = regexp.MustCompile(`(?m)^Chat rooms are served at (\S+)/$`)

// startCommand runs caddy ephemeral-chat in an empty folder, and returns a client for
// the address that it prints.
func startCommand(t *testing.T, args ...string) (*harness.Node, *harness.API) {
	t.Helper()
	n := harness.NewNode(t)
	n.Run(t, n.Command(append([]string{"ephemeral-chat"}, args...)...))
	var url string
	harness.Until(t, harness.StartTime, "the command prints its address", func() bool {
		if n.Ended() {
			t.Fatalf("the command has ended:\n%s", n.Log())
		}
		if found := servedAt.FindStringSubmatch(n.Log()); found != nil {
			url = found[1]
		}
		return url != ""
	})
	return n, harness.NewAPI(t, url)
}

// TestCommand starts the chat by the command, without a configuration file.
func TestCommand(t *testing.T) {
	t.Run("memory", func(t *testing.T) {
		n, a := startCommand(t, "--listen", harness.FreeAddress(t), "--ttl", "90s")
		if got := a.Get(t, "/"); got.Status != http.StatusOK ||
			!strings.HasPrefix(got.Header.Get("Content-Type"), "text/html") {
			t.Errorf("the page: status %d, %v", got.Status, got.Header)
		}
		if got := a.Call(t, "/createRoom", harness.Fields{"roomName": "trial"}); got.Fields["ttl"] != 90.0 {
			t.Errorf("a room: %s", got.Body)
		}
		anna := a.Create(t, 60)
		k := harness.Dial(t, a.Base)
		k.Send(t, anna.Credentials("type", "join"))
		k.Await(t, "welcome")
		took := n.Stop(t)
		k.AwaitClose(t, 1001)
		t.Logf("ended %s after SIGTERM", took)
	})
	t.Run("redis", func(t *testing.T) {
		server := harness.StartRedis(t)
		_, first := startCommand(t, "--listen", harness.FreeAddress(t), "--redis", server.Addr())
		_, second := startCommand(t, "--listen", harness.FreeAddress(t), "--redis", "redis://"+server.Addr()+"/0", "--access-log", "--debug")
		anna := first.Create(t, 60)
		second.Succeed(t, "/joinRoom", harness.Fields{"roomId": anna.RoomID, "username": "ben"})
	})
	t.Run("refused", func(t *testing.T) {
		for _, wrong := range [][]string{
			{"--ttl", "soon"},
			{"--ttl", "-1s"},
			{"--ttl", "1500ms"},
			{"--redis", "http://localhost"},
			{"--pigeons", "3"},
		} {
			output, err := harness.NewNode(t).Command(append([]string{"ephemeral-chat", "--listen", harness.FreeAddress(t)}, wrong...)...).CombinedOutput()
			if err == nil || !strings.Contains(string(output), strings.TrimLeft(wrong[0], "-")) {
				t.Errorf("%v: %v\n%s", wrong, err, output)
			}
		}
	})
}
