package client

import (
	"cmp"
	"errors"
	"net"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/redis/go-redis/v9"
)

// Ports of addresses without one.
const (
	defaultPort         = "6379"
	defaultSentinelPort = "26379"
)

// setAddrs parses the addresses.
func (r *resolved) setAddrs(addrs []string) error {
	port := defaultPort
	if r.sentinel.Master != "" {
		port = defaultSentinelPort
	}
	for _, addr := range addrs {
		isPath, isURL := strings.HasPrefix(addr, "/"), strings.Contains(addr, "://")
		switch {
		case addr == "":
			return errors.New("redisstore: address: empty")
		case r.several() && (isPath || isURL):
			return errors.New("redisstore: address: of sentinels and of a cluster, host or host:port is expected")
		case isPath:
			r.network, r.addrs = "unix", []string{addr}
			return nil
		case isURL:
			return r.setURL(addr)
		}
		full, err := withPort(addr, port)
		if err != nil {
			return err
		}
		if slices.Contains(r.addrs, full) {
			return errors.New("redisstore: address: given twice")
		}
		r.network, r.addrs = "tcp", append(r.addrs, full)
	}
	return nil
}

// withPort returns host:port for host:port or host.
func withPort(addr, port string) (string, error) {
	host, given, err := net.SplitHostPort(addr)
	if err != nil {
		host, given = strings.Trim(addr, "[]"), port
		if strings.Contains(host, ":") && net.ParseIP(host) == nil {
			return "", errors.New("redisstore: address: not host:port")
		}
	}
	if n, err := strconv.ParseUint(given, 10, 16); host == "" || err != nil || n == 0 {
		return "", errors.New("redisstore: address: not host:port")
	}
	return net.JoinHostPort(host, given), nil
}

func (r *resolved) setURL(addr string) error {
	u, err := url.Parse(addr)
	if err != nil {
		return errors.New("redisstore: address: not a URL")
	}
	for option := range u.Query() {
		if u.Scheme != "unix" || option != "db" {
			return errors.New("redisstore: address: the URL has an option that is not supported (unix:// knows db)")
		}
	}
	parsed, err := redis.ParseURL(addr)
	if err != nil {
		return errors.New("redisstore: address: not a redis://, rediss:// or unix:// URL")
	}
	switch {
	case parsed.Username != "" && r.username != "":
		return errors.New("redisstore: user name: given twice, in the address too")
	case parsed.Password != "" && r.password != "":
		return errors.New("redisstore: password: given twice, in the address too")
	case parsed.DB != 0 && r.db != 0:
		return errors.New("redisstore: db: given twice, in the address too")
	}
	r.network, r.addrs = parsed.Network, []string{parsed.Addr}
	r.username, r.password = cmp.Or(parsed.Username, r.username), cmp.Or(parsed.Password, r.password)
	r.db = cmp.Or(parsed.DB, r.db)
	if r.tls == nil {
		r.tls = parsed.TLSConfig
	} else if r.tls.ServerName == "" && parsed.TLSConfig != nil {
		r.tls = r.tls.Clone()
		r.tls.ServerName = parsed.TLSConfig.ServerName
	}
	return nil
}
