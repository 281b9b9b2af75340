package e2e_test

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"time"
)

// process is a program that a test runs, with its output in a file.
type process struct {
	name   string
	cmd    *exec.Cmd
	output string        // file of standard output and standard error
	done   chan struct{} // closed when it has ended
	err    error         // how; once done

	stopping sync.Once
}

// startProcess starts a program. It is up to the caller to stop it.
func startProcess(t *testing.T, name string, cmd *exec.Cmd) *process {
	t.Helper()
	p := &process{name: name, cmd: cmd, output: filepath.Join(t.TempDir(), name+".log"), done: make(chan struct{})}
	file, err := os.Create(p.output)
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stdout, cmd.Stderr = file, file
	if err := cmd.Start(); err != nil {
		_ = file.Close()
		t.Fatalf("starting %s: %v", name, err)
	}
	// It ends with the process, which stop sees to and waits for.
	go func() {
		p.err = cmd.Wait()
		_ = file.Close()
		close(p.done)
	}()
	return p
}

// ended reports whether the process has ended.
func (p *process) ended() bool {
	select {
	case <-p.done:
		return true
	default:
		return false
	}
}

func (p *process) signal(t *testing.T, signal syscall.Signal) {
	t.Helper()
	if err := p.cmd.Process.Signal(signal); err != nil && !errors.Is(err, os.ErrProcessDone) {
		t.Errorf("signal %s to %s: %v", signal, p.name, err)
	}
}

// stop ends the process by SIGTERM, and by SIGKILL when that takes longer than
// the time given. It returns how long it took.
func (p *process) stop(t *testing.T, within time.Duration) time.Duration {
	t.Helper()
	start := time.Now()
	p.stopping.Do(func() {
		p.signal(t, syscall.SIGTERM)
		timer := time.NewTimer(within)
		defer timer.Stop()
		select {
		case <-p.done:
		case <-timer.C:
			t.Errorf("%s has not ended within %s of SIGTERM", p.name, within)
			p.signal(t, syscall.SIGKILL)
		}
	})
	<-p.done
	return time.Since(start)
}

// kill ends the process by SIGKILL.
func (p *process) kill(t *testing.T) {
	t.Helper()
	p.stopping.Do(func() { p.signal(t, syscall.SIGKILL) })
	<-p.done
}

// log returns what the process has written so far.
func (p *process) log(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile(p.output)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
