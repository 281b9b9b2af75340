package suite

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Target is a server that takes part.
type Target struct {
	Name  string // as in -targets
	Title string
	// Peer says that it is somebody else's, which takes time to build.
	Peer bool
	// load is the program that puts load on it, if it is not chatload.
	load  func(*Programs) string
	start func(ctx context.Context, e *environment, s *server) error
}

// Targets are all of them.
func Targets() []Target {
	centrifugoLoad := func(p *Programs) string { return p.CentrifugoLoad }
	return []Target{
		{Name: "ours", Title: "ephemeral chat, memory", start: startOurs(false)},
		{Name: "ours-redis", Title: "ephemeral chat, Redis", start: startOurs(true)},
		{Name: "direct", Title: "floor: direct", start: startFloor("direct")},
		{Name: "batched", Title: "floor: batched", start: startFloor("batched")},
		{Name: "paced", Title: "floor: paced", start: startFloor("paced")},
		{Name: "centrifugo", Title: "Centrifugo, memory", Peer: true, load: centrifugoLoad, start: startCentrifugo(false)},
		{Name: "centrifugo-redis", Title: "Centrifugo, Redis", Peer: true, load: centrifugoLoad, start: startCentrifugo(true)},
	}
}

// environment is what servers are started in.
type environment struct {
	programs *Programs
	options  []string // further lines of the chat's Caddyfile block
	nodes    int      // of ours
	tls      bool
}

// server is a running server.
type server struct {
	dir       string
	urls      []string
	gc        []string
	processes []*process
}

// startServer starts a target in a directory of its own.
func startServer(ctx context.Context, t *Target, e *environment) (*server, error) {
	dir, err := os.MkdirTemp("", "bench")
	if err != nil {
		return nil, err
	}
	s := &server{dir: dir}
	if err := t.start(ctx, e, s); err != nil {
		s.stop()
		return nil, fmt.Errorf("starting %s: %w", t.Name, err)
	}
	return s, nil
}

// stop ends it and removes what it has left.
func (s *server) stop() {
	for _, p := range slices.Backward(s.processes) {
		p.stop()
	}
	_ = os.RemoveAll(s.dir) // what is left is in a temporary directory
}

// run starts one of its processes.
func (s *server) run(ctx context.Context, name, address, program string, args ...string) error {
	return s.runUntil(ctx, new(net.Dialer), name, address, program, args...)
}

// runSite is run for a site. With TLS, it waits for the certificate.
func (s *server) runSite(ctx context.Context, e *environment, name, address, program string, args ...string) error {
	if !e.tls {
		return s.run(ctx, name, address, program, args...)
	}
	d := &tls.Dialer{Config: &tls.Config{InsecureSkipVerify: true}} //nolint:gosec // made by the server itself
	return s.runUntil(ctx, d, name, address, program, args...)
}

func (s *server) runUntil(ctx context.Context, d dialer, name, address, program string, args ...string) error {
	p, err := startProcess(ctx, d, s.dir, name, address, program, args...)
	if err == nil {
		s.processes = append(s.processes, p)
	}
	return err
}

func (s *server) pids() string {
	var pids []string
	for _, p := range s.processes {
		pids = append(pids, p.pid())
	}
	return strings.Join(pids, ",")
}

// caddyfile has the limits off that a load would run into. The admin endpoint is
// there to collect garbage before memory is read; idle, it costs nothing.
const caddyfile = `{
	admin %[1]s
	persist_config off
	auto_https disable_redirects
	skip_install_trust
	default_bind 127.0.0.1
	log {
		output discard
	}
}
%[2]s {
	%[3]s
	ephemeral_chat {
		%[4]s
		message_rate off
		join_rate off
		create_rate off
		password_rate off
		max_connections 1000000
		max_members 1000000
	}
}
`

// startOurs starts our nodes, with Redis or with rooms in memory.
func startOurs(redis bool) func(context.Context, *environment, *server) error {
	return func(ctx context.Context, e *environment, s *server) error {
		options := append([]string(nil), e.options...)
		if redis {
			address, err := startRedis(ctx, e, s)
			if err != nil {
				return err
			}
			options = append(options, "redis "+address)
		} else {
			options = append(options, "max_rooms 1000000")
		}
		for i := range e.nodes {
			if err := startNode(ctx, e, s, i, options); err != nil {
				return err
			}
		}
		return nil
	}
}

func startNode(ctx context.Context, e *environment, s *server, number int, options []string) error {
	listen, err := freeAddress()
	if err != nil {
		return err
	}
	admin, err := freeAddress()
	if err != nil {
		return err
	}
	url, certificate := "http://"+listen, ""
	if e.tls {
		url, certificate = "https://"+listen, "tls internal"
	}
	config := filepath.Join(s.dir, fmt.Sprintf("Caddyfile%d", number))
	text := fmt.Sprintf(caddyfile, admin, url, certificate, strings.Join(options, "\n\t\t"))
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		return err
	}
	name := fmt.Sprintf("caddy%d", number)
	if err := s.runSite(ctx, e, name, listen, e.programs.Caddy, "run", "--config", config, "--adapter", "caddyfile"); err != nil {
		return err
	}
	s.urls = append(s.urls, url)
	s.gc = append(s.gc, "http://"+admin+"/debug/pprof/heap?gc=1")
	return nil
}

// startRedis starts a Redis that keeps nothing on disk.
func startRedis(ctx context.Context, e *environment, s *server) (address string, err error) {
	address, err = freeAddress()
	if err != nil {
		return "", err
	}
	_, port, _ := strings.Cut(address, ":")
	return address, s.run(ctx, redisName, address, e.programs.Redis,
		"--bind", "127.0.0.1", "--port", port, "--save", "", "--appendonly", "no", "--dir", s.dir)
}

// startFloor starts a floor.
func startFloor(mode string) func(context.Context, *environment, *server) error {
	return func(ctx context.Context, e *environment, s *server) error {
		listen, err := freeAddress()
		if err != nil {
			return err
		}
		args := []string{"-mode", mode, "-listen", listen}
		url := "http://" + listen
		if e.tls {
			url = "https://" + listen
			args = append(args, "-tls")
		}
		if err := s.runSite(ctx, e, mode, listen, e.programs.Floor, args...); err != nil {
			return err
		}
		s.urls = append(s.urls, url)
		s.gc = append(s.gc, url+"/debug/pprof/heap?gc=1")
		return nil
	}
}
