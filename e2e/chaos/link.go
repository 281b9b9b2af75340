package chaos

import (
	"bytes"
	"context"
	"net"
	"sync"
	"time"

	"github.com/ephemeralchat/caddy-ephemeral-chat/redisstore/redistest/loopback"
)

// link is a TCP proxy to one address that can fail in the ways of a network. It is
// safe for concurrent use.
type link struct {
	address string // where it listens
	port    int
	target  string

	listener net.Listener
	running  sync.WaitGroup

	mu      sync.Mutex
	closed  bool
	pipes   map[*pipe]struct{}
	refused func(source string) bool // nil: nobody is
	silent  [2]bool                  // by direction: nothing arrives, and nobody is told
	delay   time.Duration            // of whatever goes either way
	healed  chan struct{}            // closed when silence or delay changes
}

// direction is the way that bytes take through a link.
type direction int

const (
	toServer direction = iota
	toClient
)

// pipe is one connection through a link.
type pipe struct {
	link           *link
	client, server *net.TCPConn
	source         string // IP address of the client

	// Guarded by link.mu.
	subscriber bool    // it has sent SUBSCRIBE
	lost       [2]bool // silence has swallowed some of it, by direction
}

// newLink returns a link that works.
func newLink(ctx context.Context, target string) (*link, error) {
	port, err := loopback.FreePort(ctx)
	if err != nil {
		return nil, err
	}
	l := &link{address: loopback.Address(port), port: port, target: target, pipes: make(map[*pipe]struct{}), healed: make(chan struct{})}
	if l.listener, err = new(net.ListenConfig).Listen(ctx, "tcp", l.address); err != nil {
		return nil, err
	}
	// It ends when the listener is closed; close waits for it.
	l.running.Go(l.accept)
	return l, nil
}

// close ends the link and all its connections.
func (l *link) close() {
	_ = l.listener.Close() // fails only if it is closed
	l.mu.Lock()
	l.closed = true
	l.silent, l.delay = [2]bool{}, 0
	l.change()
	l.mu.Unlock()
	l.reset(func(*pipe) bool { return true })
	l.running.Wait()
}

// change wakes those who wait for another state. The caller holds mu.
func (l *link) change() {
	close(l.healed)
	l.healed = make(chan struct{})
}

// reset breaks connections, as a router does that has forgotten them, and returns
// how many.
func (l *link) reset(which func(*pipe) bool) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	broken := 0
	for p := range l.pipes {
		if which(p) {
			p.reset()
			broken++
		}
	}
	return broken
}

func isAny(*pipe) bool { return true }

// isSubscriber picks connections that listen to channels.
func isSubscriber(p *pipe) bool { return p.subscriber }

// refuse breaks connections from certain sources and lets no new ones through, nil
// lets all.
func (l *link) refuse(refused func(source string) bool) {
	l.mu.Lock()
	l.refused = refused
	l.mu.Unlock()
	if refused != nil {
		l.reset(func(p *pipe) bool { return refused(p.source) })
	}
}

// silence lets nothing arrive any more in some directions, or lets it. What comes
// meanwhile is lost, and so then is the connection that it came on.
func (l *link) silence(server, client bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.silent = [2]bool{toServer: server, toClient: client}
	l.change()
	if !server && !client {
		for p := range l.pipes {
			if p.lost[toServer] || p.lost[toClient] {
				p.reset()
			}
		}
	}
}

// slow delays whatever goes through the link.
func (l *link) slow(delay time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.delay = delay
	l.change()
}

func (l *link) accept() {
	for {
		conn, err := l.listener.Accept()
		if err != nil {
			return
		}
		if client, ok := conn.(*net.TCPConn); ok {
			// It ends when one of its two connections does.
			l.running.Go(func() { l.serve(client) })
		}
	}
}

func (l *link) serve(client *net.TCPConn) {
	defer func() { _ = client.Close() }()
	p := &pipe{link: l, client: client, source: sourceOf(client)}
	if l.refuses(p.source) {
		return
	}
	dialer := net.Dialer{Timeout: time.Second}
	conn, err := dialer.DialContext(context.Background(), "tcp", l.target)
	if err != nil {
		return
	}
	defer func() { _ = conn.Close() }()
	server, ok := conn.(*net.TCPConn)
	if !ok {
		return
	}
	p.server = server
	l.mu.Lock()
	if l.closed || l.refused != nil && l.refused(p.source) {
		l.mu.Unlock()
		return
	}
	l.pipes[p] = struct{}{}
	l.mu.Unlock()
	defer func() {
		l.mu.Lock()
		delete(l.pipes, p)
		l.mu.Unlock()
	}()
	var both sync.WaitGroup
	// Both end when one of the two connections does.
	both.Go(func() { p.forward(server, client, toServer) })
	both.Go(func() { p.forward(client, server, toClient) })
	both.Wait()
}

func sourceOf(client *net.TCPConn) string {
	if address, ok := client.RemoteAddr().(*net.TCPAddr); ok {
		return address.IP.String()
	}
	return ""
}

func (l *link) refuses(source string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.closed || l.refused != nil && l.refused(source)
}

// reset closes both connections so that the peers see a reset.
func (p *pipe) reset() {
	for _, conn := range []*net.TCPConn{p.client, p.server} {
		_ = conn.SetLinger(0) // fails only if it is closed
		_ = conn.Close()
	}
}

// forward copies until one of the two ends, and ends the other.
func (p *pipe) forward(to, from *net.TCPConn, way direction) {
	defer func() { _ = to.Close() }()
	buffer := make([]byte, 16<<10)
	for {
		n, err := from.Read(buffer)
		if n > 0 {
			if way == toServer {
				p.sniff(buffer[:n])
			}
			if !p.pass(way) {
				_ = from.Close()
				return
			}
			if _, err := to.Write(buffer[:n]); err != nil {
				_ = from.Close()
				return
			}
		}
		if err != nil {
			return
		}
	}
}

// sniff recognizes a connection that subscribes to channels.
func (p *pipe) sniff(sent []byte) {
	if bytes.Contains(sent, []byte("\r\nsubscribe\r\n")) || bytes.Contains(sent, []byte("\r\nSUBSCRIBE\r\n")) {
		p.link.mu.Lock()
		p.subscriber = true
		p.link.mu.Unlock()
	}
}

// pass waits for as long as the link is slow or silent, and reports whether what
// has come may go on.
func (p *pipe) pass(way direction) bool {
	l := p.link
	l.mu.Lock()
	delay := l.delay
	l.mu.Unlock()
	if delay > 0 {
		timer := time.NewTimer(delay)
		defer timer.Stop()
		<-timer.C
	}
	for {
		l.mu.Lock()
		silent, closed, healed := l.silent[way], l.closed, l.healed
		if silent {
			p.lost[way] = true
		}
		lost := p.lost[way]
		l.mu.Unlock()
		switch {
		case closed:
			return false
		case !silent:
			return !lost
		}
		<-healed
	}
}
