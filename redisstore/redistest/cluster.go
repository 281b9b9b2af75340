package redistest

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
	"testing"
	"time"
)

// slots is how many a cluster has.
const slots = 16384

// busOffset is by how much the port on which the servers of a cluster talk to each
// other is above the one for clients.
const busOffset = 10_000

// ClusterOptions say how a cluster runs.
type ClusterOptions struct {
	// Masters is how many there are, each with one replica; 3 if zero.
	Masters int
	// NodeTimeout is how long a server is silent until it is taken for dead; 2 s if
	// zero.
	NodeTimeout time.Duration
	// TLS, where not nil, is used by all, also among each other.
	TLS *Certificates
	// Password is required by the servers.
	Password string
	// Bus lets Deafen cut servers off from each other.
	Bus bool
	// Args are further arguments of the servers.
	Args []string
}

// Cluster is a Redis Cluster. It ends with the test.
type Cluster struct {
	// Servers are the masters of the beginning, then a replica of each.
	Servers []*Server
	buses   []*bus // of each server; nil without ClusterOptions.Bus
}

// StartCluster starts a cluster, and returns when it is whole.
func StartCluster(tb testing.TB, o ClusterOptions) *Cluster {
	tb.Helper()
	if o.Masters == 0 {
		o.Masters = 3
	}
	if o.NodeTimeout == 0 {
		o.NodeTimeout = 2 * time.Second
	}
	args := append([]string{
		"--cluster-enabled", "yes", "--cluster-node-timeout", strconv.FormatInt(o.NodeTimeout.Milliseconds(), 10),
		"--repl-diskless-sync-delay", "0",
	}, o.Args...)
	if o.TLS != nil {
		args = append(args, "--tls-cluster", "yes")
	}
	if o.Password != "" {
		args = append(args, "--masterauth", o.Password)
	}
	c := new(Cluster)
	for range 2 * o.Masters {
		server := &Server{options: Options{TLS: o.TLS, Password: o.Password, Args: args}}
		choose := freePorts
		if o.Bus {
			b := newBus(tb)
			c.buses = append(c.buses, b)
			server.options.Args = append(append([]string(nil), args...), "--cluster-announce-bus-port", strconv.Itoa(b.port))
			choose = func(ctx context.Context) (int, error) {
				port, err := freePorts(ctx)
				b.target(port + busOffset)
				return port, err
			}
		}
		c.Servers = append(c.Servers, launch(tb, server, choose))
	}
	c.form(tb, o.Masters)
	return c
}

