package suite

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
)

// The peer is built from its published source.
const (
	centrifugoPackage = "github.com/centrifugal/centrifugo/v6"
	centrifugoVersion = "v6.9.1"
)

// Programs are the paths of the programs to run.
type Programs struct {
	Caddy, Baseline, Chatload, Redis string
	// For peers only.
	Centrifugo, CentrifugoLoad string
}

// Build builds the programs that the targets need into a directory.
func Build(ctx context.Context, repository, into string, targets []Target) (*Programs, error) {
	into, err := filepath.Abs(into)
	if err != nil {
		return nil, err
	}
	bench := filepath.Join(repository, "bench")
	p := &Programs{
		Caddy:    filepath.Join(into, "caddy"),
		Baseline: filepath.Join(into, "baseline"),
		Chatload: filepath.Join(into, "chatload"),
	}
	sources := []struct{ dir, output, pkg string }{
		{repository, p.Caddy, "./cmd/caddy"},
		{repository, p.Chatload, "./cmd/chatload"},
		{bench, p.Baseline, "./cmd/baseline"},
	}
	if hasPeers(targets) {
		p.CentrifugoLoad = filepath.Join(into, "centrifugoload")
		sources = append(sources, struct{ dir, output, pkg string }{bench, p.CentrifugoLoad, "./cmd/centrifugoload"})
		// Once for each version.
		dir := filepath.Join(into, centrifugoVersion)
		p.Centrifugo = filepath.Join(dir, "centrifugo")
		if _, err := os.Stat(p.Centrifugo); err != nil {
			if err := goCommand(ctx, "", "GOBIN="+dir, "install", centrifugoPackage+"@"+centrifugoVersion); err != nil {
				return nil, err
			}
		}
	}
	for _, s := range sources {
		if err := goCommand(ctx, s.dir, "", "build", "-o", s.output, s.pkg); err != nil {
			return nil, err
		}
	}
	if p.Redis, err = exec.LookPath("redis-server"); err != nil {
		return nil, fmt.Errorf("%w (Debian, Ubuntu: apt-get install redis-server)", err)
	}
	return p, nil
}

// goCommand runs the go command with a variable added to the environment.
func goCommand(ctx context.Context, dir, variable string, args ...string) error {
	cmd := exec.CommandContext(ctx, "go", args...) //nolint:gosec // the arguments are constants and paths of ours
	cmd.Dir, cmd.Stdout, cmd.Stderr = dir, os.Stderr, os.Stderr
	if variable != "" {
		cmd.Env = append(os.Environ(), variable)
	}
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("go %s: %w", args, err)
	}
	return nil
}
