package redisstore

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"
	"go.uber.org/zap"
)

const (
	defaultPort  = "6379"
	dialTimeout  = time.Second
	replyTimeout = 2 * time.Second
	// poolSize is how many commands may be under way at once. One Redis core
	// is busy with far fewer.
	poolSize = 20
)

// Options say which Redis a Store uses, and how.
type Options struct {
	// Addrs is where Redis is: host:port, host, the path of a unix socket, or
	// a redis://, rediss:// or unix:// URL, which may carry user name,
	// password and database too. Exactly one.
	Addrs []string
	// Username and Password authenticate the client; both optional. The user
	// name needs a password.
	Username, Password string
	// DB is the number of the database.
	DB int
	// TLS is the configuration of encrypted connections; nil is none, unless
	// the address is a rediss:// URL.
	TLS *tls.Config
	// KeyPrefix precedes the name of each key and channel.
	KeyPrefix string
	// Log is asked for the logger each time something is logged; nil, or a nil
	// logger, logs nothing.
	Log func() *zap.Logger
}

// Validate reports what is wrong with the options. Errors name the field, but not
// its value, which may contain a password.
func (o Options) Validate() error {
	_, err := o.client()
	return err
}

// client returns the options of the Redis client. Errors name the field that is
// wrong, but not its value, which may contain a password.
func (o Options) client() (*redis.Options, error) {
	switch {
	case len(o.Addrs) == 0 || o.Addrs[0] == "":
		return nil, errors.New("redisstore: address: missing")
	case len(o.Addrs) > 1:
		return nil, errors.New("redisstore: address: more than one needs Sentinel or Cluster, which are not supported yet")
	}
	c := &redis.Options{Username: o.Username, Password: o.Password, DB: o.DB, TLSConfig: o.TLS}
	if err := setAddress(c, o.Addrs[0]); err != nil {
		return nil, err
	}
	switch {
	case c.DB < 0:
		return nil, errors.New("redisstore: db: negative")
	case c.Username != "" && c.Password == "":
		return nil, errors.New("redisstore: password: missing for the user name")
	case strings.ContainsAny(o.KeyPrefix, "{}"):
		return nil, errors.New("redisstore: key prefix: must not contain { or }, which have a meaning in a cluster")
	}
	c.Protocol = 2 // any server knows it, and nothing here needs 3
	c.MaxRetries = -1
	c.DialerRetries = 1
	c.DialTimeout = dialTimeout
	c.ReadTimeout = replyTimeout
	c.WriteTimeout = replyTimeout
	c.ContextTimeoutEnabled = true
	c.PoolSize = poolSize
	c.MaxActiveConns = poolSize
	c.PoolTimeout = replyTimeout
	c.DisableIdentity = true
	c.MaintNotificationsConfig = &maintnotifications.Config{Mode: maintnotifications.ModeDisabled}
	return c, nil
}

// setAddress sets what an address says.
func setAddress(c *redis.Options, address string) error {
	if strings.HasPrefix(address, "/") {
		c.Network, c.Addr = "unix", address
		return nil
	}
	if !strings.Contains(address, "://") {
		c.Network, c.Addr = "tcp", address
		host, port, err := net.SplitHostPort(address)
		if err != nil {
			host, port = strings.Trim(address, "[]"), defaultPort
			if strings.Contains(host, ":") && net.ParseIP(host) == nil {
				return errors.New("redisstore: address: not host:port")
			}
			c.Addr = net.JoinHostPort(host, port)
		}
		if n, err := strconv.ParseUint(port, 10, 16); host == "" || err != nil || n == 0 {
			return errors.New("redisstore: address: not host:port")
		}
		return nil
	}
	return setURL(c, address)
}

func setURL(c *redis.Options, address string) error {
	u, err := url.Parse(address)
	if err != nil {
		return errors.New("redisstore: address: not a URL")
	}
	for option := range u.Query() {
		if u.Scheme != "unix" || option != "db" {
			return errors.New("redisstore: address: the URL has an option that is not supported (unix:// knows db)")
		}
	}
	parsed, err := redis.ParseURL(address)
	if err != nil {
		return errors.New("redisstore: address: not a redis://, rediss:// or unix:// URL")
	}
	switch {
	case parsed.Username != "" && c.Username != "":
		return errors.New("redisstore: user name: given twice, in the address too")
	case parsed.Password != "" && c.Password != "":
		return errors.New("redisstore: password: given twice, in the address too")
	case parsed.DB != 0 && c.DB != 0:
		return errors.New("redisstore: db: given twice, in the address too")
	}
	c.Network, c.Addr = parsed.Network, parsed.Addr
	if parsed.Username != "" {
		c.Username = parsed.Username
	}
	if parsed.Password != "" {
		c.Password = parsed.Password
	}
	if parsed.DB != 0 {
		c.DB = parsed.DB
	}
	if c.TLSConfig == nil {
		c.TLSConfig = parsed.TLSConfig
	} else if c.TLSConfig.ServerName == "" && parsed.TLSConfig != nil {
		c.TLSConfig = c.TLSConfig.Clone()
		c.TLSConfig.ServerName = parsed.TLSConfig.ServerName
	}
	return nil
}

// identityKey makes the digests of Identity useless outside this process: a
// password cannot be guessed from one.
var identityKey = func() []byte {
	key := make([]byte, sha256.Size)
	_, _ = rand.Read(key) // never fails: crypto/rand ends the program instead
	return key
}()

// Identity is the same for options that lead to the same rooms in the same way,
// and differs otherwise, within one run of the program. No secret can be read
// from it.
func (o Options) Identity() string {
	c, err := o.client()
	if err != nil {
		return "redis:invalid"
	}
	text := fmt.Appendf(nil, "%q", c.Password)
	if t := c.TLSConfig; t != nil {
		text = fmt.Appendf(text, "%q %t %d", t.ServerName, t.InsecureSkipVerify, t.MinVersion)
		for _, certificate := range t.Certificates {
			text = fmt.Appendf(text, "%q", certificate.Certificate)
		}
		if t.RootCAs != nil {
			// The pool is made anew on each load of a configuration, so its
			// address would tell nothing.
			text = fmt.Appendf(text, "%q", t.RootCAs.Subjects()) //nolint:staticcheck // SA1019: incomplete for system pools only, which all are the same
		}
	}
	mac := hmac.New(sha256.New, identityKey)
	mac.Write(text)
	return fmt.Sprintf("redis:%s:%s/%d?prefix=%q&user=%q&auth=%s", c.Network, c.Addr, c.DB, o.KeyPrefix, c.Username,
		hex.EncodeToString(mac.Sum(nil)[:8]))
}
