package redisserver

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/ephemeralchat/caddy-ephemeral-chat/redisstore/redistest/poll"
	"github.com/ephemeralchat/caddy-ephemeral-chat/redisstore/redistest/tcpproxy"
)

// slots is the number of hash slots of every cluster.
const slots = 16384

// ClusterOptions configure a cluster.
type ClusterOptions struct {
	// Dir holds a directory for each server, as Options.Dir does for one.
	Dir string
	// Masters is the number of masters, each with one replica; 3 if zero.
	Masters int
	// NodeTimeout is the time without an answer after which the others take a server
	// for dead; 2 s if zero.
	NodeTimeout time.Duration
	// TLS, unless nil, is used by all, also on the cluster bus.
	TLS *Certificates
	// Password is required by the servers.
	Password string
	// Proxied makes each server announce the address of one of Cluster.Proxies, and
	// enables CutBus. Not with TLS; needs Linux, for the addresses of the servers.
	Proxied bool
	// Args are further arguments of the servers.
	Args []string
}

// Cluster is a Redis Cluster.
type Cluster struct {
	// Servers are the initial masters, then the replica of each.
	Servers []*Server
	// Proxies lead to the Servers, if ClusterOptions.Proxied is set.
	Proxies []*tcpproxy.Proxy

	masters int
	buses   []*tcpproxy.Proxy // lead to the servers' ports of the cluster bus
}

// StartCluster starts a cluster, and returns when Healthy does. The caller closes
// it.
func StartCluster(ctx context.Context, o ClusterOptions) (*Cluster, error) {
	if o.Masters == 0 {
		o.Masters = 3
	}
	if o.NodeTimeout == 0 {
		o.NodeTimeout = 2 * time.Second
	}
	c := &Cluster{masters: o.Masters}
	if err := c.start(ctx, o); err != nil {
		return nil, errors.Join(err, c.Close())
	}
	return c, nil
}

func (c *Cluster) start(ctx context.Context, o ClusterOptions) error {
	shared := append([]string{
		"--cluster-enabled", "yes", "--cluster-node-timeout", strconv.FormatInt(o.NodeTimeout.Milliseconds(), 10),
		"--repl-diskless-sync-delay", "0",
	}, o.Args...)
	if o.TLS != nil {
		shared = append(shared, "--tls-cluster", "yes")
	}
	if o.Password != "" {
		shared = append(shared, "--masterauth", o.Password)
	}
	var announced [][2]int // ports of clients and of the bus
	for i := range 2 * o.Masters {
		port, client, err := freePort(ctx, o.Proxied, &c.Proxies)
		if err != nil {
			return err
		}
		busPort, bus, err := freePort(ctx, o.Proxied, &c.buses)
		if err != nil {
			return err
		}
		args := append(slices.Clone(shared), "--cluster-port", strconv.Itoa(busPort))
		if o.Proxied {
			args = append(args,
				"--cluster-announce-ip", "127.0.0.1",
				"--cluster-announce-port", strconv.Itoa(client),
				"--cluster-announce-bus-port", strconv.Itoa(bus),
				"--bind-source-addr", source(i))
		}
		announced = append(announced, [2]int{client, bus})
		server, err := start(ctx, &Server{
			options: Options{Dir: subdirectory(o.Dir, "redis", i), TLS: o.TLS, Password: o.Password, Args: args}, port: port,
		})
		if err != nil {
			return err
		}
		c.Servers = append(c.Servers, server)
	}
	return c.form(ctx, announced)
}

// source is the address from which a server connects to the others, so that a proxy
// can distinguish them.
func source(i int) string { return fmt.Sprint("127.0.0.", 10+i) }

// form joins servers that don't know each other.
func (c *Cluster) form(ctx context.Context, announced [][2]int) error {
	for i, s := range c.Servers {
		if err := s.Client().Do(ctx, "cluster", "set-config-epoch", i+1).Err(); err != nil {
			return err
		}
		if i < c.masters {
			if err := s.Client().ClusterAddSlotsRange(ctx, i*slots/c.masters, (i+1)*slots/c.masters-1).Err(); err != nil {
				return err
			}
		}
		if i > 0 {
			if err := c.Servers[0].Client().Do(ctx, "cluster", "meet", "127.0.0.1", announced[i][0], announced[i][1]).Err(); err != nil {
				return err
			}
		}
	}
	for i, replica := range c.Servers[c.masters:] {
		id, err := c.Servers[i].Client().ClusterMyID(ctx).Result()
		if err != nil {
			return err
		}
		// It fails until the replica knows the master.
		if err := poll.Until(ctx, formTimeout, func(ctx context.Context) error {
			return replica.Client().ClusterReplicate(ctx, id).Err()
		}); err != nil {
			return err
		}
	}
	return poll.Until(ctx, formTimeout, c.Healthy)
}

// Close ends all servers.
func (c *Cluster) Close() error { return closeAll(c.Servers, append(c.Proxies, c.buses...)) }

