package chaos

import (
	"context"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/ephemeralchat/caddy-ephemeral-chat/redisstore/redistest/poll"
	"github.com/ephemeralchat/caddy-ephemeral-chat/redisstore/redistest/tcpproxy"
)

// fault is a kind of fault.
type fault struct {
	kind   string
	weight int // how often it happens, compared with others
	// lossy is set if acknowledged messages may be lost by it.
	lossy bool
	// on names the part that suffers it. No part suffers two faults at a time.
	on     string
	inject injector
}

// injector makes a fault happen. It returns when the fault is undone, early if ctx is
// done.
type injector func(ctx context.Context, in *injection) error

// injection is one occurrence of a fault.
type injection struct {
	kind, on string
	lossy    bool
	random   *rand.Rand
	journal  *journal

	// Guarded by journal.mu.
	detail     string
	start, end time.Time // end is zero while it lasts
}

// between returns a random time from an interval.
func (in *injection) between(least, most time.Duration) time.Duration {
	return between(in.random, least, most).Round(time.Millisecond)
}

// hold waits for as long as a fault lasts, and undoes it.
func hold(ctx context.Context, length time.Duration, undo func() error) error {
	poll.Pause(ctx, length)
	return undo()
}

// topologyPart is the part that suffers the faults of the Redis servers.
const topologyPart = "topology"

// faults returns all faults that can be injected: those of the topology, of proxies,
// nodes and clients.
func (x *experiment) faults() []fault {
	all := x.topology.faults
	for i := range all {
		all[i].on = topologyPart
		all[i].weight *= weightUnit
	}
	for i, proxy := range x.topology.proxies {
		all = append(all, x.redisProxyFaults(proxy, i)...)
	}
	for i, n := range x.nodes {
		all = append(all, x.nodeFaults(i)...)
		all = append(all, clientProxyFaults(n.proxy, clientsOf(i), len(x.nodes))...)
	}
	return append(all, x.clientFaults()...)
}

func clientsOf(node int) string { return fmt.Sprint("clients of node ", node) }

func nodeNamed(node int) string { return fmt.Sprint("node ", node) }

// share divides the weight of a kind among the parts that can suffer it, so that it
// does not depend on their number. weightUnit keeps weights whole.
func share(weight, among int) int { return max(1, weight*weightUnit/among) }

const weightUnit = 60

// redisProxyFaults are those of the network to a Redis server. Faults that a peer
// cannot distinguish from its death are faults of the topology, unless that is
// lossless.
func (x *experiment) redisProxyFaults(proxy *tcpproxy.Proxy, i int) []fault {
	count := len(x.topology.proxies)
	on := fmt.Sprint("redis proxy ", i)
	serious, lossy := on, false
	if !x.topology.lossless {
		serious, lossy = topologyPart, true
	}
	const least, most = 300 * time.Millisecond, 4 * time.Second
	fixed := func(server, client bool) func(*rand.Rand) (bool, bool) {
		return func(*rand.Rand) (bool, bool) { return server, client }
	}
	return []fault{
		{kind: "redis-reset", weight: share(2, count), on: on, inject: reset(proxy, tcpproxy.Any)},
		{kind: "subscriber-cut", weight: share(4, count), on: on, inject: reset(proxy, tcpproxy.Subscribed)},
		{kind: "redis-mute", weight: share(3, count), lossy: lossy, on: serious, inject: drop(proxy, least, most, fixed(false, true))},
		{kind: "redis-silence", weight: share(2, count), lossy: lossy, on: serious, inject: drop(proxy, least, most, fixed(true, true))},
		{kind: "redis-latency", weight: share(2, count), on: on, inject: latency(proxy, 5*time.Millisecond, 150*time.Millisecond)},
	}
}

