package e2e_test

import (
	"net/http"
	"os/exec"
	"regexp"
	"strings"
	"testing"
)

// servedAt matches what the command prints when it serves.
var servedAt = regexp.MustCompile(`(?m)^Chat rooms are served at (\S+)/$`)

// startCommand runs caddy ephemeral-chat in an empty directory, and returns a
// client for the address that it prints.
func startCommand(t *testing.T, args ...string) (*node, *api) {
	t.Helper()
	n := &node{dir: t.TempDir()}
	cmd := exec.Command(caddyBinary, append([]string{"ephemeral-chat"}, args...)...)
	cmd.Dir, cmd.Env = n.dir, n.environment()
	n.process = startProcess(t, "caddy", cmd)
	t.Cleanup(func() { n.finish(t) })
	var url string
	until(t, startTime, "the command says where it serves", func() bool {
		if n.ended() {
			t.Fatalf("the command has ended:\n%s", n.log(t))
		}
		if found := servedAt.FindStringSubmatch(n.log(t)); found != nil {
			url = found[1]
		}
		return url != ""
	})
	return n, newAPI(t, url)
}

// TestCommand starts the chat without a configuration file.
func TestCommand(t *testing.T) {
	t.Run("memory", func(t *testing.T) {
		n, a := startCommand(t, "--listen", freeAddress(t), "--ttl", "90s")
		if got := a.do(t, http.MethodGet, "/", nil, nil); got.status != http.StatusOK ||
			!strings.HasPrefix(got.header.Get("Content-Type"), "text/html") {
			t.Errorf("the page: status %d, %v", got.status, got.header)
		}
		if got := a.call(t, "/createRoom", fields{"roomName": "trial"}); got.fields["ttl"] != 90.0 {
			t.Errorf("a room: %s", got.body)
		}
		anna := a.create(t, 60)
		k := dial(t, a.base)
		k.send(t, anna.credentials("type", "join"))
		k.await(t, "welcome")
		took := n.stop(t, stopTime)
		k.awaitClose(t, 1001)
		t.Logf("ended %s after SIGTERM", took)
	})
	t.Run("redis", func(t *testing.T) {
		server := startRedis(t)
		_, first := startCommand(t, "--listen", freeAddress(t), "--redis", server.address)
		_, second := startCommand(t, "--listen", freeAddress(t), "--redis", "redis://"+server.address+"/0", "--access-log", "--debug")
		anna := first.create(t, 60)
		second.succeed(t, "/joinRoom", fields{"roomId": anna.RoomID, "username": "ben"})
	})
	t.Run("refused", func(t *testing.T) {
		for _, wrong := range [][]string{
			{"--ttl", "soon"},
			{"--ttl", "-1s"},
			{"--ttl", "1500ms"},
			{"--redis", "http://localhost"},
			{"--pigeons", "3"},
		} {
			cmd := exec.CommandContext(t.Context(), caddyBinary, append([]string{"ephemeral-chat", "--listen", freeAddress(t)}, wrong...)...)
			cmd.Dir = t.TempDir()
			cmd.Env = (&node{dir: cmd.Dir}).environment()
			output, err := cmd.CombinedOutput()
			if err == nil || !strings.Contains(string(output), strings.TrimLeft(wrong[0], "-")) {
				t.Errorf("%v: %v\n%s", wrong, err, output)
			}
		}
	})
}
