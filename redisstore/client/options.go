package client

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"go.uber.org/zap"
)

// Options name the Redis that a store uses, and how it uses it.
type Options struct {
	// Addrs are the addresses of Redis. One server has one address: host:port, host,
	// the path of a unix socket, or a redis://, rediss:// or unix:// URL, which may
	// include user name, password and database. For sentinels and for a cluster, give
	// host:port or host of some of them, the more the better: one that can be reached
	// names the others.
	Addrs []string
	// Sentinel, if its Master is not empty, means that Addrs are those of sentinels.
	Sentinel Sentinel
	// Cluster means that Addrs are those of nodes of a Redis Cluster.
	Cluster bool
	// Username and Password authenticate the client to the servers that hold the
	// data; both optional. The user name needs a password.
	Username, Password string
	// DB is the number of the database. A cluster has only 0.
	DB int
	// TLS is the configuration of encrypted connections, to sentinels too. Nil means
	// no encryption, unless the address is a rediss:// URL.
	TLS *tls.Config
	// KeyPrefix precedes the name of each key and channel.
	KeyPrefix string
	// Log is called for the logger at each log entry. Nil, or a nil logger, logs
	// nothing.
	Log func() *zap.Logger

	network string // "tcp" or "unix"; set by resolve
}

// Sentinel names the master whose sentinels are asked for its address.
type Sentinel struct {
	// Master is the sentinels' name of the master.
	Master string
	// Username and Password authenticate the client to the sentinels; both
	// optional. The user name needs a password.
	Username, Password string
}

// Validate returns the first mistake in the options. Errors name the field, but not
// its value, which may contain a password.
func (o Options) Validate() error {
	_, err := o.resolve()
	return err
}

// several reports whether more than one address is allowed.
func (o *Options) several() bool { return o.Cluster || o.Sentinel.Master != "" }

// resolve returns validated options with URLs parsed and defaults filled in: an address
// is host:port, or the path of a socket.
func (o Options) resolve() (*Options, error) {
	switch {
	case o.Cluster && o.Sentinel.Master != "":
		return nil, errors.New("redisstore: cluster: has no sentinels; one of the two")
	case o.Sentinel.Master == "" && o.Sentinel != Sentinel{}:
		return nil, errors.New("redisstore: sentinel: the name of the master is missing")
	case o.Sentinel.Username != "" && o.Sentinel.Password == "":
		return nil, errors.New("redisstore: sentinel password: missing for the user name")
	case len(o.Addrs) == 0:
		return nil, errors.New("redisstore: address: missing")
	case len(o.Addrs) > 1 && !o.several():
		return nil, errors.New("redisstore: address: more than one are those of sentinels or of a cluster")
	}
	if err := o.setAddrs(); err != nil {
		return nil, err
	}
	switch {
	case o.DB < 0:
		return nil, errors.New("redisstore: db: negative")
	case o.Cluster && o.DB != 0:
		return nil, errors.New("redisstore: db: a cluster has only 0")
	case o.Username != "" && o.Password == "":
		return nil, errors.New("redisstore: password: missing for the user name")
	case strings.ContainsAny(o.KeyPrefix, "{}"):
		return nil, errors.New("redisstore: key prefix: must not contain { or }, which have a meaning in a cluster")
	}
	return &o, nil
}

// Name returns addresses, the sentinels' name of the master, database and key
// prefix, for people to read. It contains no secret. Options that differ in how
// they reach the same rooms may have the same name.
func (o Options) Name() string {
	r, err := o.resolve()
	if err != nil {
		return ""
	}
	parts := []string{strings.Join(r.Addrs, ","), r.Sentinel.Master, strconv.Itoa(r.DB), o.KeyPrefix}
	return strings.Join(slices.DeleteFunc(parts, func(part string) bool { return part == "" }), "/")
}

// identityKey makes the digests in identities useless outside this process: they do
// not help to guess a password.
var identityKey = []byte(rand.Text())

// Identity is equal for options that lead to the same rooms in the same way, and
// differs otherwise, within one run of the program. It reveals no secret.
func (o Options) Identity() string {
	r, err := o.resolve()
	if err != nil {
		return "redis:invalid"
	}
	slices.Sort(r.Addrs)
	b := fmt.Appendf(nil, "%q %q %d %q %q %q %t %q", r.network, r.Addrs, r.DB, r.Username, r.Password, r.Sentinel, r.Cluster, r.KeyPrefix)
	if t := r.TLS; t != nil {
		b = fmt.Appendf(b, "%q %t %d", t.ServerName, t.InsecureSkipVerify, t.MinVersion)
		for _, certificate := range t.Certificates {
			b = fmt.Appendf(b, "%q", certificate.Certificate)
		}
		if t.RootCAs != nil {
			// Each load of a configuration makes a new pool, so its address would
			// always differ.
			b = fmt.Appendf(b, "%q", t.RootCAs.Subjects()) //nolint:staticcheck // SA1019: incomplete for system pools only, which are all the same
		}
	}
	mac := hmac.New(sha256.New, identityKey)
	mac.Write(b)
	return "redis:" + hex.EncodeToString(mac.Sum(nil))
}
