// Package loopback hands out addresses of 127.0.0.1 for servers under test.
package loopback

import (
	"context"
	"errors"
	"math/rand/v2"
	"net"
	"strconv"
	"sync"
)

// ports are those that FreePort has returned. It returns none of them again.
var ports = struct {
	sync.Mutex
	taken map[int]bool
}{taken: make(map[int]bool)}

// FreePort returns a port of 127.0.0.1 on which no program listens. It is below the
// range that the kernel gives to outgoing connections, so that none of them takes it
// before the server does.
func FreePort(ctx context.Context) (int, error) {
	ports.Lock()
	defer ports.Unlock()
	for range 1000 {
		port := 11000 + rand.IntN(20000)
		if ports.taken[port] {
			continue
		}
		listener, err := new(net.ListenConfig).Listen(ctx, "tcp", Address(port))
		if err != nil {
			continue
		}
		_ = listener.Close() // it has accepted no connection
		ports.taken[port] = true
		return port, nil
	}
	return 0, errors.New("no free port")
}

// Address returns 127.0.0.1 with a port.
func Address(port int) string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(port)) }
