package ephemeralchat

import (
	"errors"
	"net"
	"net/url"
	"path"
	"strconv"
	"strings"

	"github.com/ephemeralchat/caddy-ephemeral-chat/redisstore"
)

// redisPort is the port that is registered for Redis.
const redisPort = "6379"

// redisAddress is what an address of Redis says. None of the errors about one
// shows it, because it may hold a password.
type redisAddress struct {
	// dial is host:port, or the path of a Unix socket.
	dial string
	// host is empty for a Unix socket.
	host string
	tls  bool

	username, password string
	// db is the database; empty where the address names none.
	db string
}

// parseRedisAddress reads a host with or without a port, the path of a Unix
// socket, or a URL (the redis scheme as registered with IANA, rediss for TLS,
// unix for a socket).
func parseRedisAddress(text string) (redisAddress, error) {
	scheme, rest, isURL := strings.Cut(text, "://")
	switch {
	case strings.HasPrefix(text, "/"):
		return socketAddress(text)
	case isURL && scheme == "unix":
		return socketAddress(rest)
	case isURL && (scheme == "redis" || scheme == "rediss"):
		return parseRedisURL(text)
	case isURL:
		return redisAddress{}, errors.New("address: the scheme must be redis, rediss or unix")
	}
	return hostAddress(text)
}

func socketAddress(file string) (redisAddress, error) {
	if !path.IsAbs(file) {
		return redisAddress{}, errors.New("address: the path of a Unix socket must be absolute")
	}
	return redisAddress{dial: file}, nil
}

func parseRedisURL(text string) (redisAddress, error) {
	u, err := url.Parse(text)
	if err != nil {
		// The cause quotes the URL.
		return redisAddress{}, errors.New("address: not a valid URL (escape special characters of the password)") //nolint:nilerr // on purpose
	}
	if u.RawQuery != "" || u.Fragment != "" {
		return redisAddress{}, errors.New("address: a URL with a query or a fragment; there are options for what it may want to say")
	}
	address, err := hostAddress(u.Host)
	if err != nil {
		return redisAddress{}, err
	}
	address.tls = u.Scheme == "rediss"
	address.username = u.User.Username()
	address.password, _ = u.User.Password()
	address.db = strings.TrimPrefix(u.Path, "/")
	return address, nil
}

// hostAddress reads a host with or without a port. An IPv6 address with a port
// stands in brackets (RFC 3986, section 3.2.2).
func hostAddress(text string) (redisAddress, error) {
	host, port := text, redisPort
	if ip := net.ParseIP(strings.Trim(text, "[]")); ip != nil && ip.To4() == nil {
		host = ip.String()
	} else if strings.Contains(text, ":") {
		var err error
		if host, port, err = net.SplitHostPort(text); err != nil {
			return redisAddress{}, errors.New("address: neither host:port nor a URL") //nolint:nilerr // the cause quotes the address
		}
	}
	if host == "" || strings.ContainsAny(host, "@/ ,") {
		return redisAddress{}, errors.New("address: no valid host in it")
	}
	if number, err := strconv.ParseUint(port, 10, 16); err != nil || number == 0 {
		return redisAddress{}, errors.New("address: the port must be a number from 1 to 65535") //nolint:nilerr // the cause adds nothing
	}
	return redisAddress{dial: net.JoinHostPort(host, port), host: host}, nil
}

// complete adds what the address says to the options, which must not say it as
// well.
func (a *redisAddress) complete(options *redisstore.Options) error {
	if a.username != "" || a.password != "" {
		if options.Username != "" || options.Password != "" {
			return errors.New("username and password stand both in the address and beside it")
		}
		options.Username, options.Password = a.username, a.password
	}
	if a.db != "" {
		db, err := strconv.ParseUint(a.db, 10, 16)
		if err != nil {
			return errors.New("address: the database must be a number")
		}
		if options.DB != 0 {
			return errors.New("db stands both in the address and beside it")
		}
		options.DB = int(db)
	}
	return nil
}
