package e2e_test

import (
	"fmt"
	"slices"
	"testing"
	"time"
)

// leaveGrace is how long a user may be without a connection before the others are
// told.
const leaveGrace = 3 * time.Second

// TestRollingRestart restarts all nodes, one after the other, while people talk.
// They are told when to come back, not all at the same time, go to another node, and
// miss nothing; and nobody is told that they had left.
func TestRollingRestart(t *testing.T) {
	const nodes, members = 3, 15
	server := startRedis(t)
	var sites, bases, addresses []string
	running := make([]*node, nodes)
	for i := range nodes {
		address := freeAddress(t)
		site := fmt.Sprintf("http://%s {\n\tephemeral_chat {\n\t\tredis %s\n%s\n\t}\n}\n", address, server.address, unlimited)
		sites, bases, addresses = append(sites, site), append(bases, "http://"+address), append(addresses, address)
		running[i] = startNode(t, "", site, address)
	}
	a := newAPI(t, bases[0])
	admin := a.create(t, 600)
	var talkers []*talker
	for i := range members {
		m := a.join(t, admin.RoomID, fmt.Sprint("m", i))
		talkers = append(talkers, startTalker(t, m, bases[i%nodes], bases[(i+1)%nodes], bases[(i+2)%nodes]))
	}
	stopTalking := keepTalking(20*time.Millisecond, talkers...)
	for i := range nodes {
		grow(t, talkers, 20, waitTime)
		before := visits(talkers)
		running[i].finish(t)
		moved := func() bool {
			return visits(talkers) > before && !slices.ContainsFunc(talkers, func(k *talker) bool { return !k.isConnected() })
		}
		until(t, waitTime, "everybody is connected again", moved)
		grow(t, talkers, 1, waitTime)
		running[i] = startNode(t, "", sites[i], addresses[i])
	}
	grow(t, talkers, 20, waitTime)
	stopTalking()
	awaitSettled(t, waitTime, talkers...)
	checkConversation(t, talkers...)

	var retries []time.Duration
	late := make(map[string]bool) // who was away for long
	for _, k := range talkers {
		k.mu.Lock()
		retries = append(retries, k.retries...)
		late[k.member.UserID] = k.away >= leaveGrace
		k.mu.Unlock()
	}
	slices.Sort(retries)
	if len(retries) < members {
		t.Fatalf("%d of %d connections were closed with 1001", len(retries), visits(talkers)-members)
	}
	least, most := retries[0], retries[len(retries)-1]
	if most-least < 500*time.Millisecond || len(slices.Compact(slices.Clone(retries))) < len(retries)/2 {
		t.Errorf("clients are told to come back at the same time: %v", retries)
	}
	var longest time.Duration
	for _, k := range talkers {
		k.mu.Lock()
		longest = max(longest, k.away)
		for who, times := range k.farewells {
			if !late[who] {
				t.Errorf("%s was told %d times that %s had left, who was back within %s", k.member.UserID, times, who, leaveGrace)
			}
		}
		k.mu.Unlock()
	}
	t.Logf("%d connections moved, told to come back after %s to %s, longest away %s; %d messages", len(retries), least, most,
		longest.Round(time.Millisecond), talkers[0].heardCount())
	if longest >= leaveGrace {
		t.Errorf("somebody was away for %s", longest)
	}
}
