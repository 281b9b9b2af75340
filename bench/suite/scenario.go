package suite

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Scenario is a load to measure servers under.
type Scenario struct {
	Name  string // as in -only
	Title string
	args  []string // of the load tool
	tls   bool
	nodes int      // of ours; 0 is 1
	lines []string // further lines of the chat's block in the Caddyfile
	// only lists the names of the targets to run; nil is all.
	only []string
	// rounds is the most rounds to run; 0 is all.
	rounds int
	// Memory reports whether the scenario measures memory instead of deliveries.
	Memory bool
}

// Custom returns a scenario with arguments of the load tool.
func Custom(args []string) Scenario {
	return Scenario{Name: "custom", Title: strings.Join(args, " "), args: args}
}

// Scenarios returns the scenarios in which servers are compared.
func Scenarios() []Scenario {
	idle := []string{"-idle", "10000", "-members", "100", "-duration", "1s"}
	// The other baselines block on a client that does not read.
	tolerant := []string{"ours", "ours-redis", "batched", "centrifugo", "centrifugo-redis"}
	return []Scenario{
		{Name: "big", Title: "1 room × 1,000, 100 messages/s", args: []string{"-members", "1000", "-rate", "100"}},
		{Name: "many", Title: "200 rooms × 5, 4 messages in flight in each", args: []string{"-rooms", "200", "-members", "5", "-flight", "4"}},
		{Name: "flat", Title: "1 room × 100, 32 messages in flight", args: []string{"-members", "100", "-flight", "32"}},
		{Name: "ping", Title: "1 room × 2, one message at a time", args: []string{"-ping"}},
		{Name: "stalled", Title: "1 room × 1,000, 100 messages/s, 5 % do not read", args: []string{"-members", "1000", "-rate", "100", "-stall", "0.05"}, only: tolerant},
		{Name: "idle", Title: "10,000 idle connections", args: idle, only: []string{"ours", "direct", "centrifugo"}, rounds: 1, Memory: true},
		{Name: "idle-tls", Title: "10,000 idle connections, TLS", args: idle, only: []string{"ours", "direct", "centrifugo"}, rounds: 1, Memory: true, tls: true},
	}
}

// Curve is a load that grows from point to point.
type Curve struct {
	Name  string // as in -only
	Title string
	X     string // the quantity that grows
	// PerDelivery reports whether the curve shows the CPU time of a delivery instead of
	// that of a post.
	PerDelivery bool
	Points      []Point
}

// Point is a point of a curve.
type Point struct {
	X        int
	Scenario Scenario
}

// Curves returns the curves that show how cost grows.
func Curves() []Curve {
	both := []string{"ours", "ours-redis"}
	arg := strconv.Itoa
	rooms := Curve{Name: "rooms", Title: "Number of rooms", X: "rooms"}
	for _, n := range []int{1, 10, 100, 1000, 10_000, 100_000} {
		// A process may open only so many files, so further rooms have no connections.
		connected := min(n, 5000)
		rooms.add(n, Scenario{only: both, args: []string{
			"-rooms", arg(connected), "-empty", arg(n - connected), "-members", "2",
			"-rate", strconv.FormatFloat(2000/float64(connected), 'f', -1, 64),
		}})
	}
	members := Curve{Name: "members", Title: "Members of a room", X: "members", PerDelivery: true}
	for _, n := range []int{1, 10, 100, 1000, 5000} {
		members.add(n, Scenario{only: both, args: []string{
			"-members", arg(n), "-rate", arg(min(max(100_000/n, 20), 5000)),
		}})
	}
	history := Curve{Name: "history", Title: "Messages kept in a room", X: "messages"}
	for _, n := range []int{0, 10, 100, 1000, 10_000} {
		history.add(n, Scenario{only: both, lines: []string{"history 20000"}, args: []string{
			"-rooms", "20", "-members", "2", "-rate", "50", "-fill", arg(n),
		}})
	}
	nodes := Curve{Name: "nodes", Title: "Nodes that share a Redis", X: "nodes"}
	for _, n := range []int{1, 2, 3} {
		nodes.add(n, Scenario{only: []string{"ours-redis"}, nodes: n, args: []string{
			"-rooms", "100", "-members", "10", "-rate", "10",
		}})
	}
	return []Curve{rooms, members, history, nodes}
}

func (c *Curve) add(x int, s Scenario) {
	s.Name = fmt.Sprintf("%s=%d", c.Name, x)
	s.Title = fmt.Sprintf("%s: %d", c.Title, x)
	c.Points = append(c.Points, Point{X: x, Scenario: s})
}

// runs reports whether the scenario runs against a target in a round.
func (s *Scenario) runs(t *Target, round int) bool {
	return (s.only == nil || slices.Contains(s.only, strings.TrimSuffix(t.Name, beforeSuffix))) && (s.rounds == 0 || round < s.rounds)
}
