// Package redistest runs real Redis servers for tests.
package redistest

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
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
)

// startTimeout is how long a server may take until it answers.
const startTimeout = 10 * time.Second

// Options say how a server runs. The zero value is one that keeps nothing on
// disk and listens on a free port of the loopback interface.
type Options struct {
	// AOF writes each change to disk before it is acknowledged, so that a
	// server that is killed and restarted has all of them.
	AOF bool
	// Password, where not empty, is required of the default user.
	Password string
	// Unix listens on a unix socket instead of a port.
	Unix bool
	// TLS, where not nil, encrypts all connections and demands a certificate of
	// clients.
	TLS *Certificates
	// Args are further arguments of redis-server.
	Args []string
}

// Server is a running redis-server. It ends with the test.
type Server struct {
	options Options
	binary  string
	dir     string
	port    int
	// config is what a sentinel's file has to say; "" is none.
	config string

	mu      sync.Mutex
	process *exec.Cmd     // nil while it is not running
	exited  chan struct{} // closed when it has ended
	client  *redis.Client
}

// Start starts a server. It fails the test if redis-server is not installed.
func Start(tb testing.TB, o Options) *Server {
	tb.Helper()
	return launch(tb, &Server{options: o}, freePort)
}

// launch starts a server on a port that choose finds.
func launch(tb testing.TB, s *Server, choose func(context.Context) (int, error)) *Server {
	tb.Helper()
	var err error
	if s.binary, err = exec.LookPath("redis-server"); err != nil {
		tb.Fatal("redis-server is not installed; this test needs it (Debian, Ubuntu: apt-get install redis-server)")
	}
	// Not tb.TempDir: the name of a test may make the path of a socket too long.
	if s.dir, err = os.MkdirTemp("", "redistest"); err != nil { //nolint:usetesting // see above
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		s.Kill(tb)
		if err := os.RemoveAll(s.dir); err != nil {
			tb.Error(err)
		}
	})
	// Somebody else may take a free port before the server does.
	for attempt := 1; ; attempt++ {
		if !s.options.Unix {
			if s.port, err = choose(tb.Context()); err != nil {
				tb.Fatal(err)
			}
		}
		err := s.start(tb.Context())
		if err == nil {
			return s
		}
		s.Kill(tb)
		if attempt == 3 {
			tb.Fatalf("redis-server does not start: %v\n%s", err, s.log())
		}
	}
}

func freePort(ctx context.Context) (int, error) {
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	defer func() { _ = l.Close() }()
	address, ok := l.Addr().(*net.TCPAddr)
	if !ok {
		return 0, errors.New("no port")
	}
	return address.Port, nil
}

// Addr is where the server listens: host:port or the path of a socket.
func (s *Server) Addr() string {
	if s.options.Unix {
		return filepath.Join(s.dir, "redis.sock")
	}
	return net.JoinHostPort("127.0.0.1", strconv.Itoa(s.port))
}

// Password is what the server requires; "" if nothing.
func (s *Server) Password() string { return s.options.Password }

// Client is a client of the test's own. It repeats nothing.
func (s *Server) Client() *redis.Client {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.client == nil {
		network := "tcp"
		if s.options.Unix {
			network = "unix"
		}
		s.client = redis.NewClient(&redis.Options{
			Network: network, Addr: s.Addr(), Password: s.options.Password, TLSConfig: s.options.TLS.Config(),
			Protocol: 2, MaxRetries: -1, DialerRetries: 1, DisableIdentity: true,
		})
	}
	return s.client
}

// Kill ends the server as a crash does (SIGKILL), and returns when it is gone.
func (s *Server) Kill(tb testing.TB) {
	tb.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.client != nil {
		_ = s.client.Close() // fails only if it is closed
		s.client = nil
	}
	if s.process == nil {
		return
	}
	if err := s.process.Process.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
		tb.Errorf("killing redis-server: %v", err)
	}
	<-s.exited
	s.process = nil
}

