package redisserver

import (
	"context"
	"errors"
	"fmt"
	"net"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/ephemeralchat/caddy-ephemeral-chat/redisstore/redistest/loopback"
	"github.com/ephemeralchat/caddy-ephemeral-chat/redisstore/redistest/poll"
	"github.com/ephemeralchat/caddy-ephemeral-chat/redisstore/redistest/tcpproxy"
)

// MasterName is the name of the master that the Sentinels monitor.
const MasterName = "main"

// SentinelOptions configure Sentinels and their servers.
type SentinelOptions struct {
	// Dir holds a directory for each server, as Options.Dir does for one.
	Dir string
	// DownAfter is the time without an answer after which a Sentinel takes the master
	// for dead; 2 s if zero.
	DownAfter time.Duration
	// Password is required by the servers, SentinelPassword by the Sentinels.
	Password, SentinelPassword string
	// TLS, unless nil, is used by all.
	TLS *Certificates
	// Proxied makes each server announce the address of one of Sentinels.Proxies. Not
	// with TLS.
	Proxied bool
	// Args are further arguments of the servers, SentinelArgs of the Sentinels.
	Args, SentinelArgs []string
}

// Sentinels are three Sentinels that monitor a master with one replica.
type Sentinels struct {
	// Servers are the two that keep data. The first one begins as the master.
	Servers []*Server
	// Sentinels are the three that monitor them.
	Sentinels []*Server
	// Proxies lead to the Servers, if SentinelOptions.Proxied is set.
	Proxies []*tcpproxy.Proxy
}