// clientProxyFaults are those of the network between a node and its clients.
func clientProxyFaults(proxy *tcpproxy.Proxy, on string, nodes int) []fault {
	some := func(r *rand.Rand) (server, client bool) {
		server, client = r.IntN(3) > 0, r.IntN(3) > 0
		return server || !client, client
	}
	return []fault{
		{kind: "client-reset", weight: share(2, nodes), on: on, inject: reset(proxy, tcpproxy.Any)},
		{kind: "client-silence", weight: share(1, nodes), on: on, inject: drop(proxy, 300*time.Millisecond, 5*time.Second, some)},
		{kind: "client-latency", weight: share(1, nodes), on: on, inject: latency(proxy, 10*time.Millisecond, 300*time.Millisecond)},
	}
}

func reset(proxy *tcpproxy.Proxy, selected func(*tcpproxy.Conn) bool) injector {
	return func(_ context.Context, in *injection) error {
		in.note("%d connections are reset", proxy.Reset(selected))
		return nil
	}
}

func drop(proxy *tcpproxy.Proxy, least, most time.Duration, directions func(*rand.Rand) (server, client bool)) injector {
	return func(ctx context.Context, in *injection) error {
		length := in.between(least, most)
		server, client := directions(in.random)
		in.note("all bytes are lost for %s, to the server: %t, to the client: %t", length, server, client)
		proxy.Drop(server, client)
		return hold(ctx, length, func() error { proxy.Drop(false, false); return nil })
	}
}

func latency(proxy *tcpproxy.Proxy, least, most time.Duration) injector {
	return func(ctx context.Context, in *injection) error {
		delay, length := in.between(least, most), in.between(time.Second, 4*time.Second)
		in.note("%s more each way for %s", delay, length)
		proxy.Delay(delay)
		return hold(ctx, length, func() error { proxy.Delay(0); return nil })
	}
}

// nodeFaults are those of a Caddy process. The first node never ends.
func (x *experiment) nodeFaults(i int) []fault {
	n, on := x.nodes[i], nodeNamed(i)
	faults := []fault{{kind: "reload", weight: share(2, len(x.nodes)), on: on, inject: func(ctx context.Context, in *injection) error {
		in.note("the configuration is reloaded")
		if err := n.reload(ctx); err != nil && ctx.Err() == nil {
			x.journal.violate("reload", err.Error(), nil)
		}
		return nil
	}}}
	if i == 0 {
		return faults
	}
	restart := func(how string, end func() error) injector {
		return func(ctx context.Context, in *injection) error {
			after := in.between(0, 3*time.Second)
			in.note("%s, restarted after %s", how, after)
			if err := end(); err != nil {
				x.journal.violate("stop", err.Error(), nil)
			}
			return hold(ctx, after, func() error { return n.start(context.WithoutCancel(ctx)) })
		}
	}
	weight := share(4, len(x.nodes)-1)
	return append(faults,
		fault{kind: "node-kill", weight: weight, on: on, inject: restart("kill -9", func() error { return n.Process.Kill() })},
		fault{kind: "node-stop", weight: weight, on: on, inject: restart("SIGTERM", func() error { return n.Process.Stop(stopTimeout) })})
}

// clientFaults are those of clients. Each hits about a tenth of them.
func (x *experiment) clientFaults() []fault {
	some := func(r *rand.Rand, suffer func(*client)) (count int) {
		for _, room := range x.openRooms() {
			for _, c := range room.remaining() {
				if r.IntN(10) == 0 {
					suffer(c)
					count++
				}
			}
		}
		return count
	}
	return []fault{
		{kind: "clients-vanish", weight: share(3, 1), on: "clients", inject: func(_ context.Context, in *injection) error {
			in.note("%d clients vanish for up to 6 s", some(in.random, func(c *client) { c.vanish(in.between(0, 6*time.Second)) }))
			return nil
		}},
		{kind: "clients-stall", weight: share(2, 1), on: "clients", inject: func(_ context.Context, in *injection) error {
			in.note("%d clients stop reading for up to 4 s", some(in.random, func(c *client) { c.stall(in.between(time.Second, 4*time.Second)) }))
			return nil
		}},
	}
}
