// Package harness runs what the end-to-end tests need: Caddy with the module built
// in, Redis, a TCP proxy, clients of the HTTP API and of the WebSocket.
//
// Most functions take the test, end it when they fail, and release with it what they
// have started. Socket and ProtocolClient also work without a test.
//
// When a Caddy process ends, its test fails if the process wrote a data race or a
// panic to standard error, or exited with an error.
package harness

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"go.uber.org/goleak"
)

const (
	// WaitTime bounds the wait for one answer on a busy machine.
	WaitTime = 15 * time.Second
	// StartTime bounds the start of a process.
	StartTime = 30 * time.Second
	// StopTime bounds the end of a process after SIGTERM.
	StopTime = 10 * time.Second
	// RecoveryTime bounds the time from the return of Redis to normal operation.
	RecoveryTime = 10 * time.Second
	// EndTime bounds the time from a room's deadline to the frame that announces it.
	EndTime = 500 * time.Millisecond
)

// parallel is the number of tests that run at the same time, if they call t.Parallel.
// Most of these wait.
const parallel = "6"

// Main runs the tests of a package. Then it calls the stop functions, and fails if a
// goroutine is left.
func Main(m *testing.M, stop ...func()) {
	if err := flag.Set("test.parallel", parallel); err != nil {
		panic(err)
	}
	code := m.Run()
	for _, f := range stop {
		f()
	}
	if err := goleak.Find(); err != nil && code == 0 {
		fmt.Fprintln(os.Stderr, "e2e:", err)
		code = 1
	}
	os.Exit(code)
}

// Repository returns the directory of the module under test.
func Repository() string {
	_, file, _, _ := runtime.Caller(0)
	return filepath.Join(filepath.Dir(file), "..", "..")
}
