package redisstore_test

import (
	"crypto/tls"
	"strings"
	"testing"

	"github.com/ephemeralchat/caddy-ephemeral-chat/redisstore"
)

func TestOptions(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		options redisstore.Options
		fault   string // what the error names; "" if there is none
	}{
		"host and port":      {redisstore.Options{Addrs: []string{"localhost:6380"}}, ""},
		"host":               {redisstore.Options{Addrs: []string{"redis"}}, ""},
		"IPv6":               {redisstore.Options{Addrs: []string{"[::1]:6379"}}, ""},
		"IPv6 without port":  {redisstore.Options{Addrs: []string{"::1"}}, ""},
		"unix socket":        {redisstore.Options{Addrs: []string{"/run/redis.sock"}}, ""},
		"URL":                {redisstore.Options{Addrs: []string{"redis://anna:secret@localhost:6379/3"}}, ""},
		"URL with TLS":       {redisstore.Options{Addrs: []string{"rediss://localhost"}, TLS: &tls.Config{MinVersion: tls.VersionTLS13}}, ""},
		"unix URL":           {redisstore.Options{Addrs: []string{"unix://anna:secret@/run/redis.sock?db=3"}}, ""},
		"sentinels":          {sentinel("a", "b:1", "[::1]"), ""},
		"one sentinel":       {sentinel("a"), ""},
		"sentinels' secrets": {redisstore.Options{Addrs: []string{"a"}, Sentinel: redisstore.Sentinel{Master: "main", Username: "b", Password: "secret"}}, ""},
		"cluster":            {redisstore.Options{Addrs: []string{"a", "b:1"}, Cluster: true}, ""},
		"cluster with user":  {redisstore.Options{Addrs: []string{"a"}, Cluster: true, Username: "b", Password: "secret", KeyPrefix: "chat:"}, ""},
		"nothing":            {redisstore.Options{}, "address"},
		"empty":              {redisstore.Options{Addrs: []string{""}}, "address"},
		"several":            {redisstore.Options{Addrs: []string{"a:1", "b:1"}}, "address"},
		"no host":            {redisstore.Options{Addrs: []string{":6379"}}, "address"},
		"no number":          {redisstore.Options{Addrs: []string{"a:secret"}}, "address"},
		"port zero":          {redisstore.Options{Addrs: []string{"a:0"}}, "address"},
		"port too high":      {redisstore.Options{Addrs: []string{"a:65536"}}, "address"},
		"too many colons":    {redisstore.Options{Addrs: []string{"a:secret:b"}}, "address"},
		"other scheme":       {redisstore.Options{Addrs: []string{"http://anna:secret@localhost"}}, "address"},
		"broken URL":         {redisstore.Options{Addrs: []string{"redis://anna:secret@local host:x"}}, "address"},
		"broken database":    {redisstore.Options{Addrs: []string{"redis://:secret@localhost/x"}}, "address"},
		"URL with options":   {redisstore.Options{Addrs: []string{"redis://:secret@localhost?max_retries=3"}}, "address"},
		"negative database":  {redisstore.Options{Addrs: []string{"a"}, DB: -1}, "db"},
		"database twice":     {redisstore.Options{Addrs: []string{"redis://a/1"}, DB: 2}, "db"},
		"password twice":     {redisstore.Options{Addrs: []string{"redis://:secret@a"}, Password: "secret"}, "password"},
		"user name twice":    {redisstore.Options{Addrs: []string{"redis://b:secret@a"}, Username: "b"}, "user name"},
		"user, no password":  {redisstore.Options{Addrs: []string{"a"}, Username: "b"}, "password"},
		"no sentinel":        {sentinel(), "address"},
		"sentinel twice":     {sentinel("a", "a:26379"), "address"},
		"sentinel's socket":  {sentinel("/run/redis.sock"), "address"},
		"sentinel's URL":     {sentinel("redis://:secret@a"), "address"},
		"no master":          {redisstore.Options{Addrs: []string{"a"}, Sentinel: redisstore.Sentinel{Password: "secret"}}, "sentinel"},
		"sentinel's user":    {redisstore.Options{Addrs: []string{"a"}, Sentinel: redisstore.Sentinel{Master: "main", Username: "b"}}, "sentinel password"},
		"no seed":            {redisstore.Options{Cluster: true}, "address"},
		"empty seed":         {redisstore.Options{Addrs: []string{"a", ""}, Cluster: true}, "address"},
		"seed twice":         {redisstore.Options{Addrs: []string{"a", "a:6379"}, Cluster: true}, "address"},
		"seed's URL":         {redisstore.Options{Addrs: []string{"redis://:secret@a"}, Cluster: true}, "address"},
		"cluster's database": {redisstore.Options{Addrs: []string{"a"}, Cluster: true, DB: 1}, "db"},
		"both":               {redisstore.Options{Addrs: []string{"a"}, Cluster: true, Sentinel: redisstore.Sentinel{Master: "main"}}, "cluster"},
		"hash tag in prefix": {redisstore.Options{Addrs: []string{"a"}, KeyPrefix: "{chat}"}, "key prefix"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, err := redisstore.New(test.options)
			if err == nil {
				if err := s.Close(); err != nil {
					t.Error(err)
				}
			}
			switch {
			case test.fault == "" && err != nil:
				t.Errorf("New: %v", err)
			case test.fault != "" && err == nil:
				t.Errorf("New succeeds, want an error about the %s", test.fault)
			case test.fault != "" && (!strings.Contains(err.Error(), test.fault+":") || strings.Contains(err.Error(), "secret")):
				t.Errorf("New: %v, want an error about the %s, without its value", err, test.fault)
			}
		})
	}
}

