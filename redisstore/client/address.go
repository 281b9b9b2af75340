package redisstore

import (
	"errors"
	"net"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/redis/go-redis/v9"
)

// The ports of a server and of a sentinel where none is given.
const (
	defaultPort         = "6379"
	defaultSentinelPort = "26379"
)

// setAddresses sets what the addresses say.
func (p *place) setAddresses(addresses []string) error {
	port := defaultPort
	if p.sentinel.Master != "" {
		port = defaultSentinelPort
	}
	for _, address := range addresses {
		switch {
		case address == "":
			return errors.New("redisstore: address: empty")
		case p.several() && (strings.HasPrefix(address, "/") || strings.Contains(address, "://")):
			return errors.New("redisstore: address: of sentinels and of a cluster, host or host:port is expected")
		case strings.HasPrefix(address, "/"):
			p.network, p.addrs = "unix", []string{address}
			return nil
		case strings.Contains(address, "://"):
			return p.setURL(address)
		}
		full, err := withPort(address, port)
		if err != nil {
			return err
		}
		if slices.Contains(p.addrs, full) {
			return errors.New("redisstore: address: given twice")
		}
		p.network, p.addrs = "tcp", append(p.addrs, full)
	}
	return nil
}

// withPort returns host:port of host:port or host.
func withPort(address, port string) (string, error) {
	host, given, err := net.SplitHostPort(address)
	if err != nil {
		host, given = strings.Trim(address, "[]"), port
		if strings.Contains(host, ":") && net.ParseIP(host) == nil {
			return "", errors.New("redisstore: address: not host:port")
		}
	}
	if n, err := strconv.ParseUint(given, 10, 16); host == "" || err != nil || n == 0 {
		return "", errors.New("redisstore: address: not host:port")
	}
	return net.JoinHostPort(host, given), nil
}

func (p *place) setURL(address string) error {
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
	case parsed.Username != "" && p.username != "":
		return errors.New("redisstore: user name: given twice, in the address too")
	case parsed.Password != "" && p.password != "":
		return errors.New("redisstore: password: given twice, in the address too")
	case parsed.DB != 0 && p.db != 0:
		return errors.New("redisstore: db: given twice, in the address too")
	}
	p.network, p.addrs = parsed.Network, []string{parsed.Addr}
	if parsed.Username != "" {
		p.username = parsed.Username
	}
	if parsed.Password != "" {
		p.password = parsed.Password
	}
	if parsed.DB != 0 {
		p.db = parsed.DB
	}
	if p.tls == nil {
		p.tls = parsed.TLSConfig
	} else if p.tls.ServerName == "" && parsed.TLSConfig != nil {
		p.tls = p.tls.Clone()
		p.tls.ServerName = parsed.TLSConfig.ServerName
	}
	return nil
}
