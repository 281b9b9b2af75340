package suite_test

import (
	"io"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ephemeralchat/caddy-ephemeral-chat/bench/suite"
)

// TestSuite runs some scenarios for a moment against the real servers. It checks that
// they and the load tool understand each other, and that no message is lost.
func TestSuite(t *testing.T) {
	t.Parallel()
	targets := slices.DeleteFunc(suite.Targets(), func(target suite.Target) bool { return target.Kind == suite.Peer })
	bin := t.TempDir()
	if err := suite.Build(t.Context(), "../..", bin, targets); err != nil {
		t.Fatal(err)
	}
	s := &suite.Suite{
		Bin:       bin,
		Scenarios: []suite.Scenario{suite.Custom([]string{"-rooms", "2", "-members", "5", "-rate", "20"})},
		Targets:   suite.WithBefore(targets, filepath.Join(bin, "caddy")),
		Rounds:    1,
		Duration:  300 * time.Millisecond,
		Log:       io.Discard,
	}
	for _, c := range suite.Curves() {
		if c.Name == "nodes" {
			s.Scenarios = append(s.Scenarios, c.Points[1].Scenario)
		}
	}
	runs, err := s.Run(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	// All targets in the first scenario, and Redis in the second, now and before.
	if want := len(s.Targets) + 2; len(runs) != want {
		t.Errorf("%d runs, want %d", len(runs), want)
	}
	for _, r := range runs {
		if !r.Result.Faultless() || r.Result.Deliveries == 0 {
			t.Errorf("%s, %s: %s", r.Scenario, r.Target, r.Result)
		}
		processes := 1
		switch {
		case r.Scenario != "custom":
			processes = 3
		case strings.HasPrefix(r.Target, "ours-redis"):
			processes = 2
		}
		if len(r.Result.CPU) != processes {
			t.Errorf("%s, %s: the CPU time of %d processes, want %d", r.Scenario, r.Target, len(r.Result.CPU), processes)
		}
	}
}
