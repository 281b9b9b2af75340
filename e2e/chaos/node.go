package chaos

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/ephemeralchat/caddy-ephemeral-chat/redisstore/redistest/loopback"
)

const (
	// pingInterval is the one that nodes are told: short, so that connections that
	// a fault has killed in silence are noticed within a round.
	pingInterval = 3 * time.Second
	// lobby is how long rooms may wait to be started.
	lobby = 15 * time.Second
	// startTime and stopTime are in which a Caddy must be up and down.
	startTime = 30 * time.Second
	stopTime  = 15 * time.Second
)

// node is a Caddy process, and the link between it and its clients.
type node struct {
	name   string
	dir    string
	binary string
	listen string // without the link
	admin  string
	link   *link
	*process
}

// newNode writes a node's Caddyfile and starts it.
func newNode(ctx context.Context, binary, dir, name, store string) (*node, error) {
	n := &node{name: name, dir: filepath.Join(dir, name), binary: binary}
	if err := os.MkdirAll(n.dir, 0o700); err != nil {
		return nil, err
	}
	for _, address := range []*string{&n.listen, &n.admin} {
		port, err := loopback.FreePort(ctx)
		if err != nil {
			return nil, err
		}
		*address = loopback.Address(port)
	}
	var err error
	if n.link, err = newLink(ctx, n.listen); err != nil {
		return nil, err
	}
	text := fmt.Sprintf(`{
	admin %s
	persist_config off
	default_bind 127.0.0.1
	skip_install_trust
}
http://%s {
	ephemeral_chat {
		%s
		lobby %s
		history 5000
		ping_interval %s
		message_rate off
		join_rate off
		create_rate off
		max_connections 1000000
	}
}
`, n.admin, n.listen, store, lobby, pingInterval)
	if err := os.WriteFile(n.config(), []byte(text), 0o600); err != nil {
		return nil, err
	}
	if err := n.start(); err != nil {
		return nil, err
	}
	if err := n.awaitListening(ctx); err != nil {
		return nil, fmt.Errorf("%w\n%s", err, n.log())
	}
	return n, nil
}

func (n *node) config() string { return filepath.Join(n.dir, "Caddyfile") }

// start starts the process, for the first time or after it has ended.
func (n *node) start() error {
	cmd := exec.Command(n.binary, "run", "--config", n.config(), "--adapter", "caddyfile")
	cmd.Env = append(os.Environ(),
		"GORACE=atexit_sleep_ms=0",
		"HOME="+n.dir,
		"XDG_CONFIG_HOME="+filepath.Join(n.dir, "config"),
		"XDG_DATA_HOME="+filepath.Join(n.dir, "data"))
	p, err := startProcess(n.dir, "caddy", cmd)
	n.process = p
	return err
}

func (n *node) awaitListening(ctx context.Context) error {
	return until(ctx, startTime, func(ctx context.Context) error {
		if n.ended() {
			return fmt.Errorf("%s has ended: %w", n.name, n.err)
		}
		conn, err := new(net.Dialer).DialContext(ctx, "tcp", n.listen)
		if err == nil {
			_ = conn.Close() // nothing was sent
		}
		return err
	})
}

// reload loads the configuration anew, as caddy reload --force does.
func (n *node) reload(ctx context.Context) error {
	text, err := os.ReadFile(n.config())
	if err != nil {
		return err
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+n.admin+"/load", bytes.NewReader(text))
	if err != nil {
		return err
	}
	request.Header.Set("Content-Type", "text/caddyfile")
	request.Header.Set("Cache-Control", "must-revalidate") // also when it is the same
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: startTime}
	response, err := client.Do(request)
	if err != nil {
		return fmt.Errorf("reload of %s: %w", n.name, err)
	}
	defer func() { _ = response.Body.Close() }()
	if response.StatusCode != http.StatusOK {
		body, _ := io.ReadAll(response.Body) // it is for people
		return fmt.Errorf("reload of %s: %s %s", n.name, response.Status, body)
	}
	return nil
}

// close ends the node and its link.
func (n *node) close() {
	n.link.close()
	if n.process != nil && !n.ended() {
		_ = n.kill() // it may have ended
	}
}

// complaint returns what the processes of a node have written that no correct
// program writes, or "".
func (n *node) complaint() string {
	text := n.log()
	for _, sign := range []string{"DATA RACE", "panic:", "panic serving", "fatal error:"} {
		if at := strings.Index(text, sign); at >= 0 {
			return text[at:min(len(text), at+6000)]
		}
	}
	return ""
}

// ask asks the node's admin API for something.
func (n *node) ask(ctx context.Context, path string) ([]byte, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+n.admin+path, http.NoBody)
	if err != nil {
		return nil, err
	}
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: 20 * time.Second}
	response, err := client.Do(request)
	if err != nil {
		return nil, err
	}
	defer func() { _ = response.Body.Close() }()
	text, err := io.ReadAll(response.Body)
	if err == nil && response.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s of %s: %s", path, n.name, response.Status)
	}
	return text, err
}