// Restart starts a killed server again, on the same port and files.
func (s *Server) Restart(tb testing.TB) {
	tb.Helper()
	if err := s.start(context.WithoutCancel(tb.Context())); err != nil {
		tb.Fatalf("redis-server does not restart: %v\n%s", err, s.log())
	}
}

// Pause stops the server without ending it: connections stay and nothing is
// answered, as when a machine hangs. Resume lets it go on.
func (s *Server) Pause(tb testing.TB) {
	tb.Helper()
	s.signal(tb, syscall.SIGSTOP)
}

// Resume undoes Pause.
func (s *Server) Resume(tb testing.TB) {
	tb.Helper()
	s.signal(tb, syscall.SIGCONT)
}

func (s *Server) signal(tb testing.TB, signal syscall.Signal) {
	tb.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.process == nil {
		tb.Fatal("redis-server is not running")
	}
	if err := s.process.Process.Signal(signal); err != nil {
		tb.Fatal(err)
	}
}

func (s *Server) start(ctx context.Context) error {
	args, err := s.arguments()
	if err != nil {
		return err
	}
	// Not CommandContext: the server ends with Kill, which waits for it.
	process := exec.Command(s.binary, args...)
	endWithParent(process)
	if err := process.Start(); err != nil {
		return err
	}
	exited := make(chan struct{})
	// Ends with the server, which Kill ends and waits for.
	go func() {
		defer close(exited)
		_ = process.Wait() // says how it ended, which the log does better
	}()
	s.mu.Lock()
	s.process, s.exited = process, exited
	s.mu.Unlock()
	return s.await(ctx, process.Process.Pid, exited)
}

// arguments returns those of the server. A sentinel must have a file, which it
// rewrites.
func (s *Server) arguments() ([]string, error) {
	var args []string
	if s.config != "" {
		file := filepath.Join(s.dir, "sentinel.conf")
		if _, err := os.Stat(file); errors.Is(err, os.ErrNotExist) {
			err = os.WriteFile(file, []byte(s.config), 0o600)
			if err != nil {
				return nil, err
			}
		}
		args = append(args, file, "--sentinel")
	} else {
		args = append(args, "--save", "")
	}
	args = append(args, "--dir", s.dir, "--logfile", s.logFile(), "--daemonize", "no")
	port := strconv.Itoa(s.port)
	switch {
	case s.options.Unix:
		args = append(args, "--port", "0", "--unixsocket", s.Addr())
	case s.options.TLS != nil:
		args = append(args, "--port", "0", "--tls-port", port, "--bind", "127.0.0.1")
	default:
		args = append(args, "--port", port, "--bind", "127.0.0.1")
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

// await waits until the server that was started answers, and has read its
// files.
func (s *Server) await(ctx context.Context, pid int, exited <-chan struct{}) error {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	for {
		info, err := s.info(ctx)
		// Not async_loading, which is another line.
		if err == nil && (s.config != "" || strings.Contains(info, "\nloading:0\r")) {
			if strings.Contains(info, fmt.Sprintf("process_id:%d\r", pid)) {
				return nil
			}
			return errors.New("another server has the port")
		}
		select {
		case <-exited:
			return errors.New("it has ended")
		case <-time.After(5 * time.Millisecond):
		case <-ctx.Done():
			return fmt.Errorf("it does not answer: %w", err)
		}
	}
}

// info asks the server for its state. It dials first, because the client reports
// each attempt that fails on standard error.
func (s *Server) info(ctx context.Context) (string, error) {
	network := "tcp"
	if s.options.Unix {
		network = "unix"
	}
	conn, err := new(net.Dialer).DialContext(ctx, network, s.Addr())
	if err != nil {
		return "", err
	}
	_ = conn.Close() // nothing was sent
	if s.config != "" {
		return s.Client().Info(ctx, "server").Result()
	}
	return s.Client().Info(ctx, "server", "persistence").Result()
}

func (s *Server) logFile() string { return filepath.Join(s.dir, "redis.log") }

func (s *Server) log() string {
	text, err := os.ReadFile(s.logFile())
	if err != nil {
		return err.Error()
	}
	return string(text)
}
