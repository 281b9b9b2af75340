package harness

import (
	"context"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/ephemeralchat/caddy-ephemeral-chat/redisstore/redistest/tcpproxy"
)

// Outage is a way in which a network fails.
type Outage int

// The outages of a Proxy.
const (
	NoOutage Outage = iota
	Refused         // connections are reset, and new ones closed
	Silent          // bytes are dropped, and the peers notice nothing
)

// Proxy is a TCP proxy that ends with the test.
type Proxy struct{ *tcpproxy.Proxy }

// StartProxy starts a proxy that forwards to target.
func StartProxy(t *testing.T, target string) *Proxy {
	t.Helper()
	p, err := tcpproxy.Start(t.Context(), target)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Close)
	return &Proxy{p}
}

// Set makes the network fail in a way, or work again.
func (p *Proxy) Set(o Outage) {
	switch o {
	case Refused:
		p.Refuse(func(string) bool { return true })
	case Silent:
		p.Drop(true, true)
	case NoOutage:
		p.Refuse(nil)
		p.Drop(false, false)
	}
}

// CutRepeatedly breaks the network for short times, at random, until ctx is done.
// Then the network works.
func (p *Proxy) CutRepeatedly(ctx context.Context) {
	between := func(least, most time.Duration) time.Duration { return least + rand.N(most-least) }
	for Pace(ctx, between(50*time.Millisecond, 400*time.Millisecond)) {
		p.Set(Refused)
		Pace(ctx, between(5*time.Millisecond, 100*time.Millisecond))
		p.Set(NoOutage)
	}
}
