// Command run compares ephemeral chat with floors and peers.
//
//	go run ./cmd/run -only big,flat,many -targets ours,direct,paced -rounds 3
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/ephemeralchat/caddy-ephemeral-chat/bench/suite"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:]); err != nil && !errors.Is(err, flag.ErrHelp) {
		_, _ = fmt.Fprintf(os.Stderr, "run: %v\n", err)
		os.Exit(1) //nolint:gocritic // stop has nothing left to do
	}
}

func run(ctx context.Context, args []string) error {
	s := &suite.Suite{Log: os.Stderr}
	flags := flag.NewFlagSet("run", flag.ContinueOnError)
	repository := flags.String("repository", "..", "`directory` of the repository")
	bin := flags.String("bin", "../bin/bench", "`directory` to build programs in")
	only := flags.String("only", "", "`scenarios` to run, comma-separated, instead of all: "+names(suite.Scenarios(), func(s suite.Scenario) string { return s.Name }))
	targets := flags.String("targets", "", "`targets` to run, comma-separated, instead of all: "+names(suite.Targets(), func(t suite.Target) string { return t.Name }))
	flags.IntVar(&s.Rounds, "rounds", 3, "how often")
	flags.DurationVar(&s.Duration, "duration", 4*time.Second, "how long each measurement is")
	flags.DurationVar(&s.Warmup, "warmup", time.Second, "how long there is load before it")
	flags.Func("option", "a `line` of the chat's block in the Caddyfile; may be repeated", func(line string) error {
		s.Options = append(s.Options, line)
		return nil
	})
	if err := flags.Parse(args); err != nil {
		return err
	}
	var err error
	if s.Scenarios, err = choose(suite.Scenarios(), *only, func(s suite.Scenario) string { return s.Name }); err != nil {
		return err
	}
	if s.Targets, err = choose(suite.Targets(), *targets, func(t suite.Target) string { return t.Name }); err != nil {
		return err
	}
	if s.Programs, err = suite.Build(ctx, *repository, *bin); err != nil {
		return err
	}
	runs, err := s.Run(ctx)
	_, _ = fmt.Fprint(os.Stdout, suite.Text(suite.Summarize(runs)))
	return err
}

func names[T any](list []T, name func(T) string) string {
	var all []string
	for _, item := range list {
		all = append(all, name(item))
	}
	return strings.Join(all, ", ")
}

// choose returns those that are named, in their own order; all if none is.
func choose[T any](list []T, chosen string, name func(T) string) ([]T, error) {
	if chosen == "" {
		return list, nil
	}
	wanted := strings.Split(chosen, ",")
	for _, w := range wanted {
		if !slices.ContainsFunc(list, func(item T) bool { return name(item) == w }) {
			return nil, fmt.Errorf("no %q among %s", w, names(list, name))
		}
	}
	return slices.DeleteFunc(list, func(item T) bool { return !slices.Contains(wanted, name(item)) }), nil
}