func sentinel(addrs ...string) redisstore.Options {
	return redisstore.Options{Addrs: addrs, Sentinel: redisstore.Sentinel{Master: "main"}}
}

func TestIdentity(t *testing.T) {
	t.Parallel()
	base := func(change func(*redisstore.Options)) redisstore.Options {
		o := redisstore.Options{Addrs: []string{"localhost:6379"}, Username: "chat", Password: "secret", TLS: &tls.Config{MinVersion: tls.VersionTLS12}}
		change(&o)
		return o
	}
	same := base(func(*redisstore.Options) {}).Identity()
	for name, o := range map[string]redisstore.Options{
		"again":      base(func(o *redisstore.Options) { o.TLS = &tls.Config{MinVersion: tls.VersionTLS12} }),
		"no port":    base(func(o *redisstore.Options) { o.Addrs = []string{"localhost"} }),
		"other node": base(func(o *redisstore.Options) { o.Log = nil }),
		"as a URL": base(func(o *redisstore.Options) {
			o.Addrs, o.Username, o.Password = []string{"redis://chat:secret@localhost"}, "", ""
		}),
	} {
		if got := o.Identity(); got != same {
			t.Errorf("%s: %s, want %s", name, got, same)
		}
	}
	for name, pair := range map[string][2]redisstore.Options{
		"sentinels": {sentinel("a", "b"), sentinel("b:26379", "a")},
		"cluster":   {{Addrs: []string{"a", "b"}, Cluster: true}, {Addrs: []string{"b:6379", "a"}, Cluster: true}},
	} {
		if first, second := pair[0].Identity(), pair[1].Identity(); first != second {
			t.Errorf("%s in another order: %s, want %s", name, second, first)
		}
	}
	seen := map[string]string{same: "base"}
	for name, o := range map[string]redisstore.Options{
		"host":     base(func(o *redisstore.Options) { o.Addrs = []string{"redis:6379"} }),
		"port":     base(func(o *redisstore.Options) { o.Addrs = []string{"localhost:6380"} }),
		"user":     base(func(o *redisstore.Options) { o.Username = "other" }),
		"password": base(func(o *redisstore.Options) { o.Password = "other" }),
		"database": base(func(o *redisstore.Options) { o.DB = 1 }),
		"prefix":   base(func(o *redisstore.Options) { o.KeyPrefix = "p" }),
		"no TLS":   base(func(o *redisstore.Options) { o.TLS = nil }),
		"cluster":  base(func(o *redisstore.Options) { o.Cluster = true }),
		"seed":     base(func(o *redisstore.Options) { o.Cluster, o.Addrs = true, []string{"localhost", "redis"} }),
		"sentinel": base(func(o *redisstore.Options) { o.Sentinel.Master = "main" }),
		"master":   base(func(o *redisstore.Options) { o.Sentinel.Master = "other" }),
		"sentinel's password": base(func(o *redisstore.Options) {
			o.Sentinel = redisstore.Sentinel{Master: "main", Password: "secret"}
		}),
		"TLS name": base(func(o *redisstore.Options) { o.TLS = &tls.Config{MinVersion: tls.VersionTLS12, ServerName: "other"} }),
	} {
		got := o.Identity()
		if other, taken := seen[got]; taken {
			t.Errorf("%s has the identity of %s: %s", name, other, got)
		}
		seen[got] = name
		if strings.Contains(got, "secret") {
			t.Errorf("%s: the password can be read: %s", name, got)
		}
	}
}
