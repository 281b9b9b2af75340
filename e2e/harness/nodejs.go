package harness

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"
)

// NodeDir returns the folder of the scripts for Node.js.
func NodeDir() string { return filepath.Join(Repository(), "e2e", "node") }

// InstallNode installs the packages of the scripts from their lock file, unless
// another test package has done so since the lock file changed.
func InstallNode(t *testing.T) {
	t.Helper()
	if err := installNode(); err != nil {
		t.Fatal(err)
	}
}

var installNode = sync.OnceValue(func() error {
	dir, err := BinaryDir()
	if err != nil {
		return err
	}
	unlock, err := lock(filepath.Join(dir, "node.lock"))
	if err != nil {
		return err
	}
	defer unlock()
	wanted, err := os.Stat(filepath.Join(NodeDir(), "package-lock.json"))
	if err != nil {
		return err
	}
	installed, err := os.Stat(filepath.Join(NodeDir(), "node_modules", ".package-lock.json"))
	if err == nil && installed.ModTime().After(wanted.ModTime()) {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	install := exec.CommandContext(ctx, "npm", "ci", "--no-audit", "--no-fund", "--prefer-offline")
	install.Dir = NodeDir()
	if output, err := install.CombinedOutput(); err != nil {
		return fmt.Errorf("npm ci (which needs Node.js and npm): %w\n%s", err, output)
	}
	return nil
})
