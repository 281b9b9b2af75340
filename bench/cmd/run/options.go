package main

import (
	"errors"
	"flag"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/ephemeralchat/caddy-ephemeral-chat/bench/suite"
)

type options struct {
	repository, bin, document string

	scenarios, growth []suite.Scenario
	targets           []suite.Target
	lines             []string // of the Caddyfile
	rounds            int
	duration, warmup  time.Duration

	write, onlyReport bool
}

// results is the file that the document's numbers are kept in.
func (o *options) results() string {
	return filepath.Join(strings.TrimSuffix(o.document, ".md"), "results.json")
}

// peers reports whether there are peers among the targets.
func (o *options) peers() bool {
	return slices.ContainsFunc(o.targets, func(t suite.Target) bool { return t.Peer })
}

func parse(args []string) (*options, error) {
	o := new(options)
	flags := flag.NewFlagSet("run", flag.ContinueOnError)
	flags.StringVar(&o.repository, "repository", "..", "`directory` of the repository")
	flags.StringVar(&o.bin, "bin", "../bin/bench", "`directory` to build programs in")
	flags.StringVar(&o.document, "document", "../docs/performance.md", "`file` that -write writes to, and to the directory that is called like it")
	all := flags.Bool("all", false, "with peers, and with the curves of growth")
	only := flags.String("only", "", "run these, comma-separated: "+
		strings.Join(slices.Concat(scenarioNames(suite.Scenarios()), curveNames()), ", "))
	targets := flags.String("targets", "", "run these, comma-separated: "+strings.Join(targetNames(suite.Targets()), ", "))
	custom := flags.String("load", "", "run a load of these `flags` of chatload instead")
	flags.IntVar(&o.rounds, "rounds", 3, "how often; half as often for the curves")
	flags.DurationVar(&o.duration, "duration", 4*time.Second, "how long each measurement is")
	flags.DurationVar(&o.warmup, "warmup", time.Second, "how long there is load before it")
	flags.Func("option", "a further `line` of the chat's block in the Caddyfile; may be repeated", func(line string) error {
		o.lines = append(o.lines, line)
		return nil
	})
	flags.BoolVar(&o.write, "write", false, "write the document")
	flags.BoolVar(&o.onlyReport, "report", false, "measure nothing: write the document again from what was measured before")
	if err := flags.Parse(args); err != nil {
		return nil, err
	}
	switch {
	case o.onlyReport:
		o.write = true
	case o.write && (*only != "" || *targets != "" || *custom != "" || len(o.lines) > 0):
		return nil, errors.New("-write is for all of it, not for a choice")
	case o.rounds < 1 || o.duration <= 0:
		return nil, errors.New("-rounds and -duration must be above 0")
	}
	if err := o.choose(*all, *only, *custom); err != nil {
		return nil, err
	}
	return o, o.chooseTargets(*all, *targets)
}

// choose chooses scenarios.
func (o *options) choose(all bool, only, custom string) error {
	if custom != "" {
		o.scenarios = []suite.Scenario{suite.Custom(strings.Fields(custom))}
		return nil
	}
	wanted := strings.FieldsFunc(only, func(r rune) bool { return r == ',' })
	found := make(map[string]bool)
	for _, s := range suite.Scenarios() {
		if only == "" || slices.Contains(wanted, s.Name) {
			found[s.Name] = true
			o.scenarios = append(o.scenarios, s)
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
	for _, name := range wanted {
		if !found[name] {
			return fmt.Errorf("-only: there is no %q", name)
		}
	}
	return nil
}

// chooseTargets chooses targets. Peers have to be asked for.
func (o *options) chooseTargets(all bool, names string) error {
	wanted := strings.FieldsFunc(names, func(r rune) bool { return r == ',' })
	for _, t := range suite.Targets() {
		if names == "" && (all || !t.Peer) || slices.Contains(wanted, t.Name) {
			o.targets = append(o.targets, t)
		}
	}
	for _, name := range wanted {
		if !slices.ContainsFunc(o.targets, func(t suite.Target) bool { return t.Name == name }) {
			return fmt.Errorf("-targets: there is no %q", name)
		}
	}
	return nil
}

func scenarioNames(list []suite.Scenario) []string {
	var names []string
	for _, s := range list {
		names = append(names, s.Name)
	}
	return names
}

func targetNames(list []suite.Target) []string {
	var names []string
	for _, t := range list {
		names = append(names, t.Name)
	}
	return names
}

func curveNames() []string {
	var names []string
	for _, c := range suite.Curves() {
		names = append(names, c.Name)
	}
	return names
}
