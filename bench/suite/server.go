package suite

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
)

// redisName is the name of the Redis process of a server.
const redisName = "redis"

// server is a target's running processes.
type server struct {
	// Fixed.
	target  *Target
	bin     string   // directory of the programs
	options []string // further lines of the chat's block in the Caddyfile
	nodes   int      // of ours
	tls     bool
	dir     string // temporary

	urls      []string
	gc        []string // URLs that collect garbage
	processes []*process
}

// start starts the target in a temporary directory.
func (s *server) start(ctx context.Context) (err error) {
	if s.dir, err = os.MkdirTemp("", "bench"); err != nil {
		return err
	}
	if err := s.target.start(ctx, s); err != nil {
		s.stop()
		return fmt.Errorf("starting %s: %w", s.target.Name, err)
	}
	return nil
}

// stop stops the processes and removes their directory.
func (s *server) stop() {
	for _, p := range slices.Backward(s.processes) {
		p.stop()
	}
	_ = os.RemoveAll(s.dir) // temporary
}

// run starts a process and waits until it can be reached.
func (s *server) run(ctx context.Context, d dial, name, address, program string, args ...string) error {
	p, err := startProcess(ctx, d, s.dir, name, address, program, args...)
	if err == nil {
		s.processes = append(s.processes, p)
	}
	return err
}

// runSite is run for a site with a debug endpoint. With TLS it waits for the
// certificate.
func (s *server) runSite(ctx context.Context, name, address, debug, program string, args ...string) error {
	s.urls = append(s.urls, s.url(address))
	s.gc = append(s.gc, debug+"/debug/pprof/heap?gc=1")
	d := new(net.Dialer).DialContext
	if s.tls {
		d = (&tls.Dialer{Config: &tls.Config{InsecureSkipVerify: true}}).DialContext //nolint:gosec // the certificate is self-signed
	}
	return s.run(ctx, d, name, address, program, args...)
}

// runRedis starts a Redis without persistence.
func (s *server) runRedis(ctx context.Context) (address string, err error) {
	address, err = freeAddress()
	if err != nil {
		return "", err
	}
	_, port, _ := strings.Cut(address, ":")
	return address, s.run(ctx, new(net.Dialer).DialContext, redisName, address, "redis-server",
		"--bind", "127.0.0.1", "--port", port, "--save", "", "--appendonly", "no", "--dir", s.dir)
}

// program returns the path of a program that was built.
func (s *server) program(name string) string { return filepath.Join(s.bin, name) }

// url returns the URL of a site.
func (s *server) url(address string) string {
	if s.tls {
		return "https://" + address
	}
	return "http://" + address
}

// pids returns the processes as the load tool's -pid expects them.
func (s *server) pids() string {
	var pids []string
	for _, p := range s.processes {
		pids = append(pids, fmt.Sprintf("%s=%d", p.name, p.cmd.Process.Pid))
	}
	return strings.Join(pids, ",")
}

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
