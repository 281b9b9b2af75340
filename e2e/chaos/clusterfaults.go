package chaos

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"
)

// isolate cuts a server off from the bus, in both directions or only in what others
// tell it.
func (c *cluster) isolate(i int, both bool) {
	all := func(string) bool { return true }
	own := func(source string) bool { return source == busSource(i) }
	for k, bus := range c.buses {
		if k == i {
			bus.refuse(all)
		} else if both {
			bus.refuse(own)
		}
	}
}

func (c *cluster) reunite() {
	for _, bus := range c.buses {
		bus.refuse(nil)
	}
}

func (c *cluster) faults() []fault {
	const on = "topology"
	pick := func(isMaster bool, what func(ctx context.Context, r *rand.Rand, note func(string), m member) error,
	) func(context.Context, *rand.Rand, func(string)) error {
		return func(ctx context.Context, r *rand.Rand, note func(string)) error {
			all, err := c.members(ctx)
			if err != nil {
				return err
			}
			all = slices.DeleteFunc(all, func(m member) bool { return m.isMaster != isMaster })
			if len(all) == 0 {
				return errors.New("nobody to pick")
			}
			return what(ctx, r, note, all[r.IntN(len(all))])
		}
	}
	kill := func(ctx context.Context, r *rand.Rand, note func(string), m member) error {
		return crash(ctx, m.server, between(r, 0, 6*time.Second), note)
	}
	hang := func(ctx context.Context, r *rand.Rand, note func(string), m member) error {
		return freeze(ctx, m.server, between(r, 500*time.Millisecond, 6*time.Second), note)
	}
	cut := func(ctx context.Context, r *rand.Rand, note func(string), m member) error {
		length, both := between(r, time.Second, 7*time.Second), r.IntN(2) == 0
		note(fmt.Sprintf("%s is cut off from the bus for %s, in both directions: %t", m.server.name, length.Round(time.Millisecond), both))
		c.isolate(m.index, both)
		pause(ctx, length)
		c.reunite()
		return nil
	}
	takeOver := func(how ...any) func(context.Context, *rand.Rand, func(string), member) error {
		return func(ctx context.Context, _ *rand.Rand, note func(string), m member) error {
			note(fmt.Sprintf("CLUSTER FAILOVER %v to %s", how, m.server.name))
			if err := m.server.client.Do(ctx, append([]any{"cluster", "failover"}, how...)...).Err(); err != nil {
				return err
			}
			return until(context.WithoutCancel(ctx), takeoverTime, func(ctx context.Context) error {
				if role, err := m.server.replication(ctx, "role"); err != nil || role != "master" {
					return errors.Join(errors.New("the replica is still one"), err)
				}
				return nil
			})
		}
	}
	return []fault{
		{kind: "master-kill", weight: 3, lossy: true, on: on, inject: pick(true, kill)},
		{kind: "master-hang", weight: 2, lossy: true, on: on, inject: pick(true, hang)},
		{kind: "replica-kill", weight: 1, on: on, inject: pick(false, kill)},
		{kind: "replica-hang", weight: 1, on: on, inject: pick(false, hang)},
		{kind: "failover", weight: 2, lossy: true, on: on, inject: pick(false, takeOver())},
		{kind: "takeover", weight: 1, lossy: true, on: on, inject: pick(false, takeOver("takeover"))},
		{kind: "bus-cut-master", weight: 2, lossy: true, on: on, inject: pick(true, cut)},
		{kind: "bus-cut-replica", weight: 1, on: on, inject: pick(false, cut)},
	}
}
