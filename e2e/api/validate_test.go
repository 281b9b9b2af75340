package api_test

import (
	"fmt"
	"net"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/ephemeralchat/caddy-ephemeral-chat/e2e/harness"
)

// TestValidate checks configurations with caddy validate, as an admin does before a
// reload. Redis need not run, and Caddy opens no connection to it.
func TestValidate(t *testing.T) {
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var visitors atomic.Int32
	done := make(chan struct{})
	// Ends when the listener is closed; the test waits for that.
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
		n := harness.NewNode(t)
		n.Write(t, "", fmt.Sprintf("http://%s {\nephemeral_chat {\nredis %s\n}\n}", harness.FreeAddress(t), address))
		if output, err := n.Validate(t); err != nil || !strings.Contains(output, "Valid configuration") {
			t.Errorf("%s: %v\n%s", address, err, output)
		}
	}
	_ = listener.Close()
	<-done
	if n := visitors.Load(); n > 0 {
		t.Errorf("%d connections to Redis", n)
	}
}
