package chaos

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"github.com/ephemeralchat/caddy-ephemeral-chat/redisstore/redistest/redisserver"
	"github.com/ephemeralchat/caddy-ephemeral-chat/redisstore/redistest/tcpproxy"
	"github.com/redis/go-redis/v9"
)

// Topologies are the names that Options accept.
var Topologies = []string{"standalone", "sentinel", "cluster"}

// downAfter is the time without an answer after which a master is replaced.
const downAfter = 2 * time.Second

// topology is Redis, run in one of the ways that the module supports.
type topology struct {
	// directive returns the line of a node's Caddyfile that configures the store.
	directive func(node int) string
	// proxies are those between nodes and servers.
	proxies []*tcpproxy.Proxy
	// pools is the number of connection pools to Redis that a node has.
	pools int
	// lossless is set if an acknowledged message survives every fault.
	lossless bool
	// tagged is set if names of keys contain the room's id in braces.
	tagged bool
	// faults are those of the servers. They happen one at a time.
	faults []fault
	// healthy returns an error until the next of these faults may come: the topology
	// survives one, but not always two at a time.
	healthy func(context.Context) error
	// roles returns the servers that together have all keys, and their replicas.
	roles func(context.Context) (masters, replicas []*redisserver.Server, err error)
	// reader returns a client that reads all keys. It works while the topology is
	// healthy and no proxy fails.
	reader func(context.Context) (redis.UniversalClient, error)
	close  func() error
}

// startTopology starts the servers, and returns when they are ready.
func startTopology(ctx context.Context, name, dir string, nodes int) (*topology, error) {
	args := []string{"--appendonly", "yes", "--repl-timeout", "10"}
	switch name {
	case "standalone":
		return startStandalone(ctx, dir, nodes)
	case "sentinel":
		s, err := redisserver.StartSentinels(ctx, redisserver.SentinelOptions{Dir: dir, DownAfter: downAfter, Proxied: true, Args: args})
		if err != nil {
			return nil, err
		}
		return sentinelTopology(s), nil
	default:
		c, err := redisserver.StartCluster(ctx, redisserver.ClusterOptions{Dir: dir, NodeTimeout: downAfter, Proxied: true, Args: args})
		if err != nil {
			return nil, err
		}
		return clusterTopology(c), nil
	}
}

// startStandalone runs one server, which writes each change to disk before it
// answers, with a proxy for each node.
func startStandalone(ctx context.Context, dir string, nodes int) (*topology, error) {
	s, err := redisserver.Start(ctx, redisserver.Options{Dir: filepath.Join(dir, "redis"), AOF: true})
	if err != nil {
		return nil, err
	}
	t := &topology{
		pools: 1, lossless: true, healthy: s.Ready,
		roles: func(context.Context) (masters, replicas []*redisserver.Server, err error) {
			return []*redisserver.Server{s}, nil, nil
		},
		reader: func(context.Context) (redis.UniversalClient, error) { return s.Client(), nil },
	}
	t.directive = func(node int) string { return "redis " + t.proxies[node].Addr() }
	t.close = func() error {
		for _, proxy := range t.proxies {
			proxy.Close()
		}
		return s.Close()
	}
	for range nodes {
		proxy, err := tcpproxy.Start(ctx, s.Addr())
		if err != nil {
			return nil, errors.Join(err, t.close())
		}
		t.proxies = append(t.proxies, proxy)
	}
	t.faults = []fault{
		{kind: "redis-kill", weight: 4, inject: t.onMaster(crash(3 * time.Second))},
		{kind: "redis-hang", weight: 3, inject: t.onMaster(hang(300*time.Millisecond, 4*time.Second))},
	}
	return t, nil
}

// sentinelTopology is three Sentinels that monitor a master and its replica.
func sentinelTopology(s *redisserver.Sentinels) *topology {
	t := &topology{
		proxies: s.Proxies, pools: 1, healthy: s.Healthy, close: s.Close,
		directive: func(int) string {
			return fmt.Sprintf("redis %s {\n\t\t\tsentinel %s\n\t\t}", strings.Join(s.Addrs(), " "), redisserver.MasterName)
		},
		roles: func(ctx context.Context) (masters, replicas []*redisserver.Server, err error) {
			master, replica, err := s.Roles(ctx)
			return []*redisserver.Server{master}, []*redisserver.Server{replica}, err
		},
		reader: func(ctx context.Context) (redis.UniversalClient, error) {
			master, _, err := s.Roles(ctx)
			if err != nil {
				return nil, err
			}
			return master.Client(), nil
		},
	}
	t.faults = append(t.serverFaults(),
		fault{kind: "failover", weight: 3, lossy: true, inject: func(ctx context.Context, in *injection) error {
			in.note("SENTINEL FAILOVER")
			return s.Failover(context.WithoutCancel(ctx))
		}},
		fault{kind: "sentinel-kill", weight: 1, inject: func(ctx context.Context, in *injection) error {
			return crash(3*time.Second)(ctx, in, s.Sentinels[in.random.IntN(len(s.Sentinels))])
		}})
	return t
}