// freePorts finds a port that is free, as is the one for the bus that goes with it.
func freePorts(ctx context.Context) (int, error) {
	for range 100 {
		port, err := freePort(ctx)
		if err != nil {
			return 0, err
		}
		if port+busOffset > 65535 {
			continue
		}
		l, err := new(net.ListenConfig).Listen(ctx, "tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port+busOffset)))
		if err != nil {
			continue
		}
		_ = l.Close()
		return port, nil
	}
	return 0, errors.New("no pair of ports")
}

// form makes a cluster of servers that don't know each other.
func (c *Cluster) form(tb testing.TB, masters int) {
	tb.Helper()
	do := func(s *Server, args ...any) string {
		tb.Helper()
		reply, err := s.Client().Do(tb.Context(), args...).Text()
		if err != nil {
			tb.Fatalf("%v: %v", args, err)
		}
		return reply
	}
	ids := make([]string, len(c.Servers))
	for i, s := range c.Servers {
		ids[i] = do(s, "cluster", "myid")
		do(s, "cluster", "set-config-epoch", i+1)
		if i < masters {
			do(s, "cluster", "addslotsrange", i*slots/masters, (i+1)*slots/masters-1)
		}
	}
	for i, s := range c.Servers[1:] {
		port := s.port + busOffset
		if c.buses != nil {
			port = c.buses[i+1].port
		}
		do(c.Servers[0], "cluster", "meet", "127.0.0.1", s.port, port)
	}
	c.await(tb, "the servers don't know each other", func(nodes string) bool {
		return strings.Count(nodes, "\n") == len(c.Servers) && !strings.Contains(nodes, "handshake")
	})
	for i, s := range c.Servers[masters:] {
		do(s, "cluster", "replicate", ids[i])
	}
	c.await(tb, "not all masters have replicas", func(nodes string) bool {
		return strings.Count(nodes, "slave ") == len(c.Servers)-masters
	})
	eventually(tb, "the cluster is not whole", func() (bool, error) {
		for i, s := range c.Servers {
			info, err := s.Client().ClusterInfo(tb.Context()).Result()
			if err != nil || !strings.Contains(info, "cluster_state:ok") {
				return false, err
			}
			if i >= masters {
				if up, err := contains(tb.Context(), s.Client(), "replication", "master_link_status:up"); !up {
					return false, err
				}
			}
		}
		return true, nil
	})
}

// await waits until all servers see the cluster in a certain way.
func (c *Cluster) await(tb testing.TB, otherwise string, seen func(nodes string) bool) {
	tb.Helper()
	eventually(tb, otherwise, func() (bool, error) {
		for _, s := range c.Servers {
			nodes, err := s.Client().ClusterNodes(tb.Context()).Result()
			if err != nil || !seen(nodes) {
				return false, err
			}
		}
		return true, nil
	})
}

// Addrs are the addresses of all servers.
func (c *Cluster) Addrs() []string { return addressesOf(c.Servers) }

// Masters returns the servers that answer and say that they are masters with keys.
func (c *Cluster) Masters(tb testing.TB) []*Server {
	tb.Helper()
	var masters []*Server
	for _, s := range c.Servers {
		if self := c.self(tb.Context(), s); strings.Contains(self, "myself,master") && len(strings.Fields(self)) > 8 {
			masters = append(masters, s)
		}
	}
	return masters
}

// self is the line in which a server describes itself: flags are the third field,
// slots the ninth and those after.
func (c *Cluster) self(ctx context.Context, s *Server) string {
	nodes, err := s.Client().ClusterNodes(ctx).Result()
	if err != nil {
		return "" // it may have been killed
	}
	for line := range strings.Lines(nodes) {
		if strings.Contains(line, "myself") {
			return line
		}
	}
	return ""
}

// MasterOf returns the server that has a key.
func (c *Cluster) MasterOf(tb testing.TB, key string) *Server {
	tb.Helper()
	masters := c.Masters(tb)
	if len(masters) == 0 {
		tb.Fatal("the cluster has no masters")
	}
	slot, err := masters[0].Client().ClusterKeySlot(tb.Context(), key).Result()
	if err != nil {
		tb.Fatal(err)
	}
	for _, s := range masters {
		for _, field := range strings.Fields(c.self(tb.Context(), s))[8:] {
			var first, last int64
			if n, _ := fmt.Sscanf(field, "%d-%d", &first, &last); n == 2 && first <= slot && slot <= last {
				return s
			}
			if field == strconv.FormatInt(slot, 10) {
				return s
			}
		}
	}
	tb.Fatalf("no server has slot %d", slot)
	return nil
}

// ReplicaOf returns a server that copies a master.
func (c *Cluster) ReplicaOf(tb testing.TB, master *Server) *Server {
	tb.Helper()
	id, err := master.Client().Do(tb.Context(), "cluster", "myid").Text()
	if err != nil {
		tb.Fatal(err)
	}
	for _, s := range c.Servers {
		if strings.Contains(c.self(tb.Context(), s), "slave "+id) {
			return s
		}
	}
	tb.Fatal("the master has no replica")
	return nil
}

// Deafen lets a server hear nothing of what others tell it, until the function that
// is returned is called. It hears replies to what it says itself, so that it takes
// the cluster to be whole.
func (c *Cluster) Deafen(tb testing.TB, s *Server) (undo func()) {
	tb.Helper()
	if c.buses == nil {
		tb.Fatal("the cluster was started without Bus")
	}
	for i, other := range c.Servers {
		if other == s {
			c.buses[i].cut(true)
			return func() { c.buses[i].cut(false) }
		}
	}
	tb.Fatal("the server is of another cluster")
	return nil
}
