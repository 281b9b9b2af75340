package ephemeralchat

import (
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
)

// UnmarshalCaddyfile sets up the store from Caddyfile tokens. Syntax:
//
//	redis [<address>...] {
//	    sentinel <master> {
//	        username <name>
//	        password <password>
//	    }
//	    cluster
//	    username   <name>
//	    password   <password>
//	    db         <number>
//	    key_prefix <prefix>
//	    tls {
//	        ca                   <file>...
//	        certificate          <file> <key file>
//	        server_name          <name>
//	        insecure_skip_verify
//	    }
//	}
//
// tls and sentinel need no block. Several addresses are those of sentinels or of a
// cluster. Nothing that may be secret is quoted in an error.
func (s *RedisStore) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	d.Next() // the name of the store
	s.Addresses = d.RemainingArgs()
	seen := make(map[string]bool)
	for nesting := d.Nesting(); d.NextBlock(nesting); {
		name := d.Val()
		if seen[name] {
			return d.Errf("redis: %s is given twice", name)
		}
		seen[name] = true
		if err := s.unmarshalOption(d, name); err != nil {
			return err
		}
	}
	if err := s.check(); err != nil {
		return d.Errf("redis: %w", err)
	}
	if err := s.checkPlain(); err != nil {
		return d.WrapErr(err)
	}
	return nil
}

func (s *RedisStore) unmarshalOption(d *caddyfile.Dispenser, name string) error {
	text := map[string]*string{"username": &s.Username, "password": &s.Password, "key_prefix": &s.KeyPrefix}
	switch name {
	case "username", "password", "key_prefix":
		if !d.AllArgs(text[name]) {
			// Not ArgErr, which quotes the last token.
			return d.Errf("redis: %s takes one value", name)
		}
	case "db":
		var value string
		if !d.AllArgs(&value) {
			return d.ArgErr()
		}
		number, err := parseCount(value)
		if err != nil {
			return d.Errf("redis: db: %w", err)
		}
		if number < 0 {
			return d.Err("redis: db must not be negative")
		}
		s.DB = number
	case "tls":
		return s.unmarshalTLS(d)
	case "sentinel":
		return s.unmarshalSentinel(d)
	case "cluster":
		s.Cluster = true
		if d.NextArg() {
			return d.ArgErr()
		}
		if s.Sentinel != nil {
			return d.Err("redis: sentinel and cluster exclude each other")
		}
	default:
		return d.Errf("redis: unknown option %q", name)
	}
	return noBlock(d)
}

func (s *RedisStore) unmarshalSentinel(d *caddyfile.Dispenser) error {
	s.Sentinel = new(RedisSentinel)
	if !d.AllArgs(&s.Sentinel.Master) {
		return d.ArgErr()
	}
	if s.Cluster {
		return d.Err("redis: sentinel and cluster exclude each other")
	}
	seen := make(map[string]bool)
	for nesting := d.Nesting(); d.NextBlock(nesting); {
		name := d.Val()
		if seen[name] {
			return d.Errf("redis: sentinel: %s is given twice", name)
		}
		seen[name] = true
		text := map[string]*string{"username": &s.Sentinel.Username, "password": &s.Sentinel.Password}[name]
		if text == nil {
			return d.Errf("redis: sentinel: unknown option %q", name)
		}
		if !d.AllArgs(text) {
			// Not ArgErr, which quotes the last token.
			return d.Errf("redis: sentinel: %s takes one value", name)
		}
		if err := noBlock(d); err != nil {
			return err
		}
	}
	return nil
}

func (s *RedisStore) unmarshalTLS(d *caddyfile.Dispenser) error {
	if d.NextArg() {
		return d.ArgErr()
	}
	s.TLS = new(RedisTLS)
	seen := make(map[string]bool)
	for nesting := d.Nesting(); d.NextBlock(nesting); {
		name := d.Val()
		if seen[name] {
			return d.Errf("redis: tls: %s is given twice", name)
		}
		seen[name] = true
		var ok bool
		switch name {
		case "ca":
			s.TLS.CA = d.RemainingArgs()
			ok = len(s.TLS.CA) > 0
		case "certificate":
			ok = d.AllArgs(&s.TLS.Certificate, &s.TLS.Key)
		case "server_name":
			ok = d.AllArgs(&s.TLS.ServerName)
		case "insecure_skip_verify":
			s.TLS.InsecureSkipVerify = true
			ok = !d.NextArg()
		default:
			return d.Errf("redis: tls: unknown option %q", name)
		}
		if !ok {
			return d.ArgErr()
		}
		if err := noBlock(d); err != nil {
			return err
		}
	}
	return nil
}

// Interface guards
var _ caddyfile.Unmarshaler = (*RedisStore)(nil)
