package harness

import (
	"fmt"
	"strings"
	"testing"
)

// Unlimited are options that take the limits of a chat away, for tests that are not
// about limits.
const Unlimited = `
		message_rate off
		join_rate off
		create_rate off
		password_rate off
		room_password_rate off
		max_connections 1000000
		history 20000`

// Site is a chat on one or more nodes.
type Site struct {
	Nodes []*Node
	Bases []string // the mount points, one on each node
	APIs  []*API
	Redis *Redis // nil if rooms are in memory
}

// Base returns the mount point on a node. Nodes are numbered from 0, modulo their
// number.
func (s *Site) Base(i int) string { return s.Bases[i%len(s.Bases)] }

// API returns the client for Base(i).
func (s *Site) API(i int) *API { return s.APIs[i%len(s.APIs)] }

// MemorySite starts one node that keeps rooms in memory.
func MemorySite(t *testing.T, options string) *Site {
	t.Helper()
	return StartSite(t, nil, options, "")
}

// RedisSite starts two nodes that keep rooms in one Redis.
func RedisSite(t *testing.T, options string) *Site {
	t.Helper()
	server := StartRedis(t)
	return StartSite(t, server, options, server.Addr(), server.Addr())
}

// StartSite starts a node for each address of Redis. With the address "" the node
// keeps rooms in memory.
func StartSite(t *testing.T, server *Redis, options string, redisAddresses ...string) *Site {
	t.Helper()
	s := &Site{Redis: server}
	for _, address := range redisAddresses {
		store := ""
		if address != "" {
			store = "redis " + address
		}
		n, a := Serve(t, "", Chat(store, strings.TrimSpace(options)))
		s.Add(t, n, a.Base)
	}
	return s
}

// Chat returns the directive of a chat with options.
func Chat(options ...string) string {
	return "ephemeral_chat {\n\t\t" + strings.Join(options, "\n\t\t") + "\n\t}"
}

// Serve starts a node with a site of directives at a free address. It returns the node
// and a client of the site.
func Serve(t *testing.T, options, directives string) (*Node, *API) {
	t.Helper()
	listen := FreeAddress(t)
	n := StartNode(t, options, fmt.Sprintf("http://%s {\n\t%s\n}", listen, directives), listen)
	return n, NewAPI(t, "http://"+listen)
}

// Add adds a node and its mount point.
func (s *Site) Add(t *testing.T, n *Node, base string) {
	t.Helper()
	s.Nodes = append(s.Nodes, n)
	s.Bases = append(s.Bases, base)
	s.APIs = append(s.APIs, NewAPI(t, base))
}

// JoinMany joins a room as a number of members, m0, m1 and so on, on the nodes in turn.
func (s *Site) JoinMany(t *testing.T, roomID string, n int) (sockets []*Socket) {
	t.Helper()
	for i := range n {
		m := s.API(i).Join(t, roomID, fmt.Sprint("m", i))
		k, _ := Join(t, s.Base(i), &m)
		sockets = append(sockets, k)
	}
	return sockets
}

// OnBothStores runs a test with rooms in memory and, on two nodes, in Redis.
func OnBothStores(t *testing.T, options string, test func(t *testing.T, s *Site)) {
	t.Helper()
	t.Run("memory", func(t *testing.T) { test(t, MemorySite(t, options)) })
	t.Run("redis", func(t *testing.T) { test(t, RedisSite(t, options)) })
}

// OnBothBackends runs a test with the option of each store, and with Redis or nil.
func OnBothBackends(t *testing.T, test func(t *testing.T, option string, server *Redis)) {
	t.Helper()
	t.Run("memory", func(t *testing.T) { test(t, "store memory", nil) })
	t.Run("redis", func(t *testing.T) {
		server := StartRedis(t)
		test(t, "redis "+server.Addr(), server)
	})
}

// BehindOutage runs a test for each outage of the second of two nodes: its connection to
// Redis goes through the proxy, which the test breaks.
func BehindOutage(t *testing.T, test func(t *testing.T, s *Site, proxy *Proxy, outage Outage)) {
	t.Helper()
	for name, outage := range map[string]Outage{"refused": Refused, "silent": Silent} {
		t.Run(name, func(t *testing.T) {
			t.Parallel() // mostly waits
			server := StartRedis(t)
			proxy := StartProxy(t, server.Addr())
			test(t, StartSite(t, server, Unlimited, server.Addr(), proxy.Addr()), proxy, outage)
		})
	}
}

// ExpectNoErrors fails the test if a node has logged an error.
func (s *Site) ExpectNoErrors(t *testing.T) {
	t.Helper()
	for _, n := range s.Nodes {
		for _, line := range n.LoggedErrors() {
			t.Errorf("logged: %s", line)
		}
	}
}
