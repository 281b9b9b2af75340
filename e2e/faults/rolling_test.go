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
	var sites, bases, addresses []string
	running := make([]*harness.Node, nodes)
	for i := range nodes {
		address := harness.FreeAddress(t)
		site := fmt.Sprintf("http://%s {\n\tephemeral_chat {\n\t\tredis %s\n%s\n\t}\n}\n", address, server.Addr(), harness.Unlimited)
		sites, bases, addresses = append(sites, site), append(bases, "http://"+address), append(addresses, address)
		running[i] = harness.StartNode(t, "", site, address)
	}
	a := harness.NewAPI(t, bases[0])
	admin := a.Create(t, 600)
	var clients []*harness.ProtocolClient
	for i := range members {
		m := a.Join(t, admin.RoomID, fmt.Sprint("m", i))
		clients = append(clients, harness.StartClient(t, m, bases[i%nodes], bases[(i+1)%nodes], bases[(i+2)%nodes]))
	}
	stopPublishing := harness.KeepPublishing(20*time.Millisecond, clients...)
	for i := range nodes {
		expectProgress(t, clients, 20, harness.WaitTime)
		before := connections(clients)
		running[i].Stop(t)
		moved := func() bool {
			return connections(clients) > before && !slices.ContainsFunc(clients, func(k *harness.ProtocolClient) bool { return !k.Connected() })
		}
		harness.Until(t, harness.WaitTime, "all clients are connected again", moved)
		expectProgress(t, clients, 1, harness.WaitTime)
		running[i] = harness.StartNode(t, "", sites[i], addresses[i])
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
