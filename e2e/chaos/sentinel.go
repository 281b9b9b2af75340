package chaos

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/ephemeralchat/caddy-ephemeral-chat/redisstore/redistest/loopback"
)

// sentinels are three that watch over a master and its replica. Each of the two is
// known to everybody by its link.
type sentinels struct {
	servers  [2]*redisServer
	wires    []*link // of the servers
	watchers [3]*redisServer
}

const (
	sentinelMaster = "main"
	downAfter      = 2 * time.Second
)

func (s *sentinels) start(ctx context.Context, dir string, _ int) error {
	for i := range s.servers {
		port, err := loopback.FreePort(ctx)
		if err != nil {
			return err
		}
		wire, err := newLink(ctx, loopback.Address(port))
		if err != nil {
			return err
		}
		s.wires = append(s.wires, wire)
		lines := []string{"replica-announce-ip 127.0.0.1", fmt.Sprint("replica-announce-port ", wire.port), "repl-timeout 10"}
		if i > 0 {
			lines = append(lines, fmt.Sprint("replicaof 127.0.0.1 ", s.wires[0].port))
		}
		if s.servers[i], err = newRedisServer(ctx, dir, fmt.Sprint("redis", i), port, lines...); err != nil {
			return err
		}
	}
	for i := range s.watchers {
		port, err := loopback.FreePort(ctx)
		if err != nil {
			return err
		}
		if s.watchers[i], err = newRedisServer(ctx, dir, fmt.Sprint("sentinel", i), port,
			fmt.Sprintf("sentinel monitor %s 127.0.0.1 %d 2", sentinelMaster, s.wires[0].port),
			fmt.Sprintf("sentinel down-after-milliseconds %s %d", sentinelMaster, downAfter.Milliseconds()),
			fmt.Sprintf("sentinel failover-timeout %s %d", sentinelMaster, 3*downAfter.Milliseconds()),
		); err != nil {
			return err
		}
	}
	return until(ctx, 30*time.Second, s.healthy)
}

func (s *sentinels) stop() {
	for _, server := range append(s.servers[:], s.watchers[:]...) {
		if server != nil {
			server.close()
		}
	}
	for _, wire := range s.wires {
		wire.close()
	}
}

func (s *sentinels) directive(int) string {
	var addresses []string
	for _, watcher := range s.watchers {
		addresses = append(addresses, loopback.Address(watcher.port))
	}
	return "redis " + strings.Join(addresses, " ") + " {\n\t\t\tsentinel " + sentinelMaster + "\n\t\t}"
}

func (s *sentinels) links() []*link { return s.wires }

func (s *sentinels) pools() int { return 1 }

func (s *sentinels) lossless() bool { return false }

func (s *sentinels) tagged() bool { return false }

// roles returns who the sentinels say is the master, and the other one.
func (s *sentinels) roles(ctx context.Context) (master, replica *redisServer, err error) {
	for _, watcher := range s.watchers {
		reply, e := watcher.client.Do(ctx, "sentinel", "get-master-addr-by-name", sentinelMaster).StringSlice()
		if e != nil || len(reply) != 2 {
			err = errors.Join(err, e)
			continue
		}
		for i, wire := range s.wires {
			if reply[1] == strconv.Itoa(wire.port) {
				return s.servers[i], s.servers[1-i], nil
			}
		}
	}
	return nil, nil, errors.Join(errors.New("no sentinel knows a master"), err)
}

func (s *sentinels) healthy(ctx context.Context) error {
	for _, server := range append(s.servers[:], s.watchers[:]...) {
		if err := server.ready(ctx); err != nil {
			return err
		}
	}
	master, replica, err := s.roles(ctx)
	if err != nil {
		return err
	}
	if role, err := master.replication(ctx, "role"); err != nil || role != "master" {
		return errors.Join(fmt.Errorf("%s is to be the master, and is a %s", master.name, role), err)
	}
	if up, err := replica.replication(ctx, "master_link_status"); err != nil || up != "up" {
		return errors.Join(fmt.Errorf("the replica's link is %s", up), err)
	}
	for _, watcher := range s.watchers {
		text, err := watcher.client.Info(ctx, "sentinel").Result()
		if err != nil {
			return err
		}
		if !strings.Contains(text, "status=ok") || !strings.Contains(text, "slaves=1,sentinels=3") {
			return fmt.Errorf("%s does not see everybody: %s", watcher.name, text[strings.LastIndex(text, "master0"):])
		}
	}
	return nil
}

func (s *sentinels) client(ctx context.Context) (redis.UniversalClient, error) {
	master, _, err := s.roles(ctx)
	if err != nil {
		return nil, err
	}
	return master.client, nil
}

func (s *sentinels) keys(ctx context.Context) (map[string]struct{}, error) {
	master, _, err := s.roles(ctx)
	if err != nil {
		return nil, err
	}
	all := make(map[string]struct{})
	return all, master.scan(ctx, all)
}

func (s *sentinels) faults() []fault {
	const on = "topology"
	pick := func(what func(ctx context.Context, r *rand.Rand, note func(string), master, replica *redisServer) error,
	) func(context.Context, *rand.Rand, func(string)) error {
		return func(ctx context.Context, r *rand.Rand, note func(string)) error {
			master, replica, err := s.roles(ctx)
			if err != nil {
				return err
			}
			return what(ctx, r, note, master, replica)
		}
	}
	return []fault{
		{kind: "master-kill", weight: 3, lossy: true, on: on, inject: pick(
			func(ctx context.Context, r *rand.Rand, note func(string), master, _ *redisServer) error {
				return crash(ctx, master, between(r, 0, 6*time.Second), note)
			})},
		{kind: "master-hang", weight: 2, lossy: true, on: on, inject: pick(
			func(ctx context.Context, r *rand.Rand, note func(string), master, _ *redisServer) error {
				return freeze(ctx, master, between(r, 500*time.Millisecond, 6*time.Second), note)
			})},
		{kind: "replica-kill", weight: 1, on: on, inject: pick(
			func(ctx context.Context, r *rand.Rand, note func(string), _, replica *redisServer) error {
				return crash(ctx, replica, between(r, 0, 2*time.Second), note)
			})},
		{kind: "replica-hang", weight: 1, on: on, inject: pick(
			func(ctx context.Context, r *rand.Rand, note func(string), _, replica *redisServer) error {
				return freeze(ctx, replica, between(r, 500*time.Millisecond, 4*time.Second), note)
			})},
		{kind: "failover", weight: 3, lossy: true, on: on, inject: pick(
			func(ctx context.Context, _ *rand.Rand, note func(string), master, _ *redisServer) error {
				note("SENTINEL FAILOVER")
				if err := s.watchers[0].client.Do(ctx, "sentinel", "failover", sentinelMaster).Err(); err != nil {
					return err
				}
				// It begins when it likes.
				return until(context.WithoutCancel(ctx), takeoverTime, func(ctx context.Context) error {
					if now, _, err := s.roles(ctx); err != nil || now == master {
						return errors.Join(errors.New("the master is still the same"), err)
					}
					return nil
				})
			})},
		{kind: "sentinel-kill", weight: 1, on: on, inject: func(ctx context.Context, r *rand.Rand, note func(string)) error {
			return crash(ctx, s.watchers[r.IntN(len(s.watchers))], between(r, 0, 3*time.Second), note)
		}},
	}
}
