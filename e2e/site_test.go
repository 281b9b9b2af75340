package e2e_test

import (
	"fmt"
	"strings"
	"testing"
)

// unlimited are the options of a chat that no test is to run into the limits
// of.
const unlimited = `
		message_rate off
		join_rate off
		create_rate off
		password_rate off
		room_password_rate off
		max_connections 1000000
		history 20000`

// site is a chat on one or more nodes.
type site struct {
	nodes []*node
	bases []string // the mount points, one on each node
	apis  []*api
	redis *redisServer // nil if rooms are in memory
}

// base returns the mount point on some node; they are numbered from 0, and a
// number beyond the last one counts on from the first.
func (s *site) base(i int) string { return s.bases[i%len(s.bases)] }

func (s *site) api(i int) *api { return s.apis[i%len(s.apis)] }

// memorySite starts one node that keeps rooms in memory.
func memorySite(t *testing.T, options string) *site {
	t.Helper()
	return startSite(t, nil, options, "")
}

// redisSite starts two nodes that keep rooms in one Redis.
func redisSite(t *testing.T, options string) *site {
	t.Helper()
	server := startRedis(t)
	return startSite(t, server, options, server.address, server.address)
}

// startSite starts a node for each address of Redis; an empty one means rooms
// in memory.
func startSite(t *testing.T, server *redisServer, options string, redisAddresses ...string) *site {
	t.Helper()
	s := &site{redis: server}
	for _, address := range redisAddresses {
		store := ""
		if address != "" {
			store = "redis " + address
		}
		listen := freeAddress(t)
		sites := fmt.Sprintf("http://%s {\n\tephemeral_chat {\n\t\t%s\n\t\t%s\n\t}\n}\n", listen, store, strings.TrimSpace(options))
		s.add(t, startNode(t, "", sites, listen), "http://"+listen)
	}
	return s
}

func (s *site) add(t *testing.T, n *node, base string) {
	t.Helper()
	s.nodes = append(s.nodes, n)
	s.bases = append(s.bases, base)
	s.apis = append(s.apis, newAPI(t, base))
}

// onBoth runs a test on rooms in memory and, with two nodes, in Redis.
func onBoth(t *testing.T, options string, test func(t *testing.T, s *site)) {
	t.Helper()
	t.Run("memory", func(t *testing.T) { test(t, memorySite(t, options)) })
	t.Run("redis", func(t *testing.T) { test(t, redisSite(t, options)) })
}

// noErrors fails the test if a node has logged one.
func (s *site) noErrors(t *testing.T) {
	t.Helper()
	for _, n := range s.nodes {
		for _, line := range n.errorsLogged(t) {
			t.Errorf("logged: %s", line)
		}
	}
}
