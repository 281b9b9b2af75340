package chaos

import (
	"context"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/redis/go-redis/v9"
)

// topology is a way to run Redis.
type topology interface {
	// start runs the servers, with links for so many nodes, and returns when they
	// are ready.
	start(ctx context.Context, dir string, nodes int) error
	// stop ends everything that start has begun, also where it failed.
	stop()
	// directive is how a node's Caddyfile names the store.
	directive(node int) string
	// links are those between nodes and servers.
	links() []*link
	// pools is how many pools of connections to Redis a node has.
	pools() int
	// lossless says that what was acknowledged survives every fault of the
	// topology.
	lossless() bool
	// healthy reports what is missing until the next fault of the topology may
	// come: one is survived, two at a time need not be.
	healthy(ctx context.Context) error
	// faults are those that the topology can suffer, one at a time.
	faults() []fault
	// client is one that reads keys, for the laboratory itself. It works while the
	// topology is healthy.
	client(ctx context.Context) (redis.UniversalClient, error)
	// keys are the names of all keys.
	keys(ctx context.Context) (map[string]struct{}, error)
	// tagged says that the ids of rooms stand in braces in the names of keys.
	tagged() bool
}

// Topologies are the names of those that Options may name.
var Topologies = []string{"standalone", "sentinel", "cluster"}

func newTopology(name string) (topology, error) {
	switch name {
	case "standalone":
		return new(standalone), nil
	case "sentinel":
		return new(sentinels), nil
	case "cluster":
		return new(cluster), nil
	default:
		return nil, fmt.Errorf("no topology %q; there are %v", name, Topologies)
	}
}

// takeoverTime is in which a failover that was asked for must have happened.
const takeoverTime = 15 * time.Second

// fault is a kind of fault.
type fault struct {
	kind   string
	weight int // how often it happens, compared with others
	// lossy says that what was acknowledged may be lost by it, or that nobody can
	// know that it was not.
	lossy bool
	// on names what suffers it. Nothing suffers two faults at a time.
	on string
	// inject makes it happen, stays for as long as it lasts, and undoes it, also
	// when ctx is done earlier. note tells what exactly happens.
	inject func(ctx context.Context, r *rand.Rand, note func(string)) error
}

// roomKeys returns the names of the keys of a room.
func roomKeys(t topology, id string) []string {
	if t.tagged() {
		id = "{" + id + "}"
	}
	return []string{
		"room:" + id, "room:messages:" + id, "room:roomUser:" + id, "room:online:" + id, "room:sent:" + id, "room:names:" + id,
	}
}
