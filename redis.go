package ephemeralchat

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/caddyserver/caddy/v2"
	"go.uber.org/zap"

	"github.com/ephemeralchat/caddy-ephemeral-chat/redisstore"
	"github.com/ephemeralchat/caddy-ephemeral-chat/room"
)

// RedisStore keeps rooms in Redis, or in a server with its protocol. All nodes that use
// the same Redis share the rooms. Placeholders in strings are resolved when the
// configuration is loaded; `{env.NAME}` and `{file./path}` keep secrets out of it.
//
// Redis may be one server (the default), a master with replicas and sentinels
// (`sentinel`), or a cluster (`cluster`).
//
// Loading a configuration does not connect to Redis. While Redis cannot be reached,
// requests are answered with 503.
type RedisStore struct {
	// The address of Redis: `host`, `host:port`, the path of a Unix socket, or a URL
	// `redis://[<username>[:<password>]@]<host>[:<port>][/<db>]`, with `rediss://`
	// for TLS and `unix://<path>` for a socket. The default port is 6379. Default:
	// `localhost:6379`.
	//
	// With `sentinel` or `cluster`: the `host` or `host:port` of some sentinels or
	// cluster nodes. Any of them that can be reached names the others. The default
	// port of a sentinel is 26379.
	Addresses []string `json:"addresses,omitempty"`

	// The master to use, if the addresses are those of sentinels. Excludes `cluster`.
	Sentinel *RedisSentinel `json:"sentinel,omitempty"`

	// Whether the addresses are nodes of a Redis Cluster. Keys then have the id of
	// their room in braces, so that one server has all keys of a room. Default:
	// false.
	Cluster bool `json:"cluster,omitempty"`

	// The user name for access control lists, since Redis 6. Sentinels have their
	// own, see `sentinel`. Default: none.
	Username string `json:"username,omitempty"`

	// The password. Default: none.
	Password string `json:"password,omitempty"`

	// The number of the database, 0 or more. A cluster has only 0. Default: 0.
	DB int `json:"db,omitempty"`

	// Encryption of connections, including those to sentinels. Default: off, unless
	// the address is a `rediss://` URL.
	TLS *RedisTLS `json:"tls,omitempty"`

	// The prefix of all keys. Default: none.
	KeyPrefix string `json:"key_prefix,omitempty"`

	options redisstore.Options // set by Provision
}

// RedisSentinel names the master that has the rooms.
type RedisSentinel struct {
	// The name by which the sentinels know the master.
	Master string `json:"master"`

	// The user name for the sentinels. Default: none.
	Username string `json:"username,omitempty"`

	// The password for the sentinels. Default: none; the master's is not used.
	Password string `json:"password,omitempty"`
}

// RedisTLS configures the encryption of connections to Redis.
type RedisTLS struct {
	// PEM files with the certificates of the authorities that sign Redis's
	// certificate. Default: the authorities that the system trusts.
	CA []string `json:"ca,omitempty"`

	// PEM file with the certificate that this node presents to Redis. Needs `key`.
	// Default: none.
	Certificate string `json:"certificate,omitempty"`

	// PEM file with the private key of that certificate.
	Key string `json:"key,omitempty"`

	// The name in the certificates of all servers and sentinels. Default: the host of
	// each address. Sentinels and clusters often name IP addresses.
	ServerName string `json:"server_name,omitempty"`

	// Whether to accept any certificate. For trials only: a machine between this node
	// and Redis can then read and change everything. Default: false.
	InsecureSkipVerify bool `json:"insecure_skip_verify,omitempty"`
}

var errExclusive = errors.New("sentinel and cluster exclude each other; remove one of them")

func init() { caddy.RegisterModule(RedisStore{}) }

// CaddyModule returns the Caddy module information.
func (RedisStore) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: storeNamespace + ".redis", New: func() caddy.Module { return new(RedisStore) }}
}

// Provision resolves placeholders and returns an error if the configuration is invalid.
func (s *RedisStore) Provision(caddy.Context) error {
	if err := s.check(); err != nil {
		return fmt.Errorf("redis: %w", err)
	}
	replacer := caddy.NewReplacer()
	for _, t := range append(s.texts(), s.TLS.texts()...) {
		resolved, err := replacer.ReplaceOrErr(*t.value, true, true)
		if err != nil {
			return fmt.Errorf("redis: %s: %w", t.name, err)
		}
		*t.value = resolved
	}
	s.options = s.storeOptions()
	if s.TLS != nil {
		config, err := s.TLS.config()
		if err != nil {
			return fmt.Errorf("redis: tls: %w", err)
		}
		s.options.TLS = config
	}
	return nil
}

// Identity is equal for configurations that lead to the same rooms in the same way.
func (s *RedisStore) Identity() string { return s.options.Identity() }

