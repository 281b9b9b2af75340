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
		err = measure(ctx, o, data)
	}
	if o.write && ctx.Err() == nil {
		err = errors.Join(err, data.Write(o.document))
	}
	return err
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
	part := func(scenarios []suite.Scenario, rounds int, keep func(*report.Part)) error {
		if len(scenarios) == 0 || ctx.Err() != nil {
			return ctx.Err()
		}
		s.Scenarios, s.Rounds = scenarios, rounds
		begin := time.Now()
		runs, err := s.Run(ctx)
		rows := suite.Summarize(runs)
		_, _ = fmt.Fprint(os.Stdout, suite.Text(rows))
		_, _ = fmt.Fprintf(os.Stderr, "in %s\n", time.Since(begin).Round(time.Second))
		if !o.write || ctx.Err() != nil {
			return err
		}
		keep(report.NewPart(rows, rounds, o.duration))
		return errors.Join(err, data.Save(o.results()))
	}
	comparison := part(o.scenarios, o.rounds, func(p *report.Part) {
		data.Floors = p
		if o.peers() {
			data.Peers = p
		}
	})
	growth := part(o.growth, (o.rounds+1)/2, func(p *report.Part) { data.Growth = p })
	return errors.Join(comparison, growth)
}
