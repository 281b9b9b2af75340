// Package process runs the programs of a test. They end with the test's process.
package process

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"
)

// Process is a program that was started. It is safe for concurrent use.
type Process struct {
	cmd  *exec.Cmd
	log  string        // file of standard output and standard error
	done chan struct{} // closed when the program has ended
	err  error         // of the program; read after done
}

// Start starts a program that appends its output to the file log.
// The caller ends it with Kill or Stop.
func Start(cmd *exec.Cmd, log string) (*Process, error) {
	file, err := os.OpenFile(log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	p := &Process{cmd: cmd, log: log, done: make(chan struct{})}
	cmd.Stdout, cmd.Stderr = file, file
	endWithParent(cmd)
	if err := cmd.Start(); err != nil {
		_ = file.Close() // the program has written nothing
		return nil, err
	}
	// Ends with the program, which Kill and Stop wait for.
	go func() {
		p.err = cmd.Wait()
		_ = file.Close() // the program has written it
		close(p.done)
	}()
	return p, nil
}

// PID returns the process's number.
func (p *Process) PID() int { return p.cmd.Process.Pid }

// Done returns a channel that is closed when the program has ended.
func (p *Process) Done() <-chan struct{} { return p.done }

// Ended reports whether the program has ended.
func (p *Process) Ended() bool {
	select {
	case <-p.done:
		return true
	default:
		return false
	}
}

// Signal sends a signal. A program that has ended ignores it.
func (p *Process) Signal(signal syscall.Signal) error {
	if err := p.cmd.Process.Signal(signal); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("signal %s to %s: %w", signal, p.name(), err)
	}
	return nil
}

// Kill ends the program as a crash does (SIGKILL), also while it is stopped, and
// returns when it has ended.
func (p *Process) Kill() error {
	err := p.Signal(syscall.SIGKILL)
	<-p.done
	return err
}

// Stop ends the program by SIGTERM. It kills the program and fails if that takes
// longer than within, and fails if the program's exit status is not 0.
func (p *Process) Stop(within time.Duration) error {
	if err := p.Signal(syscall.SIGTERM); err != nil {
		return err
	}
	timer := time.NewTimer(within)
	defer timer.Stop()
	select {
	case <-p.done:
	case <-timer.C:
		return errors.Join(fmt.Errorf("%s has not ended within %s of SIGTERM", p.name(), within), p.Kill())
	}
	if p.err != nil {
		return fmt.Errorf("%s: %w", p.name(), p.err)
	}
	return nil
}

// Log returns all that was written to the log, also by earlier processes.
func (p *Process) Log() string {
	text, err := os.ReadFile(p.log)
	if err != nil {
		return err.Error()
	}
	return string(text)
}

func (p *Process) name() string { return filepath.Base(p.cmd.Path) }
