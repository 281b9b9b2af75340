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

// RedisStore keeps rooms in Redis, or in a server that speaks its protocol.
// Every node that uses the same one has the same rooms. Placeholders are
// resolved in all strings when the configuration is loaded; `{env.NAME}` and
// `{file./path}` keep secrets out of it.
//
// Redis is not dialled when the configuration is loaded. While it cannot be
// reached, requests are answered with 503.
type RedisStore struct {
	// Where Redis is: `host`, `host:port`, the path of a Unix socket, or a URL
	// `redis://[<username>[:<password>]@]<host>[:<port>][/<db>]`; `rediss://` for
	// TLS and `unix://<path>` for a socket. The port is 6379 unless given. One
	// address, so far. Default: `localhost:6379`.
	Addresses []string `json:"addresses,omitempty"`

	// The name to authenticate with, for Redis 6 access control lists.
	Username string `json:"username,omitempty"`

	// The password to authenticate with.
	Password string `json:"password,omitempty"`

	// The number of the database. Default: 0.
	DB int `json:"db,omitempty"`

	// Whether and how the connection is encrypted.
	TLS *RedisTLS `json:"tls,omitempty"`

	// What every key begins with. Default: nothing.
	KeyPrefix string `json:"key_prefix,omitempty"`

	options redisstore.Options // set by Provision
}

// Mistakes that are found when the Caddyfile is read, and in JSON when it is
// loaded.
var (
	errNegativeDB       = errors.New("db must not be negative")
	errSeveralAddresses = errors.New("several addresses are for Sentinel and cluster, which are not supported yet")
)

// RedisTLS says how a connection to Redis is encrypted.
type RedisTLS struct {
	// Files with certificates of the authorities that Redis's certificate may be
	// from, in PEM. Default: those that the system trusts.
	CA []string `json:"ca,omitempty"`

	// File with the certificate that this node presents to Redis, in PEM.
	Certificate string `json:"certificate,omitempty"`

	// File with the private key of that certificate, in PEM.
	Key string `json:"key,omitempty"`

	// The name that Redis's certificate is for. Default: the host of the
	// address.
	ServerName string `json:"server_name,omitempty"`

	// Whether any certificate will do. For trials only: whoever sits between
	// this node and Redis then reads and changes everything.
	InsecureSkipVerify bool `json:"insecure_skip_verify,omitempty"`
}

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
	options, err := s.resolve(caddy.NewReplacer())
	if err != nil {
		return fmt.Errorf("redis: %w", err)
	}
	s.options = options
	return nil
}

// Identity returns address, database and key prefix.
func (s *RedisStore) Identity() string { return s.options.Identity() }

// Open returns the store, without dialling.
func (s *RedisStore) Open(log func() *zap.Logger) (room.Store, error) {
	options := s.options
	options.Log = log
	return redisstore.New(options)
}

// resolve turns the configuration into the options of the store.
func (s *RedisStore) resolve(replacer *caddy.Replacer) (redisstore.Options, error) {
	// A value that cannot be resolved is not shown: in part it may be a secret.
	plain := make(map[string]string)
	for name, value := range map[string]string{
		"username": s.Username, "password": s.Password, "key_prefix": s.KeyPrefix,
	} {
		resolved, err := replacer.ReplaceOrErr(value, true, true)
		if err != nil {
			return redisstore.Options{}, fmt.Errorf("%s: %w", name, err)
		}
		plain[name] = resolved
	}
	options := redisstore.Options{
		Username:  plain["username"],
		Password:  plain["password"],
		KeyPrefix: plain["key_prefix"],
		DB:        s.DB,
	}
	address, err := s.address(replacer)
	if err != nil {
		return redisstore.Options{}, err
	}
	options.Addrs = []string{address.dial}
	if err := address.complete(&options); err != nil {
		return redisstore.Options{}, err
	}
	if options.DB < 0 {
		return redisstore.Options{}, errNegativeDB
	}
	if options.Username != "" && options.Password == "" {
		return redisstore.Options{}, errors.New("username without a password")
	}
	if s.TLS != nil || address.tls {
		if options.TLS, err = s.TLS.config(replacer, address.host); err != nil {
			return redisstore.Options{}, fmt.Errorf("tls: %w", err)
		}
	}
	return options, nil
}

// address returns the one address of Redis.
func (s *RedisStore) address(replacer *caddy.Replacer) (redisAddress, error) {
	switch len(s.Addresses) {
	case 0:
		return parseRedisAddress("localhost")
	case 1:
	default:
		return redisAddress{}, errSeveralAddresses
	}
	text, err := replacer.ReplaceOrErr(s.Addresses[0], true, true)
	if err != nil {
		return redisAddress{}, fmt.Errorf("address: %w", err)
	}
	return parseRedisAddress(text)
}

// config returns the settings of the TLS connection to a host. A nil
// configuration is the default one.
func (t *RedisTLS) config(replacer *caddy.Replacer, host string) (*tls.Config, error) {
	config := &tls.Config{ServerName: host, MinVersion: tls.VersionTLS12}
	if t == nil {
		return config, nil
	}
	texts := append([]string{t.ServerName, t.Certificate, t.Key}, t.CA...)
	for i, text := range texts {
		resolved, err := replacer.ReplaceOrErr(text, true, true)
		if err != nil {
			return nil, err
		}
		texts[i] = resolved
	}
	name, certificate, key, authorities := texts[0], texts[1], texts[2], texts[3:]
	if name != "" {
		config.ServerName = name
	}
	config.InsecureSkipVerify = t.InsecureSkipVerify
	if config.ServerName == "" && !config.InsecureSkipVerify {
		return nil, errors.New("server_name is needed for an address without a host")
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

// hasPlaceholder reports whether text can be judged only when it is loaded.
func hasPlaceholder(text string) bool { return strings.Contains(text, "{") }

// Interface guards
var (
	_ Store             = (*RedisStore)(nil)
	_ caddy.Provisioner = (*RedisStore)(nil)
)
