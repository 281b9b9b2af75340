package e2e_test

import (
	"fmt"
	"net"
	"net/http"
	"os/exec"
	"strings"
	"sync/atomic"
	"testing"
)

// TestValidate checks a configuration as a user would before a reload: that goes
// without Redis, and nobody connects to it.
func TestValidate(t *testing.T) {
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var visitors atomic.Int32
	done := make(chan struct{})
	// It ends when the listener is closed, which the test waits for.
	go func() {
		defer close(done)
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			visitors.Add(1)
			_ = conn.Close()
		}
	}()
	for _, address := range []string{listener.Addr().String(), "127.0.0.1:1", "redis.invalid:6379"} {
		n := &node{dir: t.TempDir(), admin: freeAddress(t)}
		n.write(t, "", fmt.Sprintf("http://%s {\nephemeral_chat {\nredis %s\n}\n}", freeAddress(t), address))
		cmd := exec.CommandContext(t.Context(), caddyBinary, "validate", "--config", n.config(), "--adapter", "caddyfile")
		cmd.Dir, cmd.Env = n.dir, n.environment()
		output, err := cmd.CombinedOutput()
		if err != nil || !strings.Contains(string(output), "Valid configuration") {
			t.Errorf("%s: %v\n%s", address, err, output)
		}
		expectClean(t, string(output))
	}
	_ = listener.Close()
	<-done
	if n := visitors.Load(); n > 0 {
		t.Errorf("%d connections to Redis", n)
	}
}

// TestReloadToUnreachableRedis moves a chat to a Redis that is not there yet.
func TestReloadToUnreachableRedis(t *testing.T) {
	server := startRedis(t)
	server.kill(t)
	file := &caddyfile{listen: freeAddress(t), store: "store memory", extra: unlimited, chat: true}
	n := startNode(t, "", file.String(), file.listen)
	a := newAPI(t, "http://"+file.listen)
	old := a.create(t, 600)
	k, _ := enter(t, a.base, &old)

	file.store = "redis " + server.address
	n.write(t, "", file.String())
	if got := n.load(t); got.status != http.StatusOK {
		t.Fatalf("reload: %d %s", got.status, got.body)
	}
	k.awaitClose(t, 1001) // its rooms were the old store's
	refused := a.call(t, "/createRoom", fields{"roomName": "r"})
	expectRefusal(t, refused, http.StatusServiceUnavailable, "unavailable")
	if refused.header.Get("Retry-After") == "" {
		t.Error("no Retry-After")
	}
	until(t, waitTime, "a warning is logged", func() bool {
		return strings.Contains(n.log(t), "Redis cannot be reached")
	})

	server.start(t)
	until(t, recoveryTime, "rooms can be created", func() bool {
		return a.call(t, "/createRoom", fields{"roomName": "r"}).status == http.StatusOK
	})
	twoChat(t, a.base)
}