// clusterTopology is three masters with a replica each.
func clusterTopology(c *redisserver.Cluster) *topology {
	client := redis.NewClusterClient(&redis.ClusterOptions{
		Addrs: c.Addrs(), Protocol: 2, DisableIdentity: true, DisableRoutingPolicies: true,
	})
	t := &topology{
		proxies: c.Proxies, pools: len(c.Servers), tagged: true, healthy: c.Healthy,
		directive: func(int) string { return fmt.Sprintf("redis %s {\n\t\t\tcluster\n\t\t}", strings.Join(c.Addrs(), " ")) },
		roles: func(ctx context.Context) (masters, replicas []*redisserver.Server, err error) {
			masters, replicas = c.Roles(ctx)
			return masters, replicas, nil
		},
		reader: func(ctx context.Context) (redis.UniversalClient, error) {
			client.ReloadState(ctx)
			return client, nil
		},
		close: func() error { return errors.Join(client.Close(), c.Close()) },
	}
	failover := func(options ...any) serverFault {
		return func(ctx context.Context, in *injection, s *redisserver.Server) error {
			in.note("CLUSTER FAILOVER %v to %s", options, s.Name())
			return c.Failover(context.WithoutCancel(ctx), s, options...)
		}
	}
	cut := func(ctx context.Context, in *injection, s *redisserver.Server) error {
		length, both := in.between(time.Second, 7*time.Second), in.random.IntN(2) == 0
		in.note("%s is cut off from the bus for %s, in both directions: %t", s.Name(), length, both)
		c.CutBus(s, both)
		return hold(ctx, length, func() error { c.RestoreBus(); return nil })
	}
	t.faults = append(t.serverFaults(),
		fault{kind: "failover", weight: 2, lossy: true, inject: t.onReplica(failover())},
		fault{kind: "takeover", weight: 1, lossy: true, inject: t.onReplica(failover("takeover"))},
		fault{kind: "bus-cut-master", weight: 2, lossy: true, inject: t.onMaster(cut)},
		fault{kind: "bus-cut-replica", weight: 1, inject: t.onReplica(cut)})
	return t
}

// serverFault makes a server suffer a fault.
type serverFault func(context.Context, *injection, *redisserver.Server) error

func (t *topology) onMaster(f serverFault) injector {
	return func(ctx context.Context, in *injection) error {
		masters, _, err := t.roles(ctx)
		return inject(ctx, in, f, masters, err)
	}
}

func (t *topology) onReplica(f serverFault) injector {
	return func(ctx context.Context, in *injection) error {
		_, replicas, err := t.roles(ctx)
		return inject(ctx, in, f, replicas, err)
	}
}

// inject makes one of several servers suffer a fault.
func inject(ctx context.Context, in *injection, f serverFault, servers []*redisserver.Server, err error) error {
	if err != nil || len(servers) == 0 {
		return errors.Join(errors.New("no server to choose"), err)
	}
	return f(ctx, in, servers[in.random.IntN(len(servers))])
}

// serverFaults are those of a single server where another one takes over.
func (t *topology) serverFaults() []fault {
	kill, freeze := crash(6*time.Second), hang(500*time.Millisecond, 6*time.Second)
	return []fault{
		{kind: "master-kill", weight: 3, lossy: true, inject: t.onMaster(kill)},
		{kind: "master-hang", weight: 2, lossy: true, inject: t.onMaster(freeze)},
		{kind: "replica-kill", weight: 1, inject: t.onReplica(kill)},
		{kind: "replica-hang", weight: 1, inject: t.onReplica(freeze)},
	}
}

// crash kills a server and restarts it after at most a certain time.
func crash(most time.Duration) serverFault {
	return func(ctx context.Context, in *injection, s *redisserver.Server) error {
		length := in.between(0, most)
		in.note("kill -9 of %s, restarted after %s", s.Name(), length)
		if err := s.Kill(); err != nil {
			return err
		}
		return hold(ctx, length, func() error { return s.Restart(context.WithoutCancel(ctx)) })
	}
}

// hang stops a server for a while.
func hang(least, most time.Duration) serverFault {
	return func(ctx context.Context, in *injection, s *redisserver.Server) error {
		length := in.between(least, most)
		in.note("SIGSTOP of %s for %s", s.Name(), length)
		if err := s.Pause(); err != nil {
			return err
		}
		return hold(ctx, length, s.Resume)
	}
}

// keys returns the names of all keys.
func (t *topology) keys(ctx context.Context) (map[string]struct{}, error) {
	masters, _, err := t.roles(ctx)
	if err != nil {
		return nil, err
	}
	all := make(map[string]struct{})
	for _, master := range masters {
		keys := master.Client().Scan(ctx, 0, "*", 1000).Iterator()
		for keys.Next(ctx) {
			all[keys.Val()] = struct{}{}
		}
		if err := keys.Err(); err != nil {
			return nil, err
		}
	}
	return all, nil
}

// roomKeys returns the names of the keys of a room, its own, its messages' and its
// online users' first.
func (t *topology) roomKeys(id string) []string {
	if t.tagged {
		id = "{" + id + "}"
	}
	keys := []string{"room:" + id}
	for _, name := range []string{"messages", "online", "roomUser", "sent", "names"} {
		keys = append(keys, "room:"+name+":"+id)
	}
	return keys
}
