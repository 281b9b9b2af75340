package ephemeralchat

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/caddyserver/caddy/v2"
	"go.uber.org/zap"

	"github.com/ephemeralchat/caddy-ephemeral-chat/redisstore"
	"github.com/ephemeralchat/caddy-ephemeral-chat/room"
)

// RedisStore keeps rooms in Redis, or in a server that speaks its protocol.
// Every node that uses the same one has the same rooms. Placeholders are
// resolved in all strings when the configuration is loaded; `{env.NAME}` and
// `{file./path}` keep secrets out of it.
//
// There are three ways to run it: one server (the default), a master and replicas
// that sentinels watch (`sentinel`), and a cluster (`cluster`).
//
// Redis is not connected to when the configuration is loaded. While it cannot be
// reached, requests are answered with 503.
type RedisStore struct {
	// Where Redis is: `host`, `host:port`, the path of a Unix socket, or a URL
	// `redis://[<username>[:<password>]@]<host>[:<port>][/<db>]`; `rediss://` for
	// TLS and `unix://<path>` for a socket. The port is 6379 unless given.
	// Default: `localhost:6379`.
	//
	// Of sentinels, and of a cluster, these are the `host` or `host:port` of some;
	// one that can be reached names the others. The port of a sentinel is 26379
	// unless given.
	Addresses []string `json:"addresses,omitempty"`

	// The master that the sentinels at the addresses watch.
	Sentinel *RedisSentinel `json:"sentinel,omitempty"`

	// Whether the addresses are nodes of a Redis Cluster. Keys then have other
	// names: the id of a room stands in braces, so that one server has all of it.
	Cluster bool `json:"cluster,omitempty"`

	// The name to authenticate with, for Redis 6 access control lists. To
	// sentinels, see `sentinel`.
	Username string `json:"username,omitempty"`

	// The password to authenticate with.
	Password string `json:"password,omitempty"`

	// The number of the database. Default: 0, which is all that a cluster has.
	DB int `json:"db,omitempty"`

	// Whether and how connections are encrypted, those to sentinels included.
	TLS *RedisTLS `json:"tls,omitempty"`

	// What every key begins with. Default: nothing.
	KeyPrefix string `json:"key_prefix,omitempty"`

	options redisstore.Options // set by Provision
}

// RedisSentinel says which master has the rooms, where sentinels watch over it.
type RedisSentinel struct {
	// The name by which the sentinels know the master.
	Master string `json:"master"`

	// The name to authenticate with to the sentinels.
	Username string `json:"username,omitempty"`

	// The password to authenticate with to the sentinels. Default: none, whatever
	// the password of the master.
	Password string `json:"password,omitempty"`
}

// RedisTLS says how a connection to Redis is encrypted.
type RedisTLS struct {
	// Files with certificates of the authorities that Redis's certificate may be
	// from, in PEM. Default: those that the system trusts.
	CA []string `json:"ca,omitempty"`

	// File with the certificate that this node presents to Redis, in PEM.
	Certificate string `json:"certificate,omitempty"`

	// File with the private key of that certificate, in PEM.
	Key string `json:"key,omitempty"`

	// The name that Redis's certificate is for, of each server and sentinel.
	// Default: the host of the address, which of those that sentinels or a cluster
	// name is often an IP address.
	ServerName string `json:"server_name,omitempty"`

	// Whether any certificate will do. For trials only: whoever sits between
	// this node and Redis then reads and changes everything.
	InsecureSkipVerify bool `json:"insecure_skip_verify,omitempty"`
}

// defaultRedis is where Redis is when nothing is said.
const defaultRedis = "localhost"

func init() { caddy.RegisterModule(RedisStore{}) }

// CaddyModule returns the Caddy module information.
func (RedisStore) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{
		ID:  storeNamespace + ".redis",
		New: func() caddy.Module { return new(RedisStore) },
	}
}

// Provision resolves placeholders and reports what is wrong.
func (s *RedisStore) Provision(caddy.Context) error {
	if err := s.check(); err != nil {
		return fmt.Errorf("redis: %w", err)
	}
	options, err := s.resolve(caddy.NewReplacer())
	if err != nil {
		return fmt.Errorf("redis: %w", err)
	}
	s.options = options
	return nil
}

// Identity returns addresses, database and key prefix.
func (s *RedisStore) Identity() string { return s.options.Identity() }

// DisplayName returns address, database and key prefix.
func (s *RedisStore) DisplayName() string { return s.options.Name() }

// Open returns the store, without connecting to Redis.
func (s *RedisStore) Open(log func() *zap.Logger) (room.Store, error) {
	options := s.options
	options.Log = log
	return redisstore.New(options)
}

