package redistest

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
)

// MasterName is the name by which sentinels know their master.
const MasterName = "main"

// SentinelOptions say how sentinels and their servers run.
type SentinelOptions struct {
	// DownAfter is how long a master is silent until it is taken for dead; 2 s if
	// zero.
	DownAfter time.Duration
	// Password is required by the servers, SentinelPassword by the sentinels.
	Password, SentinelPassword string
	// TLS, where not nil, is used by all.
	TLS *Certificates
	// Args are further arguments of the servers, SentinelArgs of the sentinels.
	Args, SentinelArgs []string
}

// Sentinels are three sentinels that watch over a master and its replica. They end
// with the test.
type Sentinels struct {
	// Servers are the two that keep data. The first one begins as the master.
	Servers []*Server
	// Sentinels are the three that watch.
	Sentinels []*Server
}

// StartSentinels starts them, and returns when they know each other.
func StartSentinels(tb testing.TB, o SentinelOptions) *Sentinels {
	tb.Helper()
	if o.DownAfter == 0 {
		o.DownAfter = 2 * time.Second
	}
	s := new(Sentinels)
	options := Options{Password: o.Password, TLS: o.TLS, Args: append([]string{"--repl-diskless-sync-delay", "0"}, o.Args...)}
	if o.Password != "" {
		options.Args = append(options.Args, "--masterauth", o.Password)
	}
	master := Start(tb, options)
	options.Args = append(options.Args, "--replicaof", fmt.Sprintf("127.0.0.1 %d", master.port))
	s.Servers = []*Server{master, Start(tb, options)}
	eventually(tb, "the replica is not connected", func() (bool, error) {
		return contains(tb.Context(), s.Servers[1].Client(), "replication", "master_link_status:up")
	})
	lines := []string{
		fmt.Sprintf("sentinel monitor %s 127.0.0.1 %d 2", MasterName, master.port),
		fmt.Sprintf("sentinel down-after-milliseconds %s %d", MasterName, o.DownAfter.Milliseconds()),
		fmt.Sprintf("sentinel failover-timeout %s %d", MasterName, 3*o.DownAfter.Milliseconds()),
	}
	if o.Password != "" {
		lines = append(lines, fmt.Sprintf("sentinel auth-pass %s %s", MasterName, o.Password))
	}
	if o.SentinelPassword != "" {
		lines = append(lines, "sentinel sentinel-pass "+o.SentinelPassword)
	}
	for range 3 {
		s.Sentinels = append(s.Sentinels, launch(tb, &Server{
			options: Options{Password: o.SentinelPassword, TLS: o.TLS, Args: o.SentinelArgs},
			config:  strings.Join(lines, "\n") + "\n",
		}, freePort))
	}
	eventually(tb, "the sentinels don't know each other", func() (bool, error) {
		for _, sentinel := range s.Sentinels {
			known, err := sentinel.Client().Do(tb.Context(), "sentinel", "ckquorum", MasterName).Text()
			if err != nil || !strings.HasPrefix(known, "OK 3 ") {
				return false, err
			}
			known, err = sentinel.Client().Info(tb.Context(), "sentinel").Result()
			if err != nil || !strings.Contains(known, "slaves=1,sentinels=3") {
				return false, err
			}
		}
		return true, nil
	})
	return s
}

// Addrs are the addresses of the sentinels.
func (s *Sentinels) Addrs() []string { return addressesOf(s.Sentinels) }

// Master returns the server that the sentinels take for the master.
func (s *Sentinels) Master(tb testing.TB) *Server {
	tb.Helper()
	for _, sentinel := range s.Sentinels {
		reply, err := sentinel.Client().Do(tb.Context(), "sentinel", "get-master-addr-by-name", MasterName).StringSlice()
		if err != nil || len(reply) != 2 {
			continue // it may have been killed
		}
		address := net.JoinHostPort(reply[0], reply[1])
		for _, server := range s.Servers {
			if server.Addr() == address {
				return server
			}
		}
	}
	tb.Fatal("no sentinel knows a master")
	return nil
}

func addressesOf(servers []*Server) []string {
	addresses := make([]string, len(servers))
	for i, server := range servers {
		addresses[i] = server.Addr()
	}
	return addresses
}

// contains reports whether a section of INFO has a line.
func contains(ctx context.Context, client *redis.Client, section, line string) (bool, error) {
	info, err := client.Info(ctx, section).Result()
	return strings.Contains(info, line+"\r\n"), err
}

// eventually waits until a condition holds.
func eventually(tb testing.TB, otherwise string, holds func() (bool, error)) {
	tb.Helper()
	deadline := time.Now().Add(2 * startTimeout)
	for {
		ok, err := holds()
		if ok {
			return
		}
		if time.Now().After(deadline) {
			tb.Fatalf("%s: %v", otherwise, errors.Join(errors.New("time-out"), err))
		}
		<-time.After(20 * time.Millisecond)
	}
}
