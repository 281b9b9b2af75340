// Command run compares ephemeral chat with baselines and peers.
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
	"path/filepath"
	"slices"
	"syscall"
	"time"

	"github.com/ephemeralchat/caddy-ephemeral-chat/bench/report"
	"github.com/ephemeralchat/caddy-ephemeral-chat/bench/suite"
)

// Paths relative to the directory of this module, in which the command has to run.
const (
	repository  = ".."
	programDir  = "../bin/bench"
	document    = "../docs/performance.md"
	resultsFile = "../docs/performance/results.json"
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
	results, err := report.Load(resultsFile)
	if err != nil {
		return err
	}
	if !o.onlyReport {
		err = measure(ctx, o, results)
	}
	if o.write && ctx.Err() == nil {
		err = errors.Join(err, results.Write(document))
	}
	return err
}

// measure measures, prints, and with -write saves the results.
func measure(ctx context.Context, o *options, results *report.Results) (err error) {
	if o.Bin, err = filepath.Abs(programDir); err != nil {
		return err
	}
	if err := suite.Build(ctx, repository, o.Bin, o.Targets); err != nil {
		return err
	}
	section := func(scenarios []suite.Scenario, rounds int, keep func(*report.Section)) error {
		if len(scenarios) == 0 || ctx.Err() != nil {
			return ctx.Err()
		}
		o.Scenarios, o.Rounds = scenarios, rounds
		begin := time.Now()
		runs, err := o.Run(ctx)
		rows := suite.Summarize(runs)
		_, _ = fmt.Fprint(os.Stdout, suite.Table(rows))
		_, _ = fmt.Fprintf(os.Stderr, "in %s\n", time.Since(begin).Round(time.Second))
		if !o.write || ctx.Err() != nil {
			return err
		}
		keep(report.NewSection(rows, rounds, o.Duration))
		return errors.Join(err, results.Save(resultsFile))
	}
	rounds := o.Rounds
	comparison := section(o.Scenarios, rounds, func(s *report.Section) {
		results.Baselines = s
		if slices.ContainsFunc(o.Targets, func(t suite.Target) bool { return t.Kind == suite.Peer }) {
			results.Peers = s
		}
	})
	growth := section(o.growth, (rounds+1)/2, func(s *report.Section) { results.Growth = s })
	return errors.Join(comparison, growth)
}
