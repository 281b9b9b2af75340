// Package tcpproxy is a TCP proxy that fails in the ways of a network: it resets
// connections, refuses them, delays them, and drops what they carry.
package tcpproxy

import (
	"bytes"
	"context"
	"net"
	"sync"
	"time"
)

// dialTimeout bounds each attempt to connect to the target.
const dialTimeout = time.Second

// direction is the way that bytes take through a proxy.
type direction int

const (
	toServer direction = iota
	toClient
)

// Proxy forwards connections to one address. It is safe for concurrent use.
type Proxy struct {
	target   string
	listener net.Listener
	running  sync.WaitGroup

	mu      sync.Mutex
	closed  bool
	conns   map[*Conn]struct{}
	refused func(source string) bool // nil refuses no client
	dropped [2]bool                  // by direction
	delay   time.Duration            // in each direction
	changed chan struct{}            // closed when dropped or closed changes
}

// Conn is a connection through a proxy.
type Conn struct {
	proxy          *Proxy
	client, server *net.TCPConn
	source         string // IP address of the client

	// Guarded by proxy.mu.
	subscribed bool    // the client has sent SUBSCRIBE
	incomplete [2]bool // some bytes were dropped, by direction
}

// Start returns a proxy that forwards to target from a free port of 127.0.0.1. The
// caller closes it.
func Start(ctx context.Context, target string) (*Proxy, error) {
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	p := &Proxy{target: target, listener: listener, conns: make(map[*Conn]struct{}), changed: make(chan struct{})}
	// Ends when the listener is closed; Close waits for it.
	p.running.Go(p.accept)
	return p, nil
}

// Addr returns the address on which the proxy listens.
func (p *Proxy) Addr() string { return p.listener.Addr().String() }

// Port returns the port of Addr.
func (p *Proxy) Port() int { return p.listener.Addr().(*net.TCPAddr).Port } //nolint:errcheck,forcetypeassert // it listens on TCP

// Close ends the proxy and all its connections, and waits for its goroutines.
func (p *Proxy) Close() {
	_ = p.listener.Close() // fails only if it is closed
	p.mu.Lock()
	p.closed = true
	p.notify()
	p.mu.Unlock()
	p.Reset(Any)
	p.running.Wait()
}

// notify wakes the goroutines that wait in pass. The caller holds mu.
func (p *Proxy) notify() {
	close(p.changed)
	p.changed = make(chan struct{})
}

// Any selects all connections.
func Any(*Conn) bool { return true }

// Subscribed selects connections on which the client has sent SUBSCRIBE to Redis.
func Subscribed(c *Conn) bool { return c.subscribed }

// Reset breaks connections, as a router that lost its state does, and returns their
// number.
func (p *Proxy) Reset(selected func(*Conn) bool) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	broken := 0
	for c := range p.conns {
		if selected(c) {
			c.reset()
			broken++
		}
	}
	return broken
}

// Refuse breaks the connections of certain source addresses and refuses new ones;
// nil accepts all.
func (p *Proxy) Refuse(refused func(source string) bool) {
	p.mu.Lock()
	p.refused = refused
	p.mu.Unlock()
	if refused != nil {
		p.Reset(func(c *Conn) bool { return refused(c.source) })
	}
}

// Drop discards all bytes in some directions until the next call; the peers notice
// nothing. A connection that has lost bytes is reset by the call that ends the loss.
func (p *Proxy) Drop(server, client bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.dropped = [2]bool{toServer: server, toClient: client}
	p.notify()
	if server || client {
		return
	}
	for c := range p.conns {
		if c.incomplete[toServer] || c.incomplete[toClient] {
			c.reset()
		}
	}
}

// Delay delays all bytes in both directions.
func (p *Proxy) Delay(delay time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.delay = delay
}

func (p *Proxy) accept() {
	for {
		conn, err := p.listener.Accept()
		if err != nil {
			return
		}
		if client, ok := conn.(*net.TCPConn); ok {
			// Ends when either of its two connections does, and Close resets both.
			p.running.Go(func() { p.serve(client) })
		}
	}
}

func (p *Proxy) serve(client *net.TCPConn) {
	defer func() { _ = client.Close() }()
	c := &Conn{proxy: p, client: client}
	if address, ok := client.RemoteAddr().(*net.TCPAddr); ok {
		c.source = address.IP.String()
	}
	if !p.add(nil, c.source) {
		return
	}
	dialer := net.Dialer{Timeout: dialTimeout}
	conn, err := dialer.DialContext(context.Background(), "tcp", p.target)
	if err != nil {
		return
	}
	defer func() { _ = conn.Close() }()
	var ok bool
	if c.server, ok = conn.(*net.TCPConn); !ok || !p.add(c, c.source) {
		return
	}
	defer func() {
		p.mu.Lock()
		delete(p.conns, c)
		p.mu.Unlock()
	}()
	var both sync.WaitGroup
	// Both end when either of the two connections does.
	both.Go(func() { c.forward(c.server, client, toServer) })
	both.Go(func() { c.forward(client, c.server, toClient) })
	both.Wait()
}

// add registers c, which is nil before the proxy has dialed, and reports whether the
// proxy accepts its source.
func (p *Proxy) add(c *Conn, source string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed || p.refused != nil && p.refused(source) {
		return false
	}
	if c != nil {
		p.conns[c] = struct{}{}
	}
	return true
}

// reset closes both connections such that the peers see a reset.
func (c *Conn) reset() {
	for _, conn := range []*net.TCPConn{c.client, c.server} {
		_ = conn.SetLinger(0) // fails only if it is closed
		_ = conn.Close()
	}
}

// forward copies until one of the two connections ends, and ends the other.
func (c *Conn) forward(to, from *net.TCPConn, way direction) {
	defer func() { _ = to.Close() }()
	defer func() { _ = from.Close() }()
	buffer := make([]byte, 16<<10)
	for {
		n, err := from.Read(buffer)
		if n > 0 {
			if !c.pass(way, buffer[:n]) {
				return
			}
			if _, err := to.Write(buffer[:n]); err != nil {
				return
			}
		}
		if err != nil {
			return
		}
	}
}

// pass waits for the delay and until the proxy drops no bytes, and reports whether
// the connection may go on.
func (c *Conn) pass(way direction, sent []byte) bool {
	p := c.proxy
	p.mu.Lock()
	delay := p.delay
	if way == toServer && bytes.Contains(bytes.ToLower(sent), []byte("\r\nsubscribe\r\n")) {
		c.subscribed = true
	}
	p.mu.Unlock()
	if delay > 0 {
		timer := time.NewTimer(delay)
		defer timer.Stop()
		<-timer.C
	}
	for {
		p.mu.Lock()
		dropped, closed, changed := p.dropped[way], p.closed, p.changed
		c.incomplete[way] = c.incomplete[way] || dropped
		incomplete := c.incomplete[way]
		p.mu.Unlock()
		if closed || !dropped {
			return !closed && !incomplete
		}
		<-changed
	}
}
