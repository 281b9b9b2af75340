// Command soak runs chaos experiments on one topology or all of them in turn. It exits
// with status 1 if it finds a violation.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/ephemeralchat/caddy-ephemeral-chat/e2e/chaos"
)

func main() {
	if err := run(os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "soak:", err)
		os.Exit(1)
	}
}

func run(args []string, out io.Writer) error {
	o := chaos.DefaultOptions()
	var topology, faults, source string
	flags := flag.NewFlagSet("soak", flag.ContinueOnError)
	flags.DurationVar(&o.Duration, "duration", o.Duration, "time during which faults are injected, on all topologies together")
	flags.Uint64Var(&o.Seed, "seed", 0, "of the random numbers; 0 chooses one at random")
	flags.StringVar(&topology, "topology", "all", strings.Join(chaos.Topologies, ", ")+", or all of them in turn")
	flags.StringVar(&faults, "faults", "", "only these kinds of faults, comma-separated")
	flags.StringVar(&o.Caddy, "caddy", "", "program under test; built from -source if empty")
	flags.StringVar(&source, "source", "..", "directory of the module under test")
	flags.StringVar(&o.Dir, "dir", "", "directory for files and logs; if empty, a temporary one, which is kept only if there are violations")
	flags.DurationVar(&o.Round, "round", o.Round, "time of faults between two quiet times")
	flags.DurationVar(&o.MeasureEvery, "measure", o.MeasureEvery, "least time between two measurements of the nodes, for which all rooms end")
	flags.DurationVar(&o.Pace, "pace", o.Pace, "mean time between two faults")
	flags.DurationVar(&o.PostEvery, "post", o.PostEvery, "mean time between two messages of a client")
	flags.DurationVar(&o.Tolerance, "tolerance", 0, "added to time limits, for slow machines")
	flags.IntVar(&o.Nodes, "nodes", o.Nodes, "Caddy processes")
	flags.IntVar(&o.Rooms, "rooms", o.Rooms, "rooms at a time")
	flags.IntVar(&o.Members, "members", o.Members, "clients with which each room begins")
	flags.BoolVar(&o.StopEarly, "stop", false, "stop at the first violation")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if faults != "" {
		o.Faults = strings.Split(faults, ",")
	}
	if o.Seed == 0 {
		o.Seed = rand.Uint64()
	}
	topologies := []string{topology}
	if topology == "all" {
		topologies = chaos.Topologies
	}
	o.Duration /= time.Duration(len(topologies))
	o.Log = out
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	dir, temporary := o.Dir, o.Dir == ""
	if temporary {
		var err error
		if dir, err = os.MkdirTemp("", "ephemeral-chat-soak-"); err != nil {
			return err
		}
	}
	if o.Caddy == "" {
		o.Caddy = filepath.Join(dir, "caddy")
		build := exec.CommandContext(ctx, "go", "build", "-buildvcs=false", "-o", o.Caddy, "./cmd/caddy")
		build.Dir = source
		if output, err := build.CombinedOutput(); err != nil {
			return fmt.Errorf("building Caddy: %w\n%s", err, output)
		}
	}
	var reports []*chaos.Report
	var failed error
	for _, o.Topology = range topologies {
		o.Dir = filepath.Join(dir, o.Topology)
		r, err := chaos.Run(ctx, o)
		if r != nil {
			reports = append(reports, r)
		}
		if failed = errors.Join(err, ctx.Err()); failed != nil {
			break
		}
	}
	for _, r := range reports {
		_, _ = fmt.Fprintln(out)
		r.Write(out)
		if n := len(r.Violations); n > 0 {
			failed = errors.Join(failed, fmt.Errorf("%s: %d violations", r.Topology, n))
		}
	}
	if failed != nil {
		return errors.Join(failed, fmt.Errorf("files are in %s", dir))
	}
	if temporary {
		return os.RemoveAll(dir)
	}
	return nil
}
