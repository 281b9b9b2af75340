package suite

import "context"

// Kind is the kind of a target.
type Kind int

// The kinds of targets.
const (
	Ours Kind = iota
	Baseline
	Peer // another project's server, which takes time to build
)

// Target is a server to measure.
type Target struct {
	Name  string // as in -targets
	Title string
	Kind  Kind
	caddy string // the binary, if not the one that was built
	start func(context.Context, *server) error
}

// Targets returns all targets.
func Targets() []Target {
	return []Target{
		{Name: "ours", Title: "ephemeral chat, memory", start: startOurs(false)},
		{Name: "ours-redis", Title: "ephemeral chat, Redis", start: startOurs(true)},
		{Name: "direct", Title: "baseline: direct", Kind: Baseline, start: startBaseline("direct")},
		{Name: "batched", Title: "baseline: batched", Kind: Baseline, start: startBaseline("batched")},
		{Name: "paced", Title: "baseline: paced", Kind: Baseline, start: startBaseline("paced")},
		{Name: "centrifugo", Title: "Centrifugo, memory", Kind: Peer, start: startCentrifugo("memory")},
		{Name: "centrifugo-redis", Title: "Centrifugo, Redis", Kind: Peer, start: startCentrifugo("redis")},
	}
}

const beforeSuffix = "-before"

// WithBefore adds to each target of ours one that runs an earlier binary of Caddy.
// Its name ends in -before, and both run right after each other.
func WithBefore(targets []Target, caddy string) []Target {
	var all []Target
	for _, t := range targets {
		all = append(all, t)
		if t.Kind == Ours {
			t.Name, t.Title, t.caddy = t.Name+beforeSuffix, t.Title+", before", caddy
			all = append(all, t)
		}
	}
	return all
}

func startBaseline(mode string) func(context.Context, *server) error {
	return func(ctx context.Context, s *server) error {
		listen, err := freeAddress()
		if err != nil {
			return err
		}
		args := []string{"-mode", mode, "-listen", listen}
		if s.tls {
			args = append(args, "-tls")
		}
		return s.runSite(ctx, mode, listen, s.url(listen), s.program("baseline"), args...)
	}
}
