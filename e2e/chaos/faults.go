package chaos

import (
	"context"
	"fmt"
	"math/rand/v2"
	"time"
)

// mishaps are all faults that can be injected: those of the topology, of the links
// to it, of the nodes, of the links to them, and of clients.
func (l *Lab) mishaps() []fault {
	all := l.topology.faults()
	for i := range all {
		all[i].weight *= weightUnit
	}
	for i, wire := range l.topology.links() {
		all = append(all, l.wireFaults(wire, i)...)
	}
	for i := range l.nodes {
		all = append(all, l.nodeFaults(i)...)
		all = append(all, clientLinkFaults(l.nodes[i].link, clientsOf(i))...)
	}
	return append(all, l.clientFaults()...)
}

func clientsOf(node int) string { return fmt.Sprint("clients of node ", node) }

func nodeNamed(node int) string { return fmt.Sprint("node ", node) }

// share divides the weight of a kind among those who can suffer it, so that it does
// not depend on how many there are. Weights of the topology's own are whole, hence
// the factor.
func share(weight, among int) int { return max(1, weight*weightUnit/among) }

const weightUnit = 60

// wireFaults are those of a link to a Redis server. What looks to others like the
// death of the server counts as a fault of the topology, where that has others.
func (l *Lab) wireFaults(wire *link, i int) []fault {
	count := len(l.topology.links())
	on := fmt.Sprint("redis link ", i)
	serious, lossy := on, false
	if !l.topology.lossless() {
		serious, lossy = "topology", true
	}
	return []fault{
		{kind: "redis-reset", weight: share(2, count), on: on, inject: func(_ context.Context, _ *rand.Rand, note func(string)) error {
			note(fmt.Sprintf("%d connections were reset", wire.reset(isAny)))
			return nil
		}},
		{kind: "subscriber-cut", weight: share(4, count), on: on, inject: func(_ context.Context, _ *rand.Rand, note func(string)) error {
			note(fmt.Sprintf("%d connections that listen were reset", wire.reset(isSubscriber)))
			return nil
		}},
		{kind: "redis-mute", weight: share(3, count), lossy: lossy, on: serious, inject: func(ctx context.Context, r *rand.Rand, note func(string)) error {
			length := between(r, 300*time.Millisecond, 4*time.Second)
			note(fmt.Sprintf("no replies on link %d for %s", i, length.Round(time.Millisecond)))
			wire.silence(false, true)
			pause(ctx, length)
			wire.silence(false, false)
			return nil
		}},
		{kind: "redis-silence", weight: share(2, count), lossy: lossy, on: serious, inject: func(ctx context.Context, r *rand.Rand, note func(string)) error {
			length := between(r, 300*time.Millisecond, 4*time.Second)
			note(fmt.Sprintf("nothing gets through link %d for %s", i, length.Round(time.Millisecond)))
			wire.silence(true, true)
			pause(ctx, length)
			wire.silence(false, false)
			return nil
		}},
		{kind: "redis-latency", weight: share(2, count), on: on, inject: func(ctx context.Context, r *rand.Rand, note func(string)) error {
			delay, length := between(r, 5*time.Millisecond, 150*time.Millisecond), between(r, time.Second, 4*time.Second)
			note(fmt.Sprintf("%s more each way for %s", delay.Round(time.Millisecond), length.Round(time.Millisecond)))
			wire.slow(delay)
			pause(ctx, length)
			wire.slow(0)
			return nil
		}},
	}
}

