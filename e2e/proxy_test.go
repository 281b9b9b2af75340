package e2e_test

import (
	"io"
	"math/rand/v2"
	"net"
	"sync"
	"testing"
	"time"
)

// outage is a way in which a network fails.
type outage int

const (
	noOutage outage = iota
	refused         // connections are reset, and new ones closed
	silent          // nothing arrives any more, and nobody is told
)

// proxy is a TCP proxy to one address that can fail.
type proxy struct {
	address string
	target  string

	listener net.Listener
	running  sync.WaitGroup

	mu     sync.Mutex
	outage outage
	healed chan struct{} // closed when the outage ends
	closed bool
	conns  map[net.Conn]bool
}

// startProxy returns a proxy that works.
func startProxy(t *testing.T, target string) *proxy {
	t.Helper()
	p := &proxy{address: freeAddress(t), target: target, healed: make(chan struct{}), conns: make(map[net.Conn]bool)}
	var err error
	if p.listener, err = new(net.ListenConfig).Listen(t.Context(), "tcp", p.address); err != nil {
		t.Fatal(err)
	}
	// It ends when the listener is closed; the clean-up waits for it.
	p.running.Go(p.accept)
	t.Cleanup(func() {
		_ = p.listener.Close()
		p.mu.Lock()
		p.closed = true
		p.mu.Unlock()
		p.set(refused)
		p.running.Wait()
	})
	return p
}

// set makes the network fail in a way, or work again.
func (p *proxy) set(o outage) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.outage == noOutage {
		p.healed = make(chan struct{})
	}
	silenced := p.outage == silent
	p.outage = o
	if o == refused || silenced {
		// What was lost in silence is not made up for.
		for conn := range p.conns {
			_ = conn.Close()
		}
	}
	if o != silent && (silenced || o == noOutage) {
		closeOnce(p.healed)
	}
}

func closeOnce(c chan struct{}) {
	select {
	case <-c:
	default:
		close(c)
	}
}

func (p *proxy) accept() {
	for {
		client, err := p.listener.Accept()
		if err != nil {
			return
		}
		// It ends when one of its two connections does.
		p.running.Go(func() { p.serve(client) })
	}
}

func (p *proxy) serve(client net.Conn) {
	defer func() { _ = client.Close() }()
	if !p.add(client) {
		return
	}
	defer p.remove(client)
	server, err := net.Dial("tcp", p.target)
	if err != nil {
		return
	}
	defer func() { _ = server.Close() }()
	var both sync.WaitGroup
	both.Go(func() { p.forward(server, client) })
	both.Go(func() { p.forward(client, server) })
	both.Wait()
}

// add registers a connection unless connections are refused.
func (p *proxy) add(conn net.Conn) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.outage == refused || p.closed {
		return false
	}
	p.conns[conn] = true
	return true
}

func (p *proxy) remove(conn net.Conn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.conns, conn)
}

// forward copies until one of the two ends, and ends the other.
func (p *proxy) forward(to, from net.Conn) {
	defer func() { _ = to.Close() }()
	buffer := make([]byte, 32<<10)
	for {
		n, err := from.Read(buffer)
		if n > 0 {
			p.waitForSound()
			if _, err := to.Write(buffer[:n]); err != nil {
				_, _ = io.Copy(io.Discard, from)
				return
			}
		}
		if err != nil {
			return
		}
	}
}

// cutAgainAndAgain breaks the network for short times, at random, until done is
// closed.
func (p *proxy) cutAgainAndAgain(done <-chan struct{}) {
	wait := func(least, most time.Duration) bool {
		select {
		case <-time.After(least + rand.N(most-least)):
			return true
		case <-done:
			return false
		}
	}
	for wait(50*time.Millisecond, 400*time.Millisecond) {
		p.set(refused)
		wait(5*time.Millisecond, 100*time.Millisecond)
		p.set(noOutage)
	}
}

// waitForSound returns when the network is not silent.
func (p *proxy) waitForSound() {
	for {
		p.mu.Lock()
		o, healed := p.outage, p.healed
		p.mu.Unlock()
		if o != silent {
			return
		}
		<-healed
	}
}
