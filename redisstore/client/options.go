package redisstore

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"

	"go.uber.org/zap"
)

// Options say which Redis a Store uses, and how.
type Options struct {
	// Addrs is where Redis is. Of one server, it is one of host:port, host, the
	// path of a unix socket, or a redis://, rediss:// or unix:// URL, which may
	// carry user name, password and database too. Of sentinels and of a cluster it
	// is host:port or host of some of them, the more the better: one that can be
	// reached names the others.
	Addrs []string
	// Sentinel, where its Master is not empty, says that Addrs are sentinels.
	Sentinel Sentinel
	// Cluster says that Addrs are nodes of a Redis Cluster.
	Cluster bool
	// Username and Password authenticate the client to the servers that keep the
	// data; both optional. The user name needs a password.
	Username, Password string
	// DB is the number of the database. A cluster has only 0.
	DB int
	// TLS is the configuration of encrypted connections, to sentinels too; nil is
	// none, unless the address is a rediss:// URL.
	TLS *tls.Config
	// KeyPrefix precedes the name of each key and channel.
	KeyPrefix string
	// Log is asked for the logger each time something is logged; nil, or a nil
	// logger, logs nothing.
	Log func() *zap.Logger
}

// Sentinel says which master of sentinels has the data.
type Sentinel struct {
	// Master is the name by which sentinels know the master.
	Master string
	// Username and Password authenticate the client to the sentinels; both
	// optional. The user name needs a password.
	Username, Password string
}

// Validate reports what is wrong with the options. Errors name the field, but not
// its value, which may contain a password.
func (o Options) Validate() error {
	_, err := o.place()
	return err
}

// place is where Redis is and how one gets in: what Options say, checked and with
// nothing left out.
type place struct {
	network            string   // "tcp" or "unix"
	addrs              []string // host:port, or the path of a socket; one, unless cluster or sentinel
	username, password string
	db                 int
	tls                *tls.Config
	sentinel           Sentinel
	cluster            bool
}

// several reports whether there may be more than one address.
func (p *place) several() bool { return p.cluster || p.sentinel.Master != "" }

// place makes one form of all ways to say the same. Errors name the field that is
// wrong, but not its value, which may contain a password.
func (o Options) place() (*place, error) {
	p := &place{
		username: o.Username, password: o.Password, db: o.DB, tls: o.TLS,
		sentinel: o.Sentinel, cluster: o.Cluster,
	}
	switch {
	case o.Cluster && o.Sentinel.Master != "":
		return nil, errors.New("redisstore: cluster: has no sentinels; one of the two")
	case o.Sentinel.Master == "" && o.Sentinel != Sentinel{}:
		return nil, errors.New("redisstore: sentinel: the name of the master is missing")
	case o.Sentinel.Username != "" && o.Sentinel.Password == "":
		return nil, errors.New("redisstore: sentinel password: missing for the user name")
	case len(o.Addrs) == 0:
		return nil, errors.New("redisstore: address: missing")
	case len(o.Addrs) > 1 && !p.several():
		return nil, errors.New("redisstore: address: more than one are those of sentinels or of a cluster")
	}
	if err := p.setAddresses(o.Addrs); err != nil {
		return nil, err
	}
	switch {
	case p.db < 0:
		return nil, errors.New("redisstore: db: negative")
	case p.cluster && p.db != 0:
		return nil, errors.New("redisstore: db: a cluster has only 0")
	case p.username != "" && p.password == "":
		return nil, errors.New("redisstore: password: missing for the user name")
	case strings.ContainsAny(o.KeyPrefix, "{}"):
		return nil, errors.New("redisstore: key prefix: must not contain { or }, which have a meaning in a cluster")
	}
	return p, nil
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
	p, err := o.place()
	if err != nil {
		return "redis:invalid"
	}
	text := fmt.Appendf(nil, "%q %q %q", p.password, p.sentinel.Username, p.sentinel.Password)
	if t := p.tls; t != nil {
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
	kind := ""
	switch {
	case p.cluster:
		kind = "cluster:"
	case p.sentinel.Master != "":
		kind = fmt.Sprintf("sentinel=%q:", p.sentinel.Master)
	}
	slices.Sort(p.addrs)
	return fmt.Sprintf("redis:%s%s:%s/%d?prefix=%q&user=%q&auth=%s", kind, p.network, strings.Join(p.addrs, ","), p.db,
		o.KeyPrefix, p.username, hex.EncodeToString(mac.Sum(nil)[:8]))
}
