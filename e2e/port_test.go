package e2e_test

import (
	"math/rand/v2"
	"net"
	"strconv"
	"sync"
	"testing"
)

// ports are those that were given out. Each is given out once.
var ports = struct {
	sync.Mutex
	taken map[int]bool
}{taken: make(map[int]bool)}

// freeAddress returns a loopback address that nobody listens on. Its port is
// below those that the kernel gives to outgoing connections, so that none of
// them takes it before a server does.
func freeAddress(t *testing.T) string {
	t.Helper()
	ports.Lock()
	defer ports.Unlock()
	for range 1000 {
		port := 11000 + rand.IntN(20000)
		if ports.taken[port] {
			continue
		}
		address := net.JoinHostPort("127.0.0.1", strconv.Itoa(port))
		listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", address)
		if err != nil {
			continue
		}
		_ = listener.Close()
		ports.taken[port] = true
		return address
	}
	t.Fatal("no free port")
	return ""
}

// portOf returns the port of an address.
func portOf(t *testing.T, address string) string {
	t.Helper()
	_, port, err := net.SplitHostPort(address)
	if err != nil {
		t.Fatal(err)
	}
	return port
}