// nodeFaults are those of a Caddy process. The first node is never ended.
func (l *Lab) nodeFaults(i int) []fault {
	n, on := l.nodes[i], nodeNamed(i)
	faults := []fault{
		{kind: "reload", weight: share(2, len(l.nodes)), on: on, inject: func(ctx context.Context, _ *rand.Rand, note func(string)) error {
			note("the configuration is loaded anew")
			if err := n.reload(ctx); err != nil && ctx.Err() == nil {
				l.journal.violate("reload", err.Error(), nil)
			}
			return nil
		}},
	}
	if i == 0 {
		return faults
	}
	return append(faults,
		fault{kind: "node-kill", weight: share(4, len(l.nodes)-1), on: on, inject: func(ctx context.Context, r *rand.Rand, note func(string)) error {
			after := between(r, 0, 3*time.Second)
			note(fmt.Sprintf("kill -9, started again after %s", after.Round(time.Millisecond)))
			if err := n.kill(); err != nil {
				return err
			}
			return l.revive(ctx, n, after)
		}},
		fault{kind: "node-stop", weight: share(4, len(l.nodes)-1), on: on, inject: func(ctx context.Context, r *rand.Rand, note func(string)) error {
			after := between(r, 0, 3*time.Second)
			note(fmt.Sprintf("SIGTERM, started again after %s", after.Round(time.Millisecond)))
			if err := n.stop(stopTime); err != nil {
				l.journal.violate("stop", err.Error(), nil)
			}
			return l.revive(ctx, n, after)
		}},
	)
}

// revive starts a node again after a while, also when ctx is done.
func (l *Lab) revive(ctx context.Context, n *node, after time.Duration) error {
	pause(ctx, after)
	if err := n.start(); err != nil {
		return err
	}
	return n.awaitListening(context.WithoutCancel(ctx))
}

// clientLinkFaults are those of the link between a node and its clients.
func clientLinkFaults(wire *link, on string) []fault {
	return []fault{
		{kind: "client-reset", weight: share(2, 3), on: on, inject: func(_ context.Context, _ *rand.Rand, note func(string)) error {
			note(fmt.Sprintf("%d connections were reset", wire.reset(isAny)))
			return nil
		}},
		{kind: "client-silence", weight: share(1, 3), on: on, inject: func(ctx context.Context, r *rand.Rand, note func(string)) error {
			length, up, down := between(r, 300*time.Millisecond, 5*time.Second), r.IntN(3) > 0, r.IntN(3) > 0
			up = up || !down
			note(fmt.Sprintf("silence for %s, to the node: %t, to its clients: %t", length.Round(time.Millisecond), up, down))
			wire.silence(up, down)
			pause(ctx, length)
			wire.silence(false, false)
			return nil
		}},
		{kind: "client-latency", weight: share(1, 3), on: on, inject: func(ctx context.Context, r *rand.Rand, note func(string)) error {
			delay, length := between(r, 10*time.Millisecond, 300*time.Millisecond), between(r, time.Second, 4*time.Second)
			note(fmt.Sprintf("%s more each way for %s", delay.Round(time.Millisecond), length.Round(time.Millisecond)))
			wire.slow(delay)
			pause(ctx, length)
			wire.slow(0)
			return nil
		}},
	}
}

// clientFaults are those of clients, of which some suffer at a time.
func (l *Lab) clientFaults() []fault {
	some := func(r *rand.Rand, what func(c *client)) int {
		hit := 0
		for _, ch := range l.chats() {
			for _, c := range ch.staying() {
				if r.IntN(10) == 0 {
					what(c)
					hit++
				}
			}
		}
		return hit
	}
	return []fault{
		{kind: "clients-vanish", weight: share(3, 1), on: "clients", inject: func(_ context.Context, r *rand.Rand, note func(string)) error {
			note(fmt.Sprintf("%d clients vanish for up to 6 s", some(r, func(c *client) { c.vanish(between(r, 0, 6*time.Second)) })))
			return nil
		}},
		{kind: "clients-stall", weight: share(2, 1), on: "clients", inject: func(_ context.Context, r *rand.Rand, note func(string)) error {
			note(fmt.Sprintf("%d clients read nothing for up to 4 s", some(r, func(c *client) { c.stall(between(r, time.Second, 4*time.Second)) })))
			return nil
		}},
	}
}
