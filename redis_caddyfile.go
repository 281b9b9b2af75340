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
// tls and sentinel need no block. Several addresses are those of sentinels or of nodes of
// a cluster. Errors do not quote values that may be secret.
func (s *RedisStore) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	d.Next() // the store's name
	s.Addresses = d.RemainingArgs()
	err := unmarshalBlock(d, "redis", func(name string) error { return s.unmarshalOption(d, name) })
	if err != nil {
		return err
	}
	if err := s.check(); err != nil {
		return d.Errf("redis: %w", err)
	}
	if err := s.checkLiteral(); err != nil {
		return d.WrapErr(err)
	}
	return nil
}

func (s *RedisStore) unmarshalOption(d *caddyfile.Dispenser, name string) error {
	switch name {
	case "username":
		return unmarshalSecret(d, "redis", &s.Username)
	case "password":
		return unmarshalSecret(d, "redis", &s.Password)
	case "key_prefix":
		return unmarshalSecret(d, "redis", &s.KeyPrefix)
	case "db":
		var text string
		if !d.AllArgs(&text) {
			return d.ArgErr()
		}
		db, err := parseCount(text)
		if err != nil {
			return d.Errf("redis: db: %w", err)
		}
		if db < 0 {
			return d.Errf("redis: db must be 0 or more, not %d", db)
		}
		s.DB = db
		return noBlock(d)
	case "tls":
		return s.unmarshalTLS(d)
	case "sentinel":
		return s.unmarshalSentinel(d)
	case "cluster":
		if d.NextArg() {
			return d.ArgErr()
		}
		s.Cluster = true
		if s.Sentinel != nil {
			return d.Errf("redis: %w", errExclusive)
		}
		return noBlock(d)
	}
	return d.Errf("redis: unknown option %q", name)
}

func (s *RedisStore) unmarshalSentinel(d *caddyfile.Dispenser) error {
	s.Sentinel = new(RedisSentinel)
	if !d.AllArgs(&s.Sentinel.Master) {
		return d.ArgErr()
	}
	if s.Cluster {
		return d.Errf("redis: %w", errExclusive)
	}
	texts := map[string]*string{"username": &s.Sentinel.Username, "password": &s.Sentinel.Password}
	return unmarshalBlock(d, "redis: sentinel", func(name string) error {
		if texts[name] == nil {
			return d.Errf("redis: sentinel: unknown option %q", name)
		}
		return unmarshalSecret(d, "redis: sentinel", texts[name])
	})
}

func (s *RedisStore) unmarshalTLS(d *caddyfile.Dispenser) error {
	if d.NextArg() {
		return d.ArgErr()
	}
	s.TLS = new(RedisTLS)
	return unmarshalBlock(d, "redis: tls", func(name string) error {
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
		return noBlock(d)
	})
}

// Interface guards
var _ caddyfile.Unmarshaler = (*RedisStore)(nil)
