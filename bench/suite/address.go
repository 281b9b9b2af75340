package suite

import (
	"errors"
	"math/rand/v2"
	"net"
	"strconv"
	"sync/atomic"
)

// Ports below those that the kernel gives to outgoing connections, so that no
// connection takes one before a server listens on it.
const (
	lowestPort = 11000
	portCount  = 20000
)

// Ports are given out from a random one on, because two benchmarks may run at a time.
var (
	firstPort = rand.Uint32N(portCount) //nolint:gosec // not a secret
	ports     atomic.Uint32             // number of ports given out
)

// freeAddress returns an unused loopback address, and each only once.
func freeAddress() (string, error) {
	for range 1000 {
		port := lowestPort + (firstPort+ports.Add(1))%portCount
		address := net.JoinHostPort("127.0.0.1", strconv.Itoa(int(port)))
		if listener, err := net.Listen("tcp", address); err == nil { //nolint:noctx // returns at once
			return address, listener.Close()
		}
	}
	return "", errors.New("no free port")
}
