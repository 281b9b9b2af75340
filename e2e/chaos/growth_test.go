package chaos_test

import (
	"strings"
	"testing"

	"github.com/ephemeralchat/caddy-ephemeral-chat/e2e/chaos"
)

// TestGrowth judges processes that grow, and others that do not.
func TestGrowth(t *testing.T) {
	const mebibyte = 1 << 20
	level := chaos.Sample{Goroutines: 16, Files: 40, Heap: 9 * mebibyte, Resident: 60 * mebibyte}
	tests := map[string]struct {
		samples int
		pools   int
		at      func(i int, s *chaos.Sample) // changes sample number i
		grown   string                       // names of resources; "" is none
	}{
		"level":                 {samples: 24, at: func(int, *chaos.Sample) {}},
		"up and down":           {samples: 24, at: func(i int, s *chaos.Sample) { s.Goroutines += 100 * (i % 2); s.Heap += (i % 3) * mebibyte }},
		"once":                  {samples: 24, at: func(i int, s *chaos.Sample) { s.Files += 500 * (i / 23) }},
		"while it warms up":     {samples: 24, at: func(i int, s *chaos.Sample) { s.Heap += min(i, 5) * mebibyte; s.Resident += min(i, 5) * 20 * mebibyte }},
		"shrinking":             {samples: 24, at: func(i int, s *chaos.Sample) { s.Goroutines += 1000 - i }},
		"a goroutine a sample":  {samples: 24, at: func(i int, s *chaos.Sample) { s.Goroutines += i }, grown: "goroutines"},
		"a descriptor a sample": {samples: 24, at: func(i int, s *chaos.Sample) { s.Files += i }, grown: "descriptors"},
		"100 KiB a sample":      {samples: 24, at: func(i int, s *chaos.Sample) { s.Heap += i * 100 << 10 }, grown: "heap"},
		"of the process":        {samples: 24, at: func(i int, s *chaos.Sample) { s.Resident += i * 3 * mebibyte }, grown: "resident"},
		"pools that fill":       {samples: 24, pools: 6, at: func(i int, s *chaos.Sample) { s.Files += 4 * i; s.Heap += i * 300 << 10 }},
		"more than pools hold":  {samples: 24, pools: 6, at: func(i int, s *chaos.Sample) { s.Files += 20 * i }, grown: "descriptors"},
		"in a few samples":      {samples: 8, at: func(i int, s *chaos.Sample) { s.Goroutines += 10 * i }, grown: "goroutines"},
		"too few samples":       {samples: 7, at: func(i int, s *chaos.Sample) { s.Goroutines += 10 * i }},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			p := chaos.Process{Node: "node0", Pools: test.pools}
			for i := range test.samples {
				s := level
				test.at(i, &s)
				p.Samples = append(p.Samples, s)
			}
			growth := p.Growth()
			if (growth == nil) != (test.samples < 8) {
				t.Fatalf("%d samples are judged: %v", test.samples, growth)
			}
			var grown []string
			for _, g := range growth {
				if g.Excessive() {
					grown = append(grown, g.What)
				}
			}
			if got := strings.Join(grown, ", "); !strings.Contains(got, test.grown) || (test.grown == "") != (got == "") {
				t.Errorf("%q has grown, want %q: %v", got, test.grown, growth)
			}
		})
	}
}
