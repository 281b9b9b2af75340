package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/ephemeralchat/caddy-ephemeral-chat/bench/suite"
)

const warmup = time.Second

type options struct {
	suite.Suite
	growth            []suite.Scenario
	write, onlyReport bool
}

func parse(args []string) (*options, error) {
	o := &options{Suite: suite.Suite{Warmup: warmup, Log: os.Stderr}}
	scenarios := names(suite.Scenarios(), func(s suite.Scenario) string { return s.Name })
	curves := names(suite.Curves(), func(c suite.Curve) string { return c.Name })
	all := names(suite.Targets(), func(t suite.Target) string { return t.Name })
	flags := flag.NewFlagSet("run", flag.ContinueOnError)
	everything := flags.Bool("all", false, "include the peers and the growth curves")
	only := flags.String("only", "", "run only these `scenarios`, comma-separated: "+strings.Join(append(scenarios, curves...), ", "))
	targets := flags.String("targets", "", "run only these `targets`, comma-separated: "+strings.Join(all, ", "))
	earlier := flags.String("before", "", "also run an earlier Caddy `binary` as ours-before and ours-redis-before, to compare two builds of ours")
	custom := flags.String("load", "", "run a load with these `flags` of chatload instead")
	flags.IntVar(&o.Rounds, "rounds", 3, "number of rounds; the growth curves take half as many")
	flags.DurationVar(&o.Duration, "duration", 4*time.Second, "length of each measurement")
	flags.Func("option", "a further `line` of the chat's block in the Caddyfile; may be repeated", func(line string) error {
		o.Options = append(o.Options, line)
		return nil
	})
	flags.BoolVar(&o.write, "write", false, "write the results to docs/performance.md")
	flags.BoolVar(&o.onlyReport, "report", false, "measure nothing: write docs/performance.md again from the saved results")
	if err := flags.Parse(args); err != nil {
		return nil, err
	}
	switch {
	case o.onlyReport:
		o.write = true
	case o.write && (*only != "" || *targets != "" || *earlier != "" || *custom != "" || len(o.Options) > 0):
		return nil, errors.New("-write needs a complete run: omit -only, -targets, -before, -load and -option")
	case o.Rounds < 1 || o.Duration <= 0:
		return nil, errors.New("-rounds and -duration must be above 0")
	}
	if err := o.chooseScenarios(*everything, *only, *custom); err != nil {
		return nil, err
	}
	if err := o.chooseTargets(*everything, *targets); err != nil || *earlier == "" {
		return o, err
	}
	caddy, err := filepath.Abs(*earlier)
	if err == nil {
		_, err = os.Stat(caddy)
	}
	o.Targets = suite.WithBefore(o.Targets, caddy)
	return o, err
}

func (o *options) chooseScenarios(all bool, only, custom string) error {
	if custom != "" {
		o.Scenarios = []suite.Scenario{suite.Custom(strings.Fields(custom))}
		return nil
	}
	wanted := split(only)
	found := make(map[string]bool)
	for _, s := range suite.Scenarios() {
		if only == "" || slices.Contains(wanted, s.Name) {
			found[s.Name] = true
			o.Scenarios = append(o.Scenarios, s)
		}
	}
	for _, c := range suite.Curves() {
		for _, p := range c.Points {
			if all && only == "" || slices.Contains(wanted, c.Name) || slices.Contains(wanted, p.Scenario.Name) {
				found[c.Name], found[p.Scenario.Name] = true, true
				o.growth = append(o.growth, p.Scenario)
			}
		}
	}
	return unknown("-only", wanted, found)
}

// chooseTargets chooses targets. Peers run only if all or their names are given.
func (o *options) chooseTargets(all bool, only string) error {
	wanted := split(only)
	found := make(map[string]bool)
	for _, t := range suite.Targets() {
		if only == "" && (all || t.Kind != suite.Peer) || slices.Contains(wanted, t.Name) {
			found[t.Name] = true
			o.Targets = append(o.Targets, t)
		}
	}
	return unknown("-targets", wanted, found)
}

// unknown returns an error for the first wanted name that was not found.
func unknown(flag string, wanted []string, found map[string]bool) error {
	for _, name := range wanted {
		if !found[name] {
			return fmt.Errorf("%s: unknown name %q", flag, name)
		}
	}
	return nil
}

func split(list string) []string {
	return strings.FieldsFunc(list, func(r rune) bool { return r == ',' })
}

func names[T any](list []T, name func(T) string) []string {
	var all []string
	for _, item := range list {
		all = append(all, name(item))
	}
	return all
}
