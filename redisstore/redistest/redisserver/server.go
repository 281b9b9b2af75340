// Package redisserver runs real Redis: one server, a master with a replica and three
// Sentinels, or a Cluster. All listen on 127.0.0.1 and end with the process that
// started them.
package redisserver

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/ephemeralchat/caddy-ephemeral-chat/redisstore/redistest/loopback"
	"github.com/ephemeralchat/caddy-ephemeral-chat/redisstore/redistest/poll"
	"github.com/ephemeralchat/caddy-ephemeral-chat/redisstore/redistest/process"
)

const (
	// startTimeout bounds the time from the start of a server to its first answer.
	startTimeout = 10 * time.Second
	// formTimeout bounds the time in which several servers become one topology.
	formTimeout = 30 * time.Second
)

// Options configure a server. The zero value keeps nothing on disk and listens on a
// free port.
type Options struct {
	// Dir holds the server's files and its log. If it is empty, a temporary directory
	// does, which Close removes.
	Dir string
	// AOF writes each change to disk before it is acknowledged, so that a server that
	// is killed and restarted has all of them.
	AOF bool
	// Password, unless empty, is required of the default user.
	Password string
	// Unix listens on a Unix socket instead of a port.
	Unix bool
	// TLS, unless nil, encrypts all connections and requires a certificate of clients.
	TLS *Certificates
	// Args are further arguments of redis-server, such as --user for an ACL.
	Args []string
}

// Server is a redis-server that can be killed and restarted. It is safe for
// concurrent use.
type Server struct {
	options  Options
	dir      string
	port     int
	sentinel bool
	config   string // initial content of the file that Sentinels rewrite; "" for no file

	mu      sync.Mutex
	process *process.Process // nil while it is not running
	client  *redis.Client
}

// Start starts a server and returns when it answers. The caller closes it.
func Start(ctx context.Context, o Options) (*Server, error) {
	return start(ctx, &Server{options: o})
}

func start(ctx context.Context, s *Server) (_ *Server, err error) {
	if s.port == 0 {
		if s.port, err = loopback.FreePort(ctx); err != nil {
			return nil, err
		}
	}
	if s.dir = s.options.Dir; s.dir != "" {
		err = os.MkdirAll(s.dir, 0o700)
	} else {
		s.dir, err = os.MkdirTemp("", "redis") // short, since the path of a socket may have 107 bytes
	}
	if err != nil {
		return nil, err
	}
	if err := s.Restart(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("redis-server does not start: %w\n%s", err, s.log()), s.Close())
	}
	return s, nil
}

// Close kills the server and removes its temporary directory.
func (s *Server) Close() error {
	err := s.Kill()
	if s.options.Dir == "" {
		err = errors.Join(err, os.RemoveAll(s.dir))
	}
	return err
}

// Name returns the last element of the server's directory, for logs.
func (s *Server) Name() string { return filepath.Base(s.dir) }

// Port returns the port on which the server listens.
func (s *Server) Port() int { return s.port }

// Addr returns the address on which the server listens: host:port or the path of a
// Unix socket.
func (s *Server) Addr() string {
	if s.options.Unix {
		return filepath.Join(s.dir, "redis.sock")
	}
	return loopback.Address(s.port)
}

func (s *Server) network() string {
	if s.options.Unix {
		return "unix"
	}
	return "tcp"
}

// Password returns Options.Password.
func (s *Server) Password() string { return s.options.Password }

// Client returns a client that connects to this server only and never retries. Kill
// closes it; the next call returns another.
func (s *Server) Client() *redis.Client {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.client == nil {
		s.client = redis.NewClient(&redis.Options{
			Network: s.network(), Addr: s.Addr(), Password: s.options.Password, TLSConfig: s.options.TLS.Config(),
			Protocol: 2, MaxRetries: -1, DialerRetries: 1, DisableIdentity: true,
		})
	}
	return s.client
}

// Kill ends the server as a crash does (SIGKILL), and returns when it has ended. It
// does nothing if the server is not running.
func (s *Server) Kill() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.client != nil {
		_ = s.client.Close() // fails only if it is closed
		s.client = nil
	}
	if s.process == nil {
		return nil
	}
	err := s.process.Kill()
	s.process = nil
	return err
}

