package suite

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
)

// Programs are the programs that take part.
type Programs struct {
	Caddy, Floor, Chatload, Redis string
}

// Build builds them from the repository, into a directory.
func Build(ctx context.Context, repository, into string) (*Programs, error) {
	into, err := filepath.Abs(into)
	if err != nil {
		return nil, err
	}
	p := &Programs{
		Caddy:    filepath.Join(into, "caddy"),
		Floor:    filepath.Join(into, "floor"),
		Chatload: filepath.Join(into, "chatload"),
	}
	for _, target := range []struct{ dir, output, pkg string }{
		{repository, p.Caddy, "./cmd/caddy"},
		{repository, p.Chatload, "./cmd/chatload"},
		{filepath.Join(repository, "bench"), p.Floor, "./cmd/floor"},
	} {
		if err := build(ctx, target.dir, target.output, target.pkg); err != nil {
			return nil, err
		}
	}
	if p.Redis, err = exec.LookPath("redis-server"); err != nil {
		return nil, fmt.Errorf("%w (Debian, Ubuntu: apt-get install redis-server)", err)
	}
	return p, nil
}

func build(ctx context.Context, dir, output, pkg string) error {
	cmd := exec.CommandContext(ctx, "go", "build", "-o", output, pkg) //nolint:gosec // of this repository
	cmd.Dir, cmd.Stdout, cmd.Stderr = dir, os.Stderr, os.Stderr
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("building %s: %w", pkg, err)
	}
	return nil
}
