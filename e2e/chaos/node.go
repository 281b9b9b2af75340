package chaos

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"github.com/ephemeralchat/caddy-ephemeral-chat/redisstore/redistest/loopback"
	"github.com/ephemeralchat/caddy-ephemeral-chat/redisstore/redistest/poll"
	"github.com/ephemeralchat/caddy-ephemeral-chat/redisstore/redistest/process"
	"github.com/ephemeralchat/caddy-ephemeral-chat/redisstore/redistest/tcpproxy"

	"github.com/ephemeralchat/caddy-ephemeral-chat/e2e/harness"
)

const (
	// pingInterval is short, so that clients notice within a round that a fault has
	// silently killed their connection.
	pingInterval = 3 * time.Second
	// lobby is the time after which a room that was not started expires.
	lobby = 15 * time.Second
	// startTimeout and stopTimeout bound the start and the end of a Caddy.
	startTimeout = 30 * time.Second
	stopTimeout  = 15 * time.Second
)

// node is a Caddy process, and the proxy between it and its clients.
type node struct {
	harness.Node
	name   string
	listen string // without the proxy
	proxy  *tcpproxy.Proxy
	client http.Client // of the admin API
}

// startNode writes a node's Caddyfile and starts it.
func startNode(ctx context.Context, binary, dir, store string) (_ *node, err error) {
	n := &node{name: filepath.Base(dir), Node: harness.Node{Binary: binary, Dir: dir}}
	n.client = http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: startTimeout}
	if err := os.MkdirAll(n.Dir, 0o700); err != nil {
		return nil, err
	}
	for _, address := range []*string{&n.listen, &n.Admin} {
		port, err := loopback.FreePort(ctx)
		if err != nil {
			return nil, err
		}
		*address = loopback.Address(port)
	}
	if n.proxy, err = tcpproxy.Start(ctx, n.listen); err != nil {
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
`, n.Admin, n.listen, store, lobby, pingInterval)
	if err := os.WriteFile(n.Config(), []byte(text), 0o600); err != nil {
		return nil, err
	}
	if err := n.start(ctx); err != nil {
		n.close()
		return nil, err
	}
	return n, nil
}

// start starts the process, also after it has ended, and returns when it listens.
func (n *node) start(ctx context.Context) (err error) {
	cmd := n.Command("run", "--config", n.Config(), "--adapter", "caddyfile")
	if n.Process, err = process.Start(cmd, filepath.Join(n.Dir, "caddy.log")); err != nil {
		return err
	}
	err = poll.Until(ctx, startTimeout, func(ctx context.Context) error {
		if n.Ended() {
			return nil
		}
		conn, err := new(net.Dialer).DialContext(ctx, "tcp", n.listen)
		if err == nil {
			_ = conn.Close() // nothing was sent
		}
		return err
	})
	if err == nil && n.Ended() {
		err = errors.New("it has ended")
	}
	if err != nil {
		return fmt.Errorf("%s does not start: %w\n%s", n.name, err, n.Log())
	}
	return nil
}

// close ends the node and its proxy.
func (n *node) close() {
	n.proxy.Close()
	if n.Process != nil {
		_ = n.Process.Kill() // it may have ended
	}
}

// reload loads the same configuration again, as caddy reload --force does.
func (n *node) reload(ctx context.Context) error {
	text, err := os.ReadFile(n.Config())
	if err != nil {
		return err
	}
	_, err = n.request(ctx, http.MethodPost, "/load", text)
	return err
}

// get returns a resource of the node's admin API.
func (n *node) get(ctx context.Context, path string) ([]byte, error) {
	return n.request(ctx, http.MethodGet, path, nil)
}

func (n *node) request(ctx context.Context, method, path string, body []byte) ([]byte, error) {
	request, err := http.NewRequestWithContext(ctx, method, "http://"+n.Admin+path, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	request.Header.Set("Content-Type", "text/caddyfile")
	request.Header.Set("Cache-Control", "must-revalidate") // reload the same configuration, too
	response, err := n.client.Do(request)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", n.name, err)
	}
	defer func() { _ = response.Body.Close() }()
	got, err := harness.ReadResponse(response)
	if err == nil && got.Status != http.StatusOK {
		err = fmt.Errorf("%s: %s %s: %d %s", n.name, method, path, got.Status, got.Body)
	}
	if err != nil {
		return nil, err
	}
	return got.Body, nil
}