// StartSentinels starts them, and returns when Healthy does. The caller closes them.
func StartSentinels(ctx context.Context, o SentinelOptions) (*Sentinels, error) {
	if o.DownAfter == 0 {
		o.DownAfter = 2 * time.Second
	}
	s := new(Sentinels)
	if err := s.start(ctx, o); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

func (s *Sentinels) start(ctx context.Context, o SentinelOptions) error {
	var master int // port on which the others reach the master
	for i := range 2 {
		port, announced, err := freePort(ctx, o.Proxied, &s.Proxies)
		if err != nil {
			return err
		}
		args := append([]string{"--repl-diskless-sync-delay", "0"}, o.Args...)
		if o.Proxied {
			args = append(args, "--replica-announce-ip", "127.0.0.1", "--replica-announce-port", strconv.Itoa(announced))
		}
		if o.Password != "" {
			args = append(args, "--masterauth", o.Password)
		}
		config := "# for CONFIG REWRITE\n"
		if i == 0 {
			master = announced
		} else {
			config = fmt.Sprintf("replicaof 127.0.0.1 %d\n", master)
		}
		options := Options{Dir: subdirectory(o.Dir, "redis", i), Password: o.Password, TLS: o.TLS, Args: args}
		server, err := start(ctx, &Server{options: options, port: port, config: config})
		if err != nil {
			return err
		}
		s.Servers = append(s.Servers, server)
	}
	// Only a Sentinel that has seen the replica once can ever promote it.
	if err := poll.Until(ctx, formTimeout, func(ctx context.Context) error {
		return s.Servers[1].expectReplication(ctx, "master_link_status", "up")
	}); err != nil {
		return err
	}
	lines := []string{
		fmt.Sprintf("sentinel monitor %s 127.0.0.1 %d 2", MasterName, master),
		fmt.Sprintf("sentinel down-after-milliseconds %s %d", MasterName, o.DownAfter.Milliseconds()),
		fmt.Sprintf("sentinel failover-timeout %s %d", MasterName, 3*o.DownAfter.Milliseconds()),
	}
	if o.Password != "" {
		lines = append(lines, fmt.Sprintf("sentinel auth-pass %s %s", MasterName, o.Password))
	}
	if o.SentinelPassword != "" {
		lines = append(lines, "sentinel sentinel-pass "+o.SentinelPassword)
	}
	for i := range 3 {
		sentinel, err := start(ctx, &Server{
			options:  Options{Dir: subdirectory(o.Dir, "sentinel", i), Password: o.SentinelPassword, TLS: o.TLS, Args: o.SentinelArgs},
			sentinel: true, config: strings.Join(lines, "\n") + "\n",
		})
		if err != nil {
			return err
		}
		s.Sentinels = append(s.Sentinels, sentinel)
	}
	return poll.Until(ctx, formTimeout, s.Healthy)
}

// freePort returns a free port, and the port to announce for it: the same or, if the
// server is proxied, that of a new proxy, which is added to proxies.
func freePort(ctx context.Context, proxied bool, proxies *[]*tcpproxy.Proxy) (port, announced int, err error) {
	if port, err = loopback.FreePort(ctx); err != nil || !proxied {
		return port, port, err
	}
	proxy, err := tcpproxy.Start(ctx, loopback.Address(port))
	if err != nil {
		return 0, 0, err
	}
	*proxies = append(*proxies, proxy)
	return port, proxy.Port(), nil
}

// subdirectory returns a directory below dir; "", a temporary one, for "".
func subdirectory(dir, name string, i int) string {
	if dir == "" {
		return ""
	}
	return filepath.Join(dir, fmt.Sprint(name, i))
}

// Close ends all servers.
func (s *Sentinels) Close() error {
	return closeAll(append(s.Servers, s.Sentinels...), s.Proxies)
}

func closeAll(servers []*Server, proxies []*tcpproxy.Proxy) error {
	var failed error
	for _, server := range servers {
		failed = errors.Join(failed, server.Close())
	}
	for _, proxy := range proxies {
		proxy.Close()
	}
	return failed
}

// Addrs returns the addresses of the Sentinels.
func (s *Sentinels) Addrs() []string { return addressesOf(s.Sentinels) }

func addressesOf(servers []*Server) []string {
	addresses := make([]string, len(servers))
	for i, server := range servers {
		addresses[i] = server.Addr()
	}
	return addresses
}

// Roles returns the server that the Sentinels report as the master, and the other
// one.
func (s *Sentinels) Roles(ctx context.Context) (master, replica *Server, err error) {
	for _, sentinel := range s.Sentinels {
		reply, e := sentinel.Client().Do(ctx, "sentinel", "get-master-addr-by-name", MasterName).StringSlice()
		if e != nil || len(reply) != 2 {
			err = errors.Join(err, e)
			continue
		}
		address := net.JoinHostPort(reply[0], reply[1])
		for i, server := range s.Servers {
			if server.Addr() == address || s.Proxies != nil && s.Proxies[i].Addr() == address {
				return server, s.Servers[1-i], nil
			}
		}
	}
	return nil, nil, errors.Join(errors.New("no Sentinel knows a master"), err)
}

// Healthy returns an error unless all servers answer and the next failover would
// succeed.
func (s *Sentinels) Healthy(ctx context.Context) error {
	master, replica, err := s.Roles(ctx)
	if err != nil {
		return err
	}
	if err := master.expectReplication(ctx, "role", "master"); err != nil {
		return err
	}
	if err := replica.expectReplication(ctx, "master_link_status", "up"); err != nil {
		return err
	}
	for _, sentinel := range s.Sentinels {
		state, err := sentinel.field(ctx, "sentinel", "master0")
		if err != nil {
			return err
		}
		if !strings.Contains(state, "status=ok") || !strings.Contains(state, "slaves=1,sentinels=3") {
			return fmt.Errorf("%s does not know all others: %s", sentinel.Name(), state)
		}
		quorum, err := sentinel.Client().Do(ctx, "sentinel", "ckquorum", MasterName).Text()
		if err != nil || !strings.HasPrefix(quorum, "OK 3 ") {
			return errors.Join(fmt.Errorf("%s has no quorum: %s", sentinel.Name(), quorum), err)
		}
	}
	return nil
}

// Failover makes the Sentinels promote the replica, and returns when they report it
// as the master.
func (s *Sentinels) Failover(ctx context.Context) error {
	before, _, err := s.Roles(ctx)
	if err != nil {
		return err
	}
	if err := s.Sentinels[0].Client().Do(ctx, "sentinel", "failover", MasterName).Err(); err != nil {
		return err
	}
	return poll.Until(ctx, failoverTimeout, func(ctx context.Context) error {
		if master, _, err := s.Roles(ctx); err != nil || master == before {
			return errors.Join(errors.New("the master is the same"), err)
		}
		return nil
	})
}

// failoverTimeout bounds a failover that an admin requests.
const failoverTimeout = 15 * time.Second
