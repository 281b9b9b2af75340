package chaos

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"
)

// process is a program that runs, with its output in a file.
type process struct {
	name   string
	cmd    *exec.Cmd
	output string        // file of standard output and standard error
	done   chan struct{} // closed when it has ended
	err    error         // how; once done
}

// startProcess starts a program that appends what it writes to name.log in dir.
// The caller stops it.
func startProcess(dir, name string, cmd *exec.Cmd) (*process, error) {
	p := &process{name: name, cmd: cmd, output: filepath.Join(dir, name+".log"), done: make(chan struct{})}
	file, err := os.OpenFile(p.output, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	cmd.Dir, cmd.Stdout, cmd.Stderr = dir, file, file
	endWithParent(cmd)
	if err := cmd.Start(); err != nil {
		_ = file.Close() // nothing was written
		return nil, fmt.Errorf("starting %s: %w", name, err)
	}
	// It ends with the process, which stop and kill wait for.
	go func() {
		p.err = cmd.Wait()
		_ = file.Close() // the process has written it
		close(p.done)
	}()
	return p, nil
}

func (p *process) ended() bool {
	select {
	case <-p.done:
		return true
	default:
		return false
	}
}

func (p *process) signal(s syscall.Signal) error {
	if err := p.cmd.Process.Signal(s); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("signal %s to %s: %w", s, p.name, err)
	}
	return nil
}

// kill ends the process by SIGKILL, also when it is stopped.
func (p *process) kill() error {
	err := p.signal(syscall.SIGKILL)
	<-p.done
	return err
}

// stop ends the process by SIGTERM. It fails when that takes longer than the time
// given, or the process does not end well.
func (p *process) stop(within time.Duration) error {
	if err := p.signal(syscall.SIGTERM); err != nil {
		return err
	}
	timer := time.NewTimer(within)
	defer timer.Stop()
	select {
	case <-p.done:
	case <-timer.C:
		_ = p.kill() // the other error says more
		return fmt.Errorf("%s has not ended within %s of SIGTERM", p.name, within)
	}
	if p.err != nil {
		return fmt.Errorf("%s ended badly: %w", p.name, p.err)
	}
	return nil
}

// log returns what has been written so far under the name of the process.
func (p *process) log() string {
	text, err := os.ReadFile(p.output)
	if err != nil {
		return err.Error()
	}
	return string(text)
}
