package suite

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"
)

const (
	startTimeout = 30 * time.Second
	stopTimeout  = 10 * time.Second
	dialInterval = 10 * time.Millisecond
)

// process is a running program.
type process struct {
	name string
	cmd  *exec.Cmd
	done chan struct{} // closed when it has ended
}

// dial opens a connection, to check that a program listens.
type dial func(ctx context.Context, network, address string) (net.Conn, error)

// startProcess starts a program and waits until it listens on the address. The
// program keeps its files and its log in the directory.
func startProcess(ctx context.Context, d dial, dir, name, address, program string, args ...string) (*process, error) {
	log := filepath.Join(dir, name+".log")
	output, err := os.Create(log) //nolint:gosec // in our temporary directory
	if err != nil {
		return nil, err
	}
	p := &process{name: name, done: make(chan struct{})}
	p.cmd = exec.Command(program, args...) //nolint:gosec // one of the programs that were built
	p.cmd.Dir, p.cmd.Stdout, p.cmd.Stderr = dir, output, output
	p.cmd.Env = append(os.Environ(), "HOME="+dir, "XDG_CONFIG_HOME="+dir, "XDG_DATA_HOME="+dir)
	endWithParent(p.cmd)
	if err := p.cmd.Start(); err != nil {
		_ = output.Close()
		return nil, err
	}
	// Ends with the process, which stop ends and waits for.
	go func() {
		_ = p.cmd.Wait() // the log has the reason, if it is not stop
		_ = output.Close()
		close(p.done)
	}()
	if err := p.awaitListening(ctx, d, address); err != nil {
		p.stop()
		text, _ := os.ReadFile(log) //nolint:gosec // as above
		return nil, fmt.Errorf("%s: %w\n%s", name, err, text)
	}
	return p, nil
}

func (p *process) awaitListening(ctx context.Context, d dial, address string) error {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	ticker := time.NewTicker(dialInterval)
	defer ticker.Stop()
	for {
		conn, err := d(ctx, "tcp", address)
		if err == nil {
			return conn.Close()
		}
		select {
		case <-p.done:
			return errors.New("has ended")
		case <-ctx.Done():
			return fmt.Errorf("does not listen: %w", err)
		case <-ticker.C:
		}
	}
}

// stop terminates the process, and kills it if it does not end in time.
func (p *process) stop() {
	kill := time.AfterFunc(stopTimeout, func() { _ = p.cmd.Process.Kill() })
	defer kill.Stop()
	_ = p.cmd.Process.Signal(syscall.SIGTERM) // fails only if it has ended
	<-p.done
}