// DisplayName returns address, database and key prefix.
func (s *RedisStore) DisplayName() string { return s.options.Name() }

// Open returns the store, without connecting to Redis.
func (s *RedisStore) Open(log func() *zap.Logger) (room.Store, error) {
	options := s.options
	options.Log = log
	return redisstore.New(options)
}

// text is an option that may have placeholders.
type text struct {
	name  string
	value *string
}

// texts returns the options of the store that may have placeholders, except TLS.
func (s *RedisStore) texts() []text {
	texts := []text{{"username", &s.Username}, {"password", &s.Password}, {"key_prefix", &s.KeyPrefix}}
	for i := range s.Addresses {
		texts = append(texts, text{fmt.Sprintf("address %d", i+1), &s.Addresses[i]})
	}
	if s.Sentinel != nil {
		texts = append(texts, text{"sentinel", &s.Sentinel.Master},
			text{"sentinel username", &s.Sentinel.Username}, text{"sentinel password", &s.Sentinel.Password})
	}
	return texts
}

// storeOptions returns the options as package redisstore takes them, except TLS. It does
// not resolve placeholders. The package checks the options when the store is opened.
func (s *RedisStore) storeOptions() redisstore.Options {
	options := redisstore.Options{
		Addrs: s.Addresses, Cluster: s.Cluster,
		Username: s.Username, Password: s.Password, DB: s.DB, KeyPrefix: s.KeyPrefix,
	}
	if s.Sentinel != nil {
		options.Sentinel = redisstore.Sentinel(*s.Sentinel)
	}
	if len(options.Addrs) == 0 && s.Sentinel == nil && !s.Cluster {
		options.Addrs = []string{"localhost"}
	}
	return options
}

// check returns an error if the configuration is invalid with any values of its
// placeholders.
func (s *RedisStore) check() error {
	switch {
	case s.Sentinel != nil && s.Cluster:
		return errExclusive
	case s.Sentinel != nil && s.Sentinel.Master == "":
		return errors.New("sentinel: the name of the master is missing")
	case s.Sentinel != nil && len(s.Addresses) == 0:
		return errors.New("sentinel: the addresses of the sentinels are missing")
	case s.Cluster && len(s.Addresses) == 0:
		return errors.New("cluster: the addresses of some of its nodes are missing")
	case s.Sentinel == nil && !s.Cluster && len(s.Addresses) > 1:
		return fmt.Errorf("several addresses are for sentinel or cluster; add one of them, or give one address instead of %d", len(s.Addresses))
	case s.Cluster && s.DB != 0:
		return fmt.Errorf("db: a cluster has only 0, not %d", s.DB)
	}
	return checkDB(s.DB)
}

func checkDB(db int) error {
	if db < 0 {
		return fmt.Errorf("db must be 0 or more, not %d", db)
	}
	return nil
}

// checkLiteral returns the error that opening the store would return, if it has no
// placeholders. It runs where the line of the Caddyfile is known.
func (s *RedisStore) checkLiteral() error {
	for _, t := range s.texts() {
		if strings.Contains(*t.value, "{") {
			return nil
		}
	}
	options := s.storeOptions()
	return options.Validate()
}

// texts returns the options that may have placeholders, none for nil.
func (t *RedisTLS) texts() []text {
	if t == nil {
		return nil
	}
	texts := []text{{"tls: server_name", &t.ServerName}, {"tls: certificate", &t.Certificate}, {"tls: key", &t.Key}}
	for i := range t.CA {
		texts = append(texts, text{"tls: ca", &t.CA[i]})
	}
	return texts
}

// config returns the configuration of TLS connections.
func (t *RedisTLS) config() (*tls.Config, error) {
	config := &tls.Config{
		ServerName:         t.ServerName,
		MinVersion:         tls.VersionTLS12,
		InsecureSkipVerify: t.InsecureSkipVerify, //nolint:gosec // G402: the administrator asks for it by this name
	}
	if (t.Certificate == "") != (t.Key == "") {
		return nil, errors.New("certificate and key go together; give both files or neither")
	}
	if t.Certificate != "" {
		pair, err := tls.LoadX509KeyPair(t.Certificate, t.Key)
		if err != nil {
			return nil, fmt.Errorf("client certificate: %w", err)
		}
		config.Certificates = []tls.Certificate{pair}
	}
	if len(t.CA) > 0 {
		config.RootCAs = x509.NewCertPool()
	}
	for _, file := range t.CA {
		pem, err := os.ReadFile(file) //nolint:gosec // G304: the administrator chooses the file
		if err != nil {
			return nil, fmt.Errorf("ca: %w", err)
		}
		if !config.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("ca: no certificate in %s; a PEM file is expected", file)
		}
	}
	return config, nil
}

// Interface guards
var (
	_ Named             = (*RedisStore)(nil)
	_ caddy.Provisioner = (*RedisStore)(nil)
)
