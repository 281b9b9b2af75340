package suite

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
)

// centrifugo is the peer's published source.
const centrifugo = "github.com/centrifugal/centrifugo/v6@v6.9.1"

// Build builds the programs that the targets need into a directory, which must be
// absolute. The repository is that of this module.
func Build(ctx context.Context, repository, into string, targets []Target) error {
	bench := filepath.Join(repository, "bench")
	commands := [][]string{
		{repository, "build", "-o", into + "/", "./cmd/caddy", "./cmd/chatload"},
		{bench, "build", "-o", into + "/", "./cmd/baseline"},
	}
	if slices.ContainsFunc(targets, func(t Target) bool { return t.Kind == Peer }) {
		commands = append(commands, []string{bench, "build", "-o", into + "/", "./cmd/centrifugoload"}, []string{bench, "install", centrifugo})
	}
	for _, args := range commands {
		cmd := exec.CommandContext(ctx, "go", args[1:]...) //nolint:gosec // the arguments are constants and paths of ours
		cmd.Dir, cmd.Stdout, cmd.Stderr = args[0], os.Stderr, os.Stderr
		cmd.Env = append(os.Environ(), "GOBIN="+into)
		if err := cmd.Run(); err != nil {
			return fmt.Errorf("go %s: %w", args[1:], err)
		}
	}
	return nil
}
