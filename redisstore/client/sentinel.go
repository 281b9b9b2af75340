package client

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"sync"

	"github.com/redis/go-redis/v9"
)

// masterTracker asks the sentinels for the master, and closes every connection to a
// demoted one. If that is alive it accepts writes for another ten seconds, and drops
// them when it becomes a replica. The library closes the connections that are idle or
// in use at that moment, but neither those being dialed nor the subscribed one.
type masterTracker struct {
	// Fixed by newMasterTracker.
	name      string // the sentinels' name of the master
	sentinels []*redis.SentinelClient

	mu sync.Mutex
	// All below is guarded by mu.
	current string          // address of the master; "" if not known
	demoted map[string]bool // addresses of earlier masters
	conns   map[*trackedConn]struct{}
}

// trackedConn is a connection to a server or a sentinel.
type trackedConn struct {
	*net.TCPConn
	addr    string
	tracker *masterTracker
}

// Close implements net.Conn.
func (c *trackedConn) Close() error {
	c.tracker.mu.Lock()
	delete(c.tracker.conns, c)
	c.tracker.mu.Unlock()
	return c.TCPConn.Close()
}

func newMasterTracker(o *Options) *masterTracker {
	t := &masterTracker{name: o.Sentinel.Master, demoted: make(map[string]bool), conns: make(map[*trackedConn]struct{})}
	for _, addr := range o.Addrs {
		config := o.config().Simple()
		config.Addr, config.DB = addr, 0
		config.Username, config.Password = o.Sentinel.Username, o.Sentinel.Password
		config.ReadTimeout, config.WriteTimeout = dialTimeout, dialTimeout
		config.PoolSize, config.MaxActiveConns = 1, 0
		t.sentinels = append(t.sentinels, redis.NewSentinelClient(config))
	}
	return t
}

// dial connects to a sentinel or a server, but not to a demoted master.
func (t *masterTracker) dial(ctx context.Context, network, addr string, config *tls.Config) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, dialTimeout)
	defer cancel()
	conn, err := new(net.Dialer).DialContext(ctx, network, addr)
	if err != nil {
		return nil, err
	}
	raw, ok := conn.(*net.TCPConn)
	if !ok {
		_ = conn.Close() // nothing was sent
		return nil, errors.New("redisstore: sentinels and their servers are reached by TCP")
	}
	tracked, err := t.track(raw, addr)
	if err != nil {
		_ = raw.Close() // nothing was sent
		return nil, err
	}
	if config == nil {
		return tracked, nil
	}
	// The certificate must be for the host of the address, unless the configuration
	// names another one.
	config = config.Clone()
	if config.ServerName == "" {
		config.ServerName, _, _ = net.SplitHostPort(addr) // it has been dialed
	}
	secured := tls.Client(tracked, config)
	// The timeout includes the handshake.
	if err := secured.HandshakeContext(ctx); err != nil {
		_ = tracked.Close() // nothing was sent
		return nil, err
	}
	return secured, nil
}

// track registers a connection.
func (t *masterTracker) track(conn *net.TCPConn, addr string) (*trackedConn, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.demoted[addr] {
		return nil, errors.New("redisstore: another server has become the master")
	}
	c := &trackedConn{conn, addr, t}
	t.conns[c] = struct{}{}
	return c, nil
}

// check asks all sentinels, and takes the answer of more than half of those that
// answer.
func (t *masterTracker) check(ctx context.Context) {
	answers := make([]string, len(t.sentinels))
	var asking sync.WaitGroup
	for i, sentinel := range t.sentinels {
		// Ends with its call, which the client's timeouts bound.
		asking.Go(func() {
			if reply, err := sentinel.GetMasterAddrByName(ctx, t.name).Result(); err == nil && len(reply) == 2 {
				answers[i] = net.JoinHostPort(reply[0], reply[1])
			}
		})
	}
	asking.Wait()
	votes, total := make(map[string]int), 0
	for _, addr := range answers {
		if addr != "" {
			votes[addr]++
			total++
		}
	}
	for addr, n := range votes {
		if 2*n > total {
			t.setMaster(addr)
		}
	}
}

// setMaster notes the address of the master, and closes connections to demoted ones.
func (t *masterTracker) setMaster(addr string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.current != "" && t.current != addr {
		t.demoted[t.current] = true
	}
	t.current = addr
	delete(t.demoted, addr)
	for c := range t.conns {
		if t.demoted[c.addr] {
			delete(t.conns, c)
			_ = c.TCPConn.Close() // its user gets an error
		}
	}
}
