// Command run compares ephemeral chat with floors and peers.
//
//	go run ./cmd/run -only big,many,flat -targets ours,direct,paced -rounds 3
//
// See docs/performance.md.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/ephemeralchat/caddy-ephemeral-chat/bench/report"
	"github.com/ephemeralchat/caddy-ephemeral-chat/bench/suite"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:])
	stop()
	if err != nil && !errors.Is(err, flag.ErrHelp) {
		_, _ = fmt.Fprintf(os.Stderr, "run: %v\n", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string) error {
	o, err := parse(args)
	if err != nil {
		return err
	}
	data, err := report.Load(o.results())
	if err != nil {
		return err
	}
	if !o.onlyReport {
		if err := measure(ctx, o, data); err != nil {
			return err
		}
	}
	if !o.write {
		return nil
	}
	if err := data.Save(o.results()); err != nil {
		return err
	}
	return data.Write(o.document)
}

// measure runs what was asked for, prints it, and puts it into data.
func measure(ctx context.Context, o *options, data *report.Data) error {
	programs, err := suite.Build(ctx, o.repository, o.bin, o.peers())
	if err != nil {
		return err
	}
	s := &suite.Suite{
		Programs: programs, Targets: o.targets, Log: os.Stderr,
		Duration: o.duration, Warmup: o.warmup, Options: o.lines,
	}
	part := func(scenarios []suite.Scenario, rounds int) (*report.Part, error) {
		if len(scenarios) == 0 {
			return nil, nil //nolint:nilnil // nothing was asked for
		}
		s.Scenarios, s.Rounds = scenarios, rounds
		begin := time.Now()
		runs, err := s.Run(ctx)
		rows := suite.Summarize(runs)
		_, _ = fmt.Fprint(os.Stdout, suite.Text(rows))
		_, _ = fmt.Fprintf(os.Stderr, "in %s\n", time.Since(begin).Round(time.Second))
		return report.NewPart(rows, rounds, o.duration), err
	}
	comparison, err := part(o.scenarios, o.rounds)
	if err != nil {
		return err
	}
	growth, err := part(o.growth, (o.rounds+1)/2)
	if err != nil {
		return err
	}
	if comparison != nil {
		data.Floors = comparison
		if o.peers() {
			data.Peers = comparison
		}
	}
	if growth != nil {
		data.Growth = growth
	}
	return nil
}
