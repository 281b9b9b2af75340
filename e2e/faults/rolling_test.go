package faults_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/ephemeralchat/caddy-ephemeral-chat/e2e/harness"
)

// leaveGrace is the time without a connection after which the other members are notified
// that a user has left.
const leaveGrace = 3 * time.Second

// TestRollingRestart restarts all nodes, one after the other, under load. The nodes
// spread the times at which clients return. Clients move to another node and miss
// nothing, and no client is notified that another one has left.
func TestRollingRestart(t *testing.T) {
	const nodes, members = 3, 15
	server := harness.StartRedis(t)
	s := harness.StartSite(t, server, harness.Unlimited, slices.Repeat([]string{server.Addr()}, nodes)...)
	admin := s.API(0).Create(t, 600)
	var clients []*harness.ProtocolClient
	for i := range members {
		m := s.API(0).Join(t, admin.RoomID, fmt.Sprint("m", i))
		clients = append(clients, harness.StartClient(t, m, s.Base(i), s.Base(i+1), s.Base(i+2)))
	}
	stopPublishing := harness.KeepPublishing(20*time.Millisecond, clients...)
	for i := range nodes {
		expectProgress(t, clients, 20, harness.WaitTime)
		before := connections(clients)
		s.Nodes[i].Stop(t)
		moved := func() bool {
			return connections(clients) > before && !slices.ContainsFunc(clients, func(k *harness.ProtocolClient) bool { return !k.Connected() })
		}
		harness.Until(t, harness.WaitTime, "all clients are connected again", moved)
		expectProgress(t, clients, 1, harness.WaitTime)
		s.Nodes[i] = s.Nodes[i].Restart(t)
	}
	expectProgress(t, clients, 20, harness.WaitTime)
	stopPublishing()
	harness.AwaitDelivered(t, harness.WaitTime, clients...)
	harness.CheckTranscripts(t, clients...)

	var retries []time.Duration
	late := make(map[string]bool) // users without a connection for leaveGrace
	for _, k := range clients {
		retries = append(retries, k.Retries()...)
		late[k.UserID()] = k.Away() >= leaveGrace
	}
	slices.Sort(retries)
	if len(retries) < members {
		t.Fatalf("%d of %d connections were closed with 1001", len(retries), connections(clients)-members)
	}
	least, most := retries[0], retries[len(retries)-1]
	if most-least < 500*time.Millisecond || len(slices.Compact(slices.Clone(retries))) < len(retries)/2 {
		t.Errorf("all clients are to return at the same time: %v", retries)
	}
	var longest time.Duration
	for _, k := range clients {
		longest = max(longest, k.Away())
		for _, user := range k.Leaves() {
			if !late[user] {
				t.Errorf("%s was notified that %s had left, which was back within %s", k.UserID(), user, leaveGrace)
			}
		}
	}
	t.Logf("%d connections moved, to return after %s to %s, longest away %s; %d messages", len(retries), least, most,
		longest.Round(time.Millisecond), len(clients[0].Received()))
	if longest >= leaveGrace {
		t.Errorf("a client was away for %s", longest)
	}
}
