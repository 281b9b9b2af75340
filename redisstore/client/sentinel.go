package redisstore

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"sync"

	"github.com/redis/go-redis/v9"
)

// errReplaced means that a connection leads to a server that was the master before.
var errReplaced = errors.New("redisstore: another server has become the master")

// election follows which master sentinels name, and breaks every connection to one
// that they named before. That one takes writes for another ten seconds, if it
// lives, and drops them when it becomes a replica. The library leaves it for the
// connections that are idle or in use at that moment, but not for those that are
// being made, nor for the one that listens.
type election struct {
	master    string // the name that sentinels have for it
	sentinels []*redis.SentinelClient

	mu sync.Mutex
	// All below is guarded by mu.
	current string          // address of the master; "" if not known
	former  map[string]bool // of those that were
	conns   map[*electedConn]struct{}
}

// electedConn is a connection to a server, or to a sentinel.
type electedConn struct {
	*net.TCPConn
	address  string
	election *election
}

// Close implements net.Conn.
func (c *electedConn) Close() error {
	c.election.mu.Lock()
	delete(c.election.conns, c)
	c.election.mu.Unlock()
	return c.TCPConn.Close()
}

func newElection(p *place) *election {
	e := &election{master: p.sentinel.Master, former: make(map[string]bool), conns: make(map[*electedConn]struct{})}
	for _, addr := range p.addrs {
		e.sentinels = append(e.sentinels, redis.NewSentinelClient(&redis.Options{
			Addr: addr, Username: p.sentinel.Username, Password: p.sentinel.Password, TLSConfig: p.tls,
			Protocol: protocol, DisableIdentity: true, MaxRetries: -1, DialerRetries: 1,
			DialTimeout: dialTimeout, ReadTimeout: dialTimeout, WriteTimeout: dialTimeout,
			ContextTimeoutEnabled: true, PoolSize: 1,
		}))
	}
	return e
}

// dial connects to a sentinel or to a server, unless that was the master before.
func (e *election) dial(ctx context.Context, network, addr string, config *tls.Config) (net.Conn, error) {
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
	elected, err := e.admit(raw, addr)
	if err != nil {
		_ = raw.Close() // nothing was sent
		return nil, err
	}
	if config == nil {
		return elected, nil
	}
	// The name to expect is the address's, unless the configuration has one.
	if config.ServerName == "" {
		host, _, err := net.SplitHostPort(addr)
		if err != nil {
			host = addr
		}
		config = config.Clone()
		config.ServerName = host
	}
	secured := tls.Client(elected, config)
	// The time-out is for the handshake too.
	if err := secured.HandshakeContext(ctx); err != nil {
		_ = elected.Close() // nothing was sent
		return nil, err
	}
	return secured, nil
}

// admit notes a connection.
func (e *election) admit(conn *net.TCPConn, addr string) (*electedConn, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.former[addr] {
		return nil, errReplaced
	}
	c := &electedConn{conn, addr, e}
	e.conns[c] = struct{}{}
	return c, nil
}

// review asks the sentinels, and takes what most of those that answer say.
func (e *election) review(ctx context.Context) {
	answers := make([]string, len(e.sentinels))
	var asking sync.WaitGroup
	for i, sentinel := range e.sentinels {
		// Ends with its call, which the time-outs of the client bound.
		asking.Go(func() {
			if reply, err := sentinel.GetMasterAddrByName(ctx, e.master).Result(); err == nil && len(reply) == 2 {
				answers[i] = net.JoinHostPort(reply[0], reply[1])
			}
		})
	}
	asking.Wait()
	votes, most, all := make(map[string]int), "", 0
	for _, answer := range answers {
		if answer == "" {
			continue
		}
		all++
		if votes[answer]++; votes[answer] > votes[most] {
			most = answer
		}
	}
	if 2*votes[most] > all {
		e.elect(most)
	}
}

// elect notes who is the master, and breaks the connections to who was before.
func (e *election) elect(addr string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.current != "" && e.current != addr {
		e.former[e.current] = true
	}
	e.current = addr
	delete(e.former, addr)
	for c := range e.conns {
		if e.former[c.address] {
			delete(e.conns, c)
			_ = c.TCPConn.Close() // whoever uses it notices
		}
	}
}

func (e *election) close() {
	for _, sentinel := range e.sentinels {
		_ = sentinel.Close() // fails only if it is closed
	}
}