// resolve turns the configuration into the options of the store, which judges
// addresses itself when it is opened.
func (s *RedisStore) resolve(replacer *caddy.Replacer) (redisstore.Options, error) {
	options := s.literal()
	fields := []struct {
		name   string
		target *string
	}{
		{"username", &options.Username},
		{"password", &options.Password},
		{"key_prefix", &options.KeyPrefix},
		{"sentinel", &options.Sentinel.Master},
		{"sentinel username", &options.Sentinel.Username},
		{"sentinel password", &options.Sentinel.Password},
	}
	for i := range options.Addrs {
		fields = append(fields, struct {
			name   string
			target *string
		}{"address", &options.Addrs[i]})
	}
	for _, field := range fields {
		resolved, err := replacer.ReplaceOrErr(*field.target, true, true)
		if err != nil {
			return redisstore.Options{}, fmt.Errorf("%s: %w", field.name, err)
		}
		*field.target = resolved
	}
	if s.TLS != nil {
		config, err := s.TLS.config(replacer)
		if err != nil {
			return redisstore.Options{}, fmt.Errorf("tls: %w", err)
		}
		options.TLS = config
	}
	return options, nil
}

// literal returns the options as they are written, placeholders included, but for
// TLS.
func (s *RedisStore) literal() redisstore.Options {
	options := redisstore.Options{
		Addrs: slices.Clone(s.Addresses), Cluster: s.Cluster,
		Username: s.Username, Password: s.Password, DB: s.DB, KeyPrefix: s.KeyPrefix,
	}
	if s.Sentinel != nil {
		options.Sentinel = redisstore.Sentinel(*s.Sentinel)
	}
	if len(options.Addrs) == 0 && s.Sentinel == nil && !s.Cluster {
		options.Addrs = []string{defaultRedis}
	}
	return options
}

// check reports what is wrong whatever the placeholders stand for.
func (s *RedisStore) check() error {
	switch {
	case s.Sentinel != nil && s.Cluster:
		return errors.New("sentinel and cluster exclude each other")
	case s.Sentinel != nil && s.Sentinel.Master == "":
		return errors.New("sentinel: the name of the master is missing")
	case s.Sentinel != nil && len(s.Addresses) == 0:
		return errors.New("sentinel: the addresses of the sentinels are missing")
	case s.Cluster && len(s.Addresses) == 0:
		return errors.New("cluster: the addresses of some of its nodes are missing")
	case s.Sentinel == nil && !s.Cluster && len(s.Addresses) > 1:
		return errors.New("several addresses are for sentinel or cluster")
	case s.DB < 0:
		return errors.New("db must not be negative")
	case s.Cluster && s.DB != 0:
		return errors.New("db: a cluster has only 0")
	}
	return nil
}

// checkPlain reports what is wrong with a store in which nothing is left to
// placeholders: what Provision would say, where the file and line are known.
func (s *RedisStore) checkPlain() error {
	options := s.literal()
	all := append([]string{
		options.Username, options.Password, options.KeyPrefix,
		options.Sentinel.Master, options.Sentinel.Username, options.Sentinel.Password,
	}, options.Addrs...)
	if strings.Contains(strings.Join(all, ""), "{") {
		return nil
	}
	return options.Validate()
}

// config returns the settings of TLS connections.
func (t *RedisTLS) config(replacer *caddy.Replacer) (*tls.Config, error) {
	texts := append([]string{t.ServerName, t.Certificate, t.Key}, t.CA...)
	for i, text := range texts {
		resolved, err := replacer.ReplaceOrErr(text, true, true)
		if err != nil {
			return nil, err
		}
		texts[i] = resolved
	}
	name, certificate, key, authorities := texts[0], texts[1], texts[2], texts[3:]
	config := &tls.Config{
		ServerName:         name,
		MinVersion:         tls.VersionTLS12,
		InsecureSkipVerify: t.InsecureSkipVerify, //nolint:gosec // G402: the administrator asks for it by this name
	}
	if (certificate == "") != (key == "") {
		return nil, errors.New("certificate and key go together")
	}
	if certificate != "" {
		pair, err := tls.LoadX509KeyPair(certificate, key)
		if err != nil {
			return nil, fmt.Errorf("client certificate: %w", err)
		}
		config.Certificates = []tls.Certificate{pair}
	}
	if len(authorities) > 0 {
		config.RootCAs = x509.NewCertPool()
	}
	for _, file := range authorities {
		pem, err := os.ReadFile(file) //nolint:gosec // G304: the administrator says which file
		if err != nil {
			return nil, fmt.Errorf("ca: %w", err)
		}
		if !config.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("ca: no certificate in %s", file)
		}
	}
	return config, nil
}

// Interface guards
var (
	_ Named             = (*RedisStore)(nil)
	_ caddy.Provisioner = (*RedisStore)(nil)
)
