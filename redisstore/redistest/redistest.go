// Package redistest runs real Redis servers for tests. It is a thin layer over
// redisserver: a failure ends the test, and servers end with the test.
package redistest

import (
	"context"
	"slices"
	"testing"

	"github.com/ephemeralchat/caddy-ephemeral-chat/redisstore/redistest/redisserver"
)

type (
	// Options configure a server.
	Options = redisserver.Options
	// SentinelOptions configure Sentinels and their servers.
	SentinelOptions = redisserver.SentinelOptions
	// ClusterOptions configure a cluster.
	ClusterOptions = redisserver.ClusterOptions
	// Certificates are the PEM files of an authority and of a certificate.
	Certificates = redisserver.Certificates
)

const (
	// MasterName is the name of the master that the Sentinels monitor.
	MasterName = redisserver.MasterName
	// ServerName is the DNS name in the certificate, besides 127.0.0.1.
	ServerName = redisserver.ServerName
)

// NewCertificates returns certificates that are removed with the test.
func NewCertificates(tb testing.TB) *Certificates {
	tb.Helper()
	c, err := redisserver.NewCertificates(tb.TempDir())
	check(tb, err)
	return c
}

// Server is a redis-server that ends with the test.
type Server struct{ *redisserver.Server }

// Start starts a server. It fails the test if redis-server is not installed.
func Start(tb testing.TB, o Options) *Server {
	tb.Helper()
	s, err := redisserver.Start(tb.Context(), o)
	check(tb, err)
	tb.Cleanup(func() { check(tb, s.Close()) })
	return &Server{s}
}

// Kill ends the server as a crash does, and returns when it has ended.
func (s *Server) Kill(tb testing.TB) {
	tb.Helper()
	check(tb, s.Server.Kill())
}

// Restart starts a killed server on the same port and files.
func (s *Server) Restart(tb testing.TB) {
	tb.Helper()
	check(tb, s.Server.Restart(context.WithoutCancel(tb.Context())))
}

// Pause stops the server without ending it, as if its machine hung.
func (s *Server) Pause(tb testing.TB) {
	tb.Helper()
	check(tb, s.Server.Pause())
}

// Resume undoes Pause.
func (s *Server) Resume(tb testing.TB) {
	tb.Helper()
	check(tb, s.Server.Resume())
}

// Sentinels are three Sentinels, a master and its replica. They end with the test.
type Sentinels struct {
	sentinels *redisserver.Sentinels
	// Servers are the two that keep data. The first one begins as the master.
	Servers []*Server
	// Sentinels are the three that monitor them.
	Sentinels []*Server
}

// StartSentinels starts them, and returns when they know each other.
func StartSentinels(tb testing.TB, o SentinelOptions) *Sentinels {
	tb.Helper()
	s, err := redisserver.StartSentinels(tb.Context(), o)
	check(tb, err)
	tb.Cleanup(func() { check(tb, s.Close()) })
	return &Sentinels{s, wrap(s.Servers), wrap(s.Sentinels)}
}

// Addrs returns the addresses of the Sentinels.
func (s *Sentinels) Addrs() []string { return s.sentinels.Addrs() }

// Master returns the server that the Sentinels report as the master.
func (s *Sentinels) Master(tb testing.TB) *Server {
	tb.Helper()
	master, _, err := s.sentinels.Roles(tb.Context())
	check(tb, err)
	return find(s.Servers, master)
}

// Cluster is a Redis Cluster. It ends with the test.
type Cluster struct {
	*redisserver.Cluster
	// Servers are the initial masters, then the replica of each.
	Servers []*Server
}

// StartCluster starts a cluster, and returns when it is whole.
func StartCluster(tb testing.TB, o ClusterOptions) *Cluster {
	tb.Helper()
	c, err := redisserver.StartCluster(tb.Context(), o)
	check(tb, err)
	tb.Cleanup(func() { check(tb, c.Close()) })
	return &Cluster{c, wrap(c.Servers)}
}

// Masters returns the servers that answer and are masters with slots.
func (c *Cluster) Masters(tb testing.TB) []*Server {
	tb.Helper()
	var masters []*Server
	found, _ := c.Roles(tb.Context())
	for _, s := range found {
		masters = append(masters, find(c.Servers, s))
	}
	return masters
}

// MasterOf returns the server that has a key.
func (c *Cluster) MasterOf(tb testing.TB, key string) *Server {
	tb.Helper()
	s, err := c.Cluster.MasterOf(tb.Context(), key)
	check(tb, err)
	return find(c.Servers, s)
}

// ReplicaOf returns the replica of a master.
func (c *Cluster) ReplicaOf(tb testing.TB, master *Server) *Server {
	tb.Helper()
	s, err := c.Cluster.ReplicaOf(tb.Context(), master.Server)
	check(tb, err)
	return find(c.Servers, s)
}

func wrap(servers []*redisserver.Server) []*Server {
	wrapped := make([]*Server, len(servers))
	for i, s := range servers {
		wrapped[i] = &Server{s}
	}
	return wrapped
}

func find(servers []*Server, s *redisserver.Server) *Server {
	return servers[slices.IndexFunc(servers, func(w *Server) bool { return w.Server == s })]
}

func check(tb testing.TB, err error) {
	tb.Helper()
	if err != nil {
		tb.Fatal(err)
	}
}
