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

// setAddrs parses the addresses, and adds the usual port to those without one.
func (o *Options) setAddrs() error {
	addrs, port := o.Addrs, "6379"
	o.Addrs = nil
	if o.Sentinel.Master != "" {
		port = "26379"
	}
	for _, addr := range addrs {
		isPath, isURL := strings.HasPrefix(addr, "/"), strings.Contains(addr, "://")
		switch {
		case addr == "":
			return errors.New("redisstore: address: empty")
		case o.several() && (isPath || isURL):
			return errors.New("redisstore: address: of sentinels and of a cluster, host or host:port is expected")
		case isPath:
			o.network, o.Addrs = "unix", []string{addr}
			return nil
		case isURL:
			return o.setURL(addr)
		}
		full, err := withPort(addr, port)
		if err != nil {
			return err
		}
		if slices.Contains(o.Addrs, full) {
			return errors.New("redisstore: address: given twice")
		}
		o.network, o.Addrs = "tcp", append(o.Addrs, full)
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

func (o *Options) setURL(addr string) error {
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
	case parsed.Username != "" && o.Username != "":
		return errors.New("redisstore: user name: given twice, in the address too")
	case parsed.Password != "" && o.Password != "":
		return errors.New("redisstore: password: given twice, in the address too")
	case parsed.DB != 0 && o.DB != 0:
		return errors.New("redisstore: db: given twice, in the address too")
	}
	o.network, o.Addrs = parsed.Network, []string{parsed.Addr}
	o.Username, o.Password = cmp.Or(parsed.Username, o.Username), cmp.Or(parsed.Password, o.Password)
	o.DB = cmp.Or(parsed.DB, o.DB)
	if o.TLS == nil {
		o.TLS = parsed.TLSConfig
	} else if o.TLS.ServerName == "" && parsed.TLSConfig != nil {
		o.TLS = o.TLS.Clone()
		o.TLS.ServerName = parsed.TLSConfig.ServerName
	}
	return nil
}
