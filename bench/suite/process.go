package suite

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync"
	"syscall"
	"time"
)

const (
	startTimeout = 30 * time.Second
	stopTimeout  = 10 * time.Second
)

// process is a program that was started.
type process struct {
	name string
	cmd  *exec.Cmd
	log  string        // file of its output
	done chan struct{} // closed when it has ended
}

// dialer opens a connection, to see whether a program is there.
type dialer interface {
	DialContext(ctx context.Context, network, address string) (net.Conn, error)
}

// startProcess starts a program that listens on an address, and waits until it
// does.
func startProcess(ctx context.Context, d dialer, dir, name, address, program string, args ...string) (*process, error) {
	p := &process{name: name, log: filepath.Join(dir, name+".log"), done: make(chan struct{})}
	output, err := os.Create(p.log)
	if err != nil {
		return nil, err
	}
	p.cmd = exec.Command(program, args...) //nolint:gosec // one of those that were built
	p.cmd.Dir, p.cmd.Stdout, p.cmd.Stderr = dir, output, output
	// What they keep, they keep in the directory.
	p.cmd.Env = append(os.Environ(), "HOME="+dir, "XDG_CONFIG_HOME="+dir, "XDG_DATA_HOME="+dir)
	endWithParent(p.cmd)
	if err := p.cmd.Start(); err != nil {
		_ = output.Close()
		return nil, err
	}
	// Ends with the process, which stop ends and waits for.
	go func() {
		_ = p.cmd.Wait() // the log says why, if it is not stop
		_ = output.Close()
		close(p.done)
	}()
	if err := p.awaitListening(ctx, d, address); err != nil {
		p.stop()
		text, _ := os.ReadFile(p.log)
		return nil, fmt.Errorf("%s: %w\n%s", name, err, text)
	}
	return p, nil
}

func (p *process) awaitListening(ctx context.Context, d dialer, address string) error {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	for {
		conn, err := d.DialContext(ctx, "tcp", address)
		if err == nil {
			return conn.Close()
		}
		select {
		case <-p.done:
			return errors.New("has ended")
		case <-ctx.Done():
			return fmt.Errorf("does not listen: %w", err)
		case <-time.After(10 * time.Millisecond):
		}
	}
}

// stop ends the process, politely at first.
func (p *process) stop() {
	_ = p.cmd.Process.Signal(syscall.SIGTERM) // fails only if it has ended
	select {
	case <-p.done:
	case <-time.After(stopTimeout):
		_ = p.cmd.Process.Kill()
		<-p.done
	}
}

func (p *process) pid() string { return p.name + "=" + strconv.Itoa(p.cmd.Process.Pid) }

var ports = struct {
	sync.Mutex
	taken map[int]bool
}{taken: make(map[int]bool)}

// freeAddress returns a loopback address that nobody listens on. Its port is
// below those that the system gives to outgoing connections, so that none of them
// takes it before a server does.
func freeAddress() (string, error) {
	ports.Lock()
	defer ports.Unlock()
	for range 1000 {
		port := 11000 + rand.IntN(20000) //nolint:gosec // nobody is to be surprised
		address := net.JoinHostPort("127.0.0.1", strconv.Itoa(port))
		if ports.taken[port] {
			continue
		}
		listener, err := net.Listen("tcp", address) //nolint:noctx // returns at once
		if err != nil {
			continue
		}
		ports.taken[port] = true
		return address, listener.Close()
	}
	return "", errors.New("no free port")
}
