// Package suite compares chat servers: it starts them one after another, puts the
// same load on each, in several rounds, and takes medians, and medians of the ratios
// within a round.
//
// Clients and servers share the cores of one machine, over the loopback interface.
// Absolute numbers depend on the machine and the hour, so compare the ratios.
package suite

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/ephemeralchat/caddy-ephemeral-chat/cmd/chatload/load"
)

// Suite is a set of measurements.
type Suite struct {
	Bin       string // directory of the programs, absolute
	Scenarios []Scenario
	Targets   []Target
	Rounds    int
	Duration  time.Duration // of each measurement
	Warmup    time.Duration
	Options   []string  // further lines of the chat's block in the Caddyfile
	Log       io.Writer // gets a line for each measurement
}

// Run is the result of one measurement.
type Run struct {
	Scenario, Target string
	Round            int
	Result           *load.Result
}

// Run measures in rounds: in each round each scenario runs against all targets, one
// after another. Odd rounds take the targets in reverse order, so that drift of the
// machine favors none. Failed measurements are left out and their errors returned.
func (s *Suite) Run(ctx context.Context) ([]Run, error) {
	var runs []Run
	var failures []error
	for round := range s.Rounds {
		targets := slices.Clone(s.Targets)
		if round%2 == 1 {
			slices.Reverse(targets)
		}
		for i := range s.Scenarios {
			scenario := &s.Scenarios[i]
			for j := range targets {
				target := &targets[j]
				if !scenario.runs(target, round) {
					continue
				}
				result, err := s.measure(ctx, scenario, target)
				if ctx.Err() != nil {
					return runs, ctx.Err()
				}
				if err != nil {
					err = fmt.Errorf("%s, %s: %w", scenario.Name, target.Name, err)
					_, _ = fmt.Fprintln(s.Log, err)
					failures = append(failures, err)
					continue
				}
				run := Run{Scenario: scenario.Name, Target: target.Name, Round: round, Result: result}
				runs = append(runs, run)
				_, _ = fmt.Fprintf(s.Log, "%d/%d %-14s %-17s %s\n", round+1, s.Rounds, scenario.Name, target.Name, run.line())
			}
		}
	}
	return runs, errors.Join(failures...)
}

// measure starts a server, puts load on it, and stops it.
func (s *Suite) measure(ctx context.Context, scenario *Scenario, target *Target) (*load.Result, error) {
	server := &server{
		target:  target,
		bin:     s.Bin,
		options: slices.Concat(scenario.lines, s.Options),
		nodes:   max(scenario.nodes, 1),
		tls:     scenario.tls,
	}
	if err := server.start(ctx); err != nil {
		return nil, err
	}
	defer server.stop()
	args := []string{
		"-json", "-insecure",
		"-url", strings.Join(server.urls, ","),
		"-pid", server.pids(),
		"-gc", strings.Join(server.gc, ","),
		"-duration", s.Duration.String(),
		"-warmup", s.Warmup.String(),
	}
	program := "chatload"
	if target.Kind == Peer {
		program = "centrifugoload"
	}
	cmd := exec.CommandContext(ctx, server.program(program), append(args, scenario.args...)...) //nolint:gosec // one of the programs that were built
	var output, messages bytes.Buffer
	cmd.Stdout, cmd.Stderr = &output, &messages
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		return nil, err
	}
	// Status 1 with a result means that there were faults.
	result := new(load.Result)
	if json.Unmarshal(output.Bytes(), result) != nil {
		return nil, fmt.Errorf("%w: %s", err, messages.String())
	}
	return result, nil
}

// line formats a run in one line.
func (r *Run) line() string {
	m := metricsOf(r.Result)
	text := fmt.Sprintf("%6.2f µs/delivery %8.1f µs/post, Redis %.1f  %8.0f/s  p50 %.2f p99 %.2f max %.1f ms  %.1f/read  late %.1f ms  others %.0f %%",
		m.Delivery, m.Post, m.RedisPost, m.Deliveries, m.P50, m.P99, m.Max, m.PerRead, m.Late, 100*m.Others)
	if m.Connection > 0 {
		text = fmt.Sprintf("%6.2f KiB/connection, left %.2f", m.Connection, m.Left)
	}
	if f := r.Result; !f.Faultless() {
		text += fmt.Sprintf("  FAULTS: %d lost, %d doubled, %d reordered, %d refused, %d disconnected %s",
			f.Lost, f.Duplicated, f.Reordered, f.Refused, f.Disconnected, f.DisconnectedBy)
	}
	return text
}

// centrifugo is the peer's published source.
const centrifugo = "github.com/centrifugal/centrifugo/v6@v6.9.1"

// Build builds the programs that the targets need into a directory, which must be
// absolute. The repository is that of this module.
func Build(ctx context.Context, repository, into string, targets []Target) error {
	bench := filepath.Join(repository, "bench")
	commands := [][]string{
		{repository, "build", "-o", into + "/", "./cmd/caddy", "./cmd/chatload"},
		{bench, "build", "-o", into + "/", "./cmd/baseline"},
	}
	if slices.ContainsFunc(targets, func(t Target) bool { return t.Kind == Peer }) {
		commands = append(commands, []string{bench, "build", "-o", into + "/", "./cmd/centrifugoload"}, []string{bench, "install", centrifugo})
	}
	for _, args := range commands {
		cmd := exec.CommandContext(ctx, "go", args[1:]...) //nolint:gosec // the arguments are constants and paths of ours
		cmd.Dir, cmd.Stdout, cmd.Stderr = args[0], os.Stderr, os.Stderr
		cmd.Env = append(os.Environ(), "GOBIN="+into)
		if err := cmd.Run(); err != nil {
			return fmt.Errorf("go %s: %w", args[1:], err)
		}
	}
	return nil
}
