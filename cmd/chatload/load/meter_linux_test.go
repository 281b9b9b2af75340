package load_test

import (
	"os"
	"runtime"
	"testing"
	"time"

	"github.com/ephemeralchat/caddy-ephemeral-chat/cmd/chatload/load"
)

func TestCPUOf(t *testing.T) {
	t.Parallel()
	before, err := load.CPUOf(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	// Busy until the clock shows it.
	for begin := time.Now(); time.Since(begin) < 10*time.Second; {
		after, err := load.CPUOf(os.Getpid())
		if err != nil {
			t.Fatal(err)
		}
		if after >= before+50*time.Millisecond {
			return
		}
	}
	t.Error("10 s of work do not count")
}

func TestMemoryOf(t *testing.T) {
	t.Parallel()
	before, err := load.MemoryOf(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	const size = 256 << 20
	block := make([]byte, size)
	for i := 0; i < size; i += 4096 {
		block[i] = 1
	}
	after, err := load.MemoryOf(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	runtime.KeepAlive(block)
	if grown := after - before; grown < size/2 {
		t.Errorf("256 MiB count as %d bytes", grown)
	}
}

func TestUnknownProcess(t *testing.T) {
	t.Parallel()
	if _, err := load.CPUOf(0); err == nil {
		t.Error("process 0 has CPU time")
	}
	if _, err := load.MemoryOf(0); err == nil {
		t.Error("process 0 has memory")
	}
}
