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
// Redis is not connected to when the configuration is loaded. While it cannot be
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
	options, err := s.resolve(caddy.NewReplacer())
	if err != nil {
		return fmt.Errorf("redis: %w", err)
	}
	s.options = options
	return nil
}

// Identity returns address, database and key prefix.
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
	if err := s.check(); err != nil {
		return redisstore.Options{}, err
	}
	options := redisstore.Options{DB: s.DB}
	address := defaultRedis
	if len(s.Addresses) == 1 {
		address = s.Addresses[0]
	}
	for _, field := range []struct {
		name, text string
		target     *string
	}{
		{"address", address, &address},
		{"username", s.Username, &options.Username},
		{"password", s.Password, &options.Password},
		{"key_prefix", s.KeyPrefix, &options.KeyPrefix},
	} {
		resolved, err := replacer.ReplaceOrErr(field.text, true, true)
		if err != nil {
			return redisstore.Options{}, fmt.Errorf("%s: %w", field.name, err)
		}
		*field.target = resolved
	}
	options.Addrs = []string{address}
	if s.TLS != nil {
		config, err := s.TLS.config(replacer)
		if err != nil {
			return redisstore.Options{}, fmt.Errorf("tls: %w", err)
		}
		options.TLS = config
	}
	return options, nil
}

// check reports what is wrong whatever the placeholders stand for.
func (s *RedisStore) check() error {
	if len(s.Addresses) > 1 {
		return errors.New("several addresses are for Sentinel and cluster, which are not supported yet")
	}
	if s.DB < 0 {
		return errors.New("db must not be negative")
	}
	return nil
}

// checkPlain reports what is wrong with a store in which nothing is left to
// placeholders: what Provision would say, where the file and line are known.
func (s *RedisStore) checkPlain() error {
	options := redisstore.Options{
		Addrs: s.Addresses, Username: s.Username, Password: s.Password, DB: s.DB, KeyPrefix: s.KeyPrefix,
	}
	if strings.Contains(strings.Join(append([]string{s.Username, s.Password, s.KeyPrefix}, s.Addresses...), ""), "{") {
		return nil
	}
	if len(s.Addresses) == 0 {
		options.Addrs = []string{defaultRedis}
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
