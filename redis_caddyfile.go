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
	err := unmarshalBlock(d, "redis", map[string]func() error{
		"sentinel": func() error { return s.unmarshalSentinel(d) },
		"cluster": func() error {
			s.Cluster = true
			if d.NextArg() {
				return d.ArgErr()
			}
			return s.checkTopology(d)
		},
		"username":   func() error { return unmarshalSecret(d, &s.Username) },
		"password":   func() error { return unmarshalSecret(d, &s.Password) },
		"db":         func() error { return unmarshalValue(d, checkDB, &s.DB, parseCount) },
		"key_prefix": func() error { return unmarshalSecret(d, &s.KeyPrefix) },
		"tls":        func() error { return s.unmarshalTLS(d) },
	})
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

// checkTopology returns an error with the line of the second of two options.
func (s *RedisStore) checkTopology(d *caddyfile.Dispenser) error {
	if s.Sentinel != nil && s.Cluster {
		return d.WrapErr(errExclusive)
	}
	return nil
}

func (s *RedisStore) unmarshalSentinel(d *caddyfile.Dispenser) error {
	s.Sentinel = new(RedisSentinel)
	if !d.AllArgs(&s.Sentinel.Master) {
		return d.ArgErr()
	}
	if err := s.checkTopology(d); err != nil {
		return err
	}
	return unmarshalBlock(d, "sentinel", map[string]func() error{
		"username": func() error { return unmarshalSecret(d, &s.Sentinel.Username) },
		"password": func() error { return unmarshalSecret(d, &s.Sentinel.Password) },
	})
}

func (s *RedisStore) unmarshalTLS(d *caddyfile.Dispenser) error {
	if d.NextArg() {
		return d.ArgErr()
	}
	s.TLS = new(RedisTLS)
	done := func(ok bool) error {
		if !ok {
			return d.ArgErr()
		}
		return nil
	}
	return unmarshalBlock(d, "tls", map[string]func() error{
		"ca": func() error {
			s.TLS.CA = d.RemainingArgs()
			return done(len(s.TLS.CA) > 0)
		},
		"certificate": func() error { return done(d.AllArgs(&s.TLS.Certificate, &s.TLS.Key)) },
		"server_name": func() error { return done(d.AllArgs(&s.TLS.ServerName)) },
		"insecure_skip_verify": func() error {
			s.TLS.InsecureSkipVerify = true
			return done(!d.NextArg())
		},
	})
}

// Interface guards
var _ caddyfile.Unmarshaler = (*RedisStore)(nil)