// Restart starts a killed server on the same port and files, and returns when it
// answers and has loaded its data.
func (s *Server) Restart(ctx context.Context) error {
	args, err := s.arguments()
	if err != nil {
		return err
	}
	// Not CommandContext: Kill ends the server and waits for it.
	p, err := process.Start(exec.Command("redis-server", args...), s.logFile())
	if errors.Is(err, exec.ErrNotFound) {
		return fmt.Errorf("%w; tests need redis-server 7 (Debian, Ubuntu: apt-get install redis-server)", err)
	}
	if err != nil {
		return err
	}
	s.mu.Lock()
	s.process = p
	s.mu.Unlock()
	alive, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	// Ends with the server or when Restart returns.
	go func() {
		select {
		case <-p.Done():
			cancel(errors.New("it has ended"))
		case <-alive.Done():
		}
	}()
	err = poll.Until(alive, startTimeout, func(ctx context.Context) error { return s.loaded(ctx, p.PID()) })
	return errors.Join(err, context.Cause(alive))
}

// Pause stops the server without ending it: connections stay open and no request is
// answered, as if its machine hung.
func (s *Server) Pause() error { return s.signal(syscall.SIGSTOP) }

// Resume undoes Pause.
func (s *Server) Resume() error { return s.signal(syscall.SIGCONT) }

func (s *Server) signal(signal syscall.Signal) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.process == nil {
		return fmt.Errorf("%s is not running", s.Name())
	}
	return s.process.Signal(signal)
}

// arguments returns those of redis-server. A Sentinel rewrites its configuration file,
// and with each failover those of its servers, so that a promoted server restarts as
// a master.
func (s *Server) arguments() (args []string, err error) {
	if s.config != "" {
		file := filepath.Join(s.dir, "redis.conf")
		if _, err := os.Stat(file); errors.Is(err, os.ErrNotExist) {
			if err := os.WriteFile(file, []byte(s.config), 0o600); err != nil {
				return nil, err
			}
		}
		args = append(args, file)
	}
	if s.sentinel {
		args = append(args, "--sentinel")
	} else {
		args = append(args, "--save", "")
	}
	args = append(args, "--dir", s.dir, "--daemonize", "no", "--bind", "127.0.0.1")
	port := strconv.Itoa(s.port)
	switch {
	case s.options.Unix:
		args = append(args, "--port", "0", "--unixsocket", s.Addr())
	case s.options.TLS != nil:
		args = append(args, "--port", "0", "--tls-port", port)
	default:
		args = append(args, "--port", port)
	}
	args = append(args, s.options.TLS.arguments()...)
	if s.options.AOF {
		args = append(args, "--appendonly", "yes", "--appendfsync", "always")
	}
	if s.options.Password != "" {
		args = append(args, "--requirepass", s.options.Password)
	}
	return append(args, s.options.Args...), nil
}

// loaded returns an error until the process with a pid answers and has read its
// files. It dials first, because go-redis logs each attempt that fails.
func (s *Server) loaded(ctx context.Context, pid int) error {
	conn, err := new(net.Dialer).DialContext(ctx, s.network(), s.Addr())
	if err != nil {
		return err
	}
	_ = conn.Close() // nothing was sent
	info, err := s.Client().Info(ctx, "server", "persistence").Result()
	switch {
	case err != nil:
		return err
	case !strings.Contains(info, fmt.Sprintf("process_id:%d\r", pid)):
		return errors.New("another server has the port")
	case strings.Contains(info, "\nloading:1\r"): // not async_loading, which is another line
		return errors.New("it loads its data")
	default:
		return nil
	}
}

// field returns a field of a section of INFO.
func (s *Server) field(ctx context.Context, section, name string) (string, error) {
	info, err := s.Client().Info(ctx, section).Result()
	if err != nil {
		return "", fmt.Errorf("%s: %w", s.Name(), err)
	}
	for line := range strings.Lines(info) {
		if value, ok := strings.CutPrefix(line, name+":"); ok {
			return strings.TrimSpace(value), nil
		}
	}
	return "", fmt.Errorf("%s: INFO %s has no %s", s.Name(), section, name)
}

// expectReplication returns an error unless a field of INFO replication has a value.
func (s *Server) expectReplication(ctx context.Context, name, want string) error {
	value, err := s.field(ctx, "replication", name)
	if err == nil && value != want {
		err = fmt.Errorf("%s: %s is %s", s.Name(), name, value)
	}
	return err
}

// Ready returns an error unless the server answers.
func (s *Server) Ready(ctx context.Context) error { return s.Client().Ping(ctx).Err() }

func (s *Server) logFile() string { return filepath.Join(s.dir, "redis.log") }

func (s *Server) log() string {
	text, err := os.ReadFile(s.logFile())
	if err != nil {
		return err.Error()
	}
	return string(text)
}
