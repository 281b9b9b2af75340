package suite

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
)

// centrifugo is the peer, built from its source as published.
const (
	centrifugoPackage = "github.com/centrifugal/centrifugo/v6"
	centrifugoVersion = "v6.9.1"
)

// Programs are the programs that take part.
type Programs struct {
	Caddy, Floor, Chatload, Redis string
	// For peers only.
	Centrifugo, CentrifugoLoad string
}

// Build builds them into a directory: from the repository, and, if they are asked
// for, those of peers.
func Build(ctx context.Context, repository, into string, peers bool) (*Programs, error) {
	into, err := filepath.Abs(into)
	if err != nil {
		return nil, err
	}
	bench := filepath.Join(repository, "bench")
	p := &Programs{
		Caddy:    filepath.Join(into, "caddy"),
		Floor:    filepath.Join(into, "floor"),
		Chatload: filepath.Join(into, "chatload"),
	}
	type source struct{ dir, output, pkg string }
	sources := []source{
		{repository, p.Caddy, "./cmd/caddy"},
		{repository, p.Chatload, "./cmd/chatload"},
		{bench, p.Floor, "./cmd/baseline"},
	}
	if peers {
		p.CentrifugoLoad = filepath.Join(into, "centrifugoload")
		sources = append(sources, source{bench, p.CentrifugoLoad, "./cmd/centrifugoload"})
		if p.Centrifugo, err = install(ctx, into, centrifugoPackage, centrifugoVersion); err != nil {
			return nil, err
		}
	}
	for _, s := range sources {
		cmd := exec.CommandContext(ctx, "go", "build", "-o", s.output, s.pkg) //nolint:gosec // of this repository
		cmd.Dir, cmd.Stdout, cmd.Stderr = s.dir, os.Stderr, os.Stderr
		if err := cmd.Run(); err != nil {
			return nil, fmt.Errorf("building %s: %w", s.pkg, err)
		}
	}
	if p.Redis, err = exec.LookPath("redis-server"); err != nil {
		return nil, fmt.Errorf("%w (Debian, Ubuntu: apt-get install redis-server)", err)
	}
	return p, nil
}

// install builds a program at a version, unless that was done before.
func install(ctx context.Context, into, pkg, version string) (string, error) {
	dir := filepath.Join(into, version)
	name := filepath.Base(filepath.Dir(pkg)) // before the major version
	program := filepath.Join(dir, name)
	if _, err := os.Stat(program); err == nil {
		return program, nil
	}
	cmd := exec.CommandContext(ctx, "go", "install", pkg+"@"+version) //nolint:gosec // constants
	cmd.Env = append(os.Environ(), "GOBIN="+dir)
	cmd.Stdout, cmd.Stderr = os.Stderr, os.Stderr
	if err := cmd.Run(); err != nil {
		return "", fmt.Errorf("building %s: %w", name, err)
	}
	return program, nil
}