// Addrs returns the addresses that the servers announce.
func (c *Cluster) Addrs() []string {
	if c.Proxies == nil {
		return addressesOf(c.Servers)
	}
	addresses := make([]string, len(c.Proxies))
	for i, proxy := range c.Proxies {
		addresses[i] = proxy.Addr()
	}
	return addresses
}

// Roles returns the masters with slots and the other servers, without those that
// don't answer.
func (c *Cluster) Roles(ctx context.Context) (masters, replicas []*Server) {
	for _, s := range c.Servers {
		switch self := s.self(ctx); {
		case len(self) > 8 && strings.Contains(self[2], "master"):
			masters = append(masters, s)
		case self != nil:
			replicas = append(replicas, s)
		}
	}
	return masters, replicas
}

// self returns the fields of the server's own line of CLUSTER NODES: the third holds
// flags, the ninth and those after slots; nil if the server does not answer.
func (s *Server) self(ctx context.Context) []string {
	nodes, err := s.Client().ClusterNodes(ctx).Result()
	if err != nil {
		return nil
	}
	for line := range strings.Lines(nodes) {
		if strings.Contains(line, "myself,") {
			return strings.Fields(line)
		}
	}
	return nil
}

// MasterOf returns the server that has a key.
func (c *Cluster) MasterOf(ctx context.Context, key string) (*Server, error) {
	masters, _ := c.Roles(ctx)
	if len(masters) == 0 {
		return nil, errors.New("the cluster has no masters")
	}
	slot, err := masters[0].Client().ClusterKeySlot(ctx, key).Result()
	if err != nil {
		return nil, err
	}
	for _, s := range masters {
		for _, field := range s.self(ctx)[8:] {
			var first, last int64
			if n, _ := fmt.Sscanf(field, "%d-%d", &first, &last); n == 1 {
				last = first
			} else if n == 0 {
				continue // a slot that migrates
			}
			if first <= slot && slot <= last {
				return s, nil
			}
		}
	}
	return nil, fmt.Errorf("no server has slot %d", slot)
}

// ReplicaOf returns the replica of a master.
func (c *Cluster) ReplicaOf(ctx context.Context, master *Server) (*Server, error) {
	id, err := master.Client().ClusterMyID(ctx).Result()
	if err != nil {
		return nil, err
	}
	_, replicas := c.Roles(ctx)
	for _, s := range replicas {
		if self := s.self(ctx); self != nil && self[3] == id {
			return s, nil
		}
	}
	return nil, fmt.Errorf("%s has no replica", master.Name())
}

// Healthy returns an error unless all servers answer, see the whole cluster and each
// master has its replica, so that the next failover would succeed.
func (c *Cluster) Healthy(ctx context.Context) error {
	masters, replicas := c.Roles(ctx)
	if len(masters) != c.masters || len(replicas) != c.masters {
		return fmt.Errorf("%d masters and %d replicas answer", len(masters), len(replicas))
	}
	for _, s := range masters {
		if err := s.expectReplication(ctx, "connected_slaves", "1"); err != nil {
			return err
		}
	}
	for _, s := range replicas {
		if err := s.expectReplication(ctx, "master_link_status", "up"); err != nil {
			return err
		}
	}
	for _, s := range c.Servers {
		info, err := s.Client().ClusterInfo(ctx).Result()
		if err != nil {
			return err
		}
		nodes, err := s.Client().ClusterNodes(ctx).Result()
		if err != nil {
			return err
		}
		if !strings.Contains(info, "cluster_state:ok") || !strings.Contains(info, fmt.Sprint("cluster_slots_ok:", slots)) ||
			strings.Count(nodes, "\n") != len(c.Servers) || strings.Count(nodes, "slave ") != c.masters ||
			strings.Contains(nodes, "handshake") {
			return fmt.Errorf("%s does not see the whole cluster:\n%s", s.Name(), nodes)
		}
	}
	return nil
}

// Failover makes a replica the master by CLUSTER FAILOVER with options such as
// "takeover", and returns when it is.
func (c *Cluster) Failover(ctx context.Context, replica *Server, options ...any) error {
	if err := replica.Client().Do(ctx, append([]any{"cluster", "failover"}, options...)...).Err(); err != nil {
		return err
	}
	return poll.Until(ctx, failoverTimeout, func(ctx context.Context) error {
		return replica.expectReplication(ctx, "role", "master")
	})
}

// CutBus breaks the connections of the cluster bus that lead to a server, and with
// both also those that it opened. Without both, the server gets replies to its own
// pings, so that it believes the cluster to be whole.
func (c *Cluster) CutBus(server *Server, both bool) {
	at := slices.Index(c.Servers, server)
	for i, bus := range c.buses {
		if i == at {
			bus.Refuse(func(string) bool { return true })
		} else if both {
			bus.Refuse(func(address string) bool { return address == source(at) })
		}
	}
}

// RestoreBus undoes CutBus.
func (c *Cluster) RestoreBus() {
	for _, bus := range c.buses {
		bus.Refuse(nil)
	}
}
