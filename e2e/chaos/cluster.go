package chaos

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/ephemeralchat/caddy-ephemeral-chat/redisstore/redistest/loopback"
)

const (
	clusterMasters = 3
	clusterSize    = 2 * clusterMasters
	clusterSlots   = 16384
	nodeTimeout    = 2 * time.Second
)

// cluster are three masters, each with a replica. Each server is known to
// everybody by two links: one for clients and for its replica, one for the bus.
// Servers dial from addresses of their own, so that a bus can tell them apart.
type cluster struct {
	servers [clusterSize]*redisServer
	wires   []*link // of the servers
	buses   []*link
	reader  *redis.ClusterClient
}

func busSource(i int) string { return fmt.Sprint("127.0.0.", 10+i) }

func (c *cluster) start(ctx context.Context, dir string, _ int) error {
	for i := range c.servers {
		var port [2]int
		var wire [2]*link
		for k := range port {
			var err error
			if port[k], err = loopback.FreePort(ctx); err != nil {
				return err
			}
			if wire[k], err = newLink(ctx, loopback.Address(port[k])); err != nil {
				return err
			}
		}
		c.wires, c.buses = append(c.wires, wire[0]), append(c.buses, wire[1])
		var err error
		if c.servers[i], err = newRedisServer(ctx, dir, fmt.Sprint("redis", i), port[0],
			"cluster-enabled yes", "cluster-config-file nodes.conf",
			fmt.Sprint("cluster-node-timeout ", nodeTimeout.Milliseconds()),
			fmt.Sprint("cluster-port ", port[1]),
			"cluster-announce-ip 127.0.0.1",
			fmt.Sprint("cluster-announce-port ", wire[0].port),
			fmt.Sprint("cluster-announce-bus-port ", wire[1].port),
			"bind-source-addr "+busSource(i), "repl-timeout 10",
		); err != nil {
			return err
		}
	}
	if err := c.form(ctx); err != nil {
		return err
	}
	c.reader = redis.NewClusterClient(&redis.ClusterOptions{
		Protocol: 2, DisableIdentity: true, DisableRoutingPolicies: true, ClusterSlots: c.slots,
	})
	return until(ctx, 30*time.Second, c.healthy)
}

// form makes a cluster of servers that don't know each other.
func (c *cluster) form(ctx context.Context) error {
	ids := make([]string, len(c.servers))
	for i, s := range c.servers {
		var err error
		if ids[i], err = s.client.Do(ctx, "cluster", "myid").Text(); err != nil {
			return err
		}
		if err := s.client.Do(ctx, "cluster", "set-config-epoch", i+1).Err(); err != nil {
			return err
		}
		if i >= clusterMasters {
			continue
		}
		first, last := i*clusterSlots/clusterMasters, (i+1)*clusterSlots/clusterMasters-1
		if err := s.client.ClusterAddSlotsRange(ctx, first, last).Err(); err != nil {
			return err
		}
	}
	for i := 1; i < len(c.servers); i++ {
		if err := c.servers[0].client.Do(ctx, "cluster", "meet", "127.0.0.1", c.wires[i].port, c.buses[i].port).Err(); err != nil {
			return err
		}
	}
	for i := clusterMasters; i < len(c.servers); i++ {
		if err := until(ctx, 20*time.Second, func(ctx context.Context) error {
			return c.servers[i].client.ClusterReplicate(ctx, ids[i-clusterMasters]).Err()
		}); err != nil {
			return err
		}
	}
	return nil
}

func (c *cluster) stop() {
	if c.reader != nil {
		_ = c.reader.Close() // fails only if it is closed
	}
	for _, server := range c.servers {
		if server != nil {
			server.close()
		}
	}
	for _, wire := range append(c.wires, c.buses...) {
		wire.close()
	}
}

func (c *cluster) directive(int) string {
	var addresses []string
	for _, wire := range c.wires {
		addresses = append(addresses, wire.address)
	}
	return "redis " + strings.Join(addresses, " ") + " {\n\t\t\tcluster\n\t\t}"
}

func (c *cluster) links() []*link { return c.wires }

func (c *cluster) pools() int { return clusterSize }

func (c *cluster) lossless() bool { return false }

func (c *cluster) tagged() bool { return true }

// member is what a server says of itself.
type member struct {
	server   *redisServer
	index    int
	isMaster bool // with slots
}

func (c *cluster) members(ctx context.Context) ([]member, error) {
	var all []member
	for i, s := range c.servers {
		text, err := s.client.ClusterNodes(ctx).Result()
		if err != nil {
			return nil, fmt.Errorf("%s: %w", s.name, err)
		}
		for line := range strings.Lines(text) {
			if fields := strings.Fields(line); len(fields) > 7 && strings.Contains(fields[2], "myself") {
				all = append(all, member{s, i, strings.Contains(fields[2], "master") && len(fields) > 8})
			}
		}
	}
	return all, nil
}

func (c *cluster) healthy(ctx context.Context) error {
	all, err := c.members(ctx)
	if err != nil {
		return err
	}
	masters := 0
	for _, m := range all {
		if m.isMaster {
			masters++
			if replicas, err := m.server.replication(ctx, "connected_slaves"); err != nil || replicas == "0" {
				return errors.Join(fmt.Errorf("%s has no replica", m.server.name), err)
			}
		} else if up, err := m.server.replication(ctx, "master_link_status"); err != nil || up != "up" {
			return errors.Join(fmt.Errorf("%s: the link to the master is %s", m.server.name, up), err)
		}
		text, err := m.server.client.ClusterInfo(ctx).Result()
		if err != nil || !strings.Contains(text, "cluster_state:ok") || !strings.Contains(text, "cluster_slots_ok:16384") ||
			!strings.Contains(text, fmt.Sprint("cluster_known_nodes:", clusterSize)) {
			return errors.Join(fmt.Errorf("%s does not see a whole cluster", m.server.name), err)
		}
	}
	if masters != clusterMasters {
		return fmt.Errorf("%d masters", masters)
	}
	return nil
}

// slots tells the laboratory's own client who has which slots, without links.
func (c *cluster) slots(ctx context.Context) ([]redis.ClusterSlot, error) {
	var failed error
	for _, s := range c.servers {
		slots, err := s.client.ClusterSlots(ctx).Result() //nolint:staticcheck // SA1019: it is what the client of a cluster takes
		if err != nil {
			failed = errors.Join(failed, err)
			continue
		}
		for i := range slots {
			slots[i].Nodes = slots[i].Nodes[:1]
			_, port, err := net.SplitHostPort(slots[i].Nodes[0].Addr)
			if err != nil {
				return nil, err
			}
			at := slices.IndexFunc(c.wires, func(l *link) bool { return port == strconv.Itoa(l.port) })
			if at < 0 {
				return nil, fmt.Errorf("a slot is at %s, which is none of the links", slots[i].Nodes[0].Addr)
			}
			slots[i].Nodes[0].Addr = loopback.Address(c.servers[at].port)
		}
		return slots, nil
	}
	return nil, failed
}

func (c *cluster) client(ctx context.Context) (redis.UniversalClient, error) {
	c.reader.ReloadState(ctx)
	return c.reader, nil
}

func (c *cluster) keys(ctx context.Context) (map[string]struct{}, error) {
	members, err := c.members(ctx)
	if err != nil {
		return nil, err
	}
	all := make(map[string]struct{})
	for _, m := range members {
		if m.isMaster {
			if err := m.server.scan(ctx, all); err != nil {
				return nil, err
			}
		}
	}
	return all, nil
}
