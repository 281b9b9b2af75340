package suite_test

import (
	"math"
	"testing"

	"github.com/ephemeralchat/caddy-ephemeral-chat/cmd/chatload/load"

	"github.com/ephemeralchat/caddy-ephemeral-chat/bench/suite"
)

// measured returns the run of a server with a Redis.
func measured(scenario, target string, round int, delivery, p50 float64, lost uint64) suite.Run {
	return suite.Run{Scenario: scenario, Target: target, Round: round, Result: &load.Result{
		Connections: 10,
		CPU: []load.CPU{
			{Process: "caddy0", MicrosDelivery: delivery / 2, MicrosPost: 5},
			{Process: "caddy1", MicrosDelivery: delivery / 2, MicrosPost: 5},
			{Process: "redis", MicrosDelivery: 100, MicrosPost: 7},
		},
		Latency: load.Latency{P50: p50},
		Memory: []load.Memory{
			{Process: "caddy0", Before: 1 << 20, Connected: 2 << 20, Left: 1<<20 + 10<<10, PerConnection: 2048},
			{Process: "redis", Before: 1 << 20, Connected: 3 << 20, Left: 3 << 20, PerConnection: 99999},
		},
		Lost: lost,
	}}
}

func TestSummarize(t *testing.T) {
	t.Parallel()
	rows := suite.Summarize([]suite.Run{
		measured("big", "ours", 0, 4, 20, 0),
		measured("big", "direct", 0, 8, 5, 0),
		measured("big", "ours", 1, 2, 30, 7), // the machine was faster
		measured("big", "direct", 1, 4, 6, 0),
		measured("big", "ours", 2, 9, 10, 0), // something disturbed this one
		measured("big", "direct", 2, 9, 5, 0),
		measured("ping", "ours", 0, 3, 1, 0),
		measured("ping", "ours-before", 0, 2, 4, 0),
	})
	if len(rows) != 4 || rows[0].Target != "ours" || rows[1].Target != "direct" || rows[2].Scenario != "ping" {
		t.Fatalf("got %+v", rows)
	}
	ours := rows[0]
	for name, got := range map[string][2]float64{
		"rounds":                     {float64(ours.Rounds), 3},
		"CPU of a delivery":          {ours.Medians.Delivery, 4},
		"CPU of a post":              {ours.Medians.Post, 10},
		"CPU of Redis":               {ours.Medians.RedisPost, 7},
		"latency":                    {ours.Medians.P50, 20},
		"memory":                     {ours.Medians.Connection, 2},
		"memory kept":                {ours.Medians.Left, 1},
		"faults, the worst":          {ours.Medians.Faults, 7},
		"ratio of CPU, by rounds":    {ours.Ratios["direct"].Delivery, 0.5},
		"ratio of latency":           {ours.Ratios["direct"].P50, 4},
		"ratio of the base":          {rows[1].Ratios["direct"].Delivery, 1},
		"ratio to an absent target":  {ours.Ratios["paced"].Delivery, 0},
		"ratio to the earlier build": {rows[2].Ratios["before"].Delivery, 1.5},
		"latency of the same":        {rows[2].Ratios["before"].P50, 0.25},
		"earlier build elsewhere":    {ours.Ratios["before"].Delivery, 0},
		"ratio in another scenario":  {rows[2].Ratios["direct"].Delivery, 0},
		"median of a single of them": {rows[2].Medians.Delivery, 3},
	} {
		if math.Abs(got[0]-got[1]) > 1e-9 {
			t.Errorf("%s is %v, want %v", name, got[0], got[1])
		}
	}
}

func TestNames(t *testing.T) {
	t.Parallel()
	seen := make(map[string]bool)
	take := func(name string) {
		if name == "" || seen[name] {
			t.Errorf("%q occurs twice, or is empty", name)
		}
		seen[name] = true
	}
	for _, s := range suite.Scenarios() {
		take(s.Name)
	}
	for _, c := range suite.Curves() {
		take(c.Name)
		for _, p := range c.Points {
			take(p.Scenario.Name)
		}
	}
	for _, target := range suite.Targets() {
		take(target.Name)
	}
}
