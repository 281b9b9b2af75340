package harness

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
)

// CaddyBinary returns the path of Caddy with the module. It has the race detector if
// the tests have it (go test -race).
func CaddyBinary(tb testing.TB) string {
	tb.Helper()
	return built(tb, caddyBinary)
}

// ReleaseBinary returns the path of Caddy as users build it. The race detector keeps
// copies of memory, which a test that searches memory cannot use.
func ReleaseBinary(tb testing.TB) string {
	tb.Helper()
	return built(tb, releaseBinary)
}

var (
	caddyBinary   = sync.OnceValues(func() (string, error) { return build(Race) })
	releaseBinary = sync.OnceValues(func() (string, error) { return build(false) })
)

func built(tb testing.TB, binary func() (string, error)) string {
	tb.Helper()
	path, err := binary()
	if err != nil {
		tb.Fatal(err)
	}
	return path
}

// BinaryDir returns the folder that keeps binaries of this checkout between the test
// packages, which are processes of their own.
func BinaryDir() (string, error) {
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", err
	}
	checkout := sha256.Sum256([]byte(Repository()))
	dir := filepath.Join(cache, "ephemeral-chat-e2e", hex.EncodeToString(checkout[:6]))
	return dir, os.MkdirAll(dir, 0o700)
}

// build builds Caddy into BinaryDir. If the binary there is up to date, go build
// returns within a second, so that only the first package pays for the link.
func build(race bool) (string, error) {
	dir, err := BinaryDir()
	if err != nil {
		return "", err
	}
	path, args := filepath.Join(dir, "caddy"), []string{"build", "-buildvcs=false"}
	if race {
		path, args = path+"-race", append(args, "-race")
	}
	unlock, err := lock(path + ".lock")
	if err != nil {
		return "", err
	}
	defer unlock()
	cmd := exec.Command("go", append(args, "-o", path, "./cmd/caddy")...)
	cmd.Dir = Repository()
	if output, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("building Caddy: %w\n%s", err, output)
	}
	return path, nil
}

// lock keeps other test processes from writing the same binary.
func lock(path string) (unlock func(), err error) {
	file, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(file.Fd()), syscall.LOCK_EX); err != nil {
		_ = file.Close() // nothing was written
		return nil, err
	}
	return func() { _ = file.Close() }, nil // which unlocks it
}
