package chaos

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/ephemeralchat/caddy-ephemeral-chat/redisstore/redistest/loopback"
)

// redisServer is a redis-server process that can be killed and started again. What
// it has written to its files survives that.
type redisServer struct {
	name   string
	dir    string
	port   int
	mode   []string // further arguments, such as --sentinel
	client *redis.Client
	*process
}

// quietLogger drops what the Redis client says on standard error of servers that it
// cannot reach: most of the time that is as it should be.
type quietLogger struct{}

// Printf implements the logger of the Redis client.
func (quietLogger) Printf(context.Context, string, ...any) {}

// newRedisServer writes the configuration of a server, to which it may write
// itself, and starts it.
func newRedisServer(ctx context.Context, dir, name string, port int, lines ...string) (*redisServer, error) {
	s := &redisServer{name: name, dir: filepath.Join(dir, name), port: port}
	if err := os.MkdirAll(s.dir, 0o700); err != nil {
		return nil, err
	}
	if strings.HasPrefix(name, "sentinel") {
		s.mode = []string{"--sentinel"}
	} else {
		lines = append(lines, `save ""`, "appendonly yes", "repl-diskless-sync-delay 0", "enable-debug-command local")
	}
	lines = append(lines, fmt.Sprint("port ", port), "bind 127.0.0.1", "daemonize no", "loglevel notice", "dir "+s.dir)
	if err := os.WriteFile(s.config(), []byte(strings.Join(lines, "\n")+"\n"), 0o600); err != nil {
		return nil, err
	}
	s.client = redis.NewClient(&redis.Options{
		Addr: loopback.Address(port), Protocol: 2, MaxRetries: -1, DialerRetries: 1, DisableIdentity: true,
		DialTimeout: time.Second, ReadTimeout: time.Second, WriteTimeout: time.Second,
	})
	if err := s.start(); err != nil {
		return nil, err
	}
	if err := s.awaitReady(ctx); err != nil {
		return nil, fmt.Errorf("%w\n%s", err, s.log())
	}
	return s, nil
}

func (s *redisServer) config() string { return filepath.Join(s.dir, "redis.conf") }

// start starts the process, for the first time or after kill.
func (s *redisServer) start() error {
	p, err := startProcess(s.dir, "redis", exec.Command("redis-server", append([]string{s.config()}, s.mode...)...))
	s.process = p
	return err
}

func (s *redisServer) awaitReady(ctx context.Context) error {
	return until(ctx, 20*time.Second, s.ready)
}

// ready reports why the server does not answer.
func (s *redisServer) ready(ctx context.Context) error {
	if s.process == nil || s.ended() {
		return fmt.Errorf("%s has ended", s.name)
	}
	if err := s.client.Ping(ctx).Err(); err != nil {
		return fmt.Errorf("%s: %w", s.name, err)
	}
	return nil
}

// hang stops the process without ending it; wake lets it go on.
func (s *redisServer) hang() error { return s.signal(syscall.SIGSTOP) }
func (s *redisServer) wake() error { return s.signal(syscall.SIGCONT) }

// close ends the server.
func (s *redisServer) close() {
	_ = s.client.Close() // fails only if it is closed
	if s.process != nil {
		_ = s.kill() // it may have ended
	}
}

// replication returns a field of what the server says of its replication.
func (s *redisServer) replication(ctx context.Context, field string) (string, error) {
	text, err := s.client.Info(ctx, "replication").Result()
	if err != nil {
		return "", fmt.Errorf("%s: %w", s.name, err)
	}
	for line := range strings.Lines(text) {
		if value, ok := strings.CutPrefix(line, field+":"); ok {
			return strings.TrimSpace(value), nil
		}
	}
	return "", fmt.Errorf("%s: no %s", s.name, field)
}

// scan adds the names of all keys to a set.
func (s *redisServer) scan(ctx context.Context, into map[string]struct{}) error {
	keys := s.client.Scan(ctx, 0, "*", 1000).Iterator()
	for keys.Next(ctx) {
		into[keys.Val()] = struct{}{}
	}
	return keys.Err()
}
