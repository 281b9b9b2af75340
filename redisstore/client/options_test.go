package client_test

import (
	"crypto/tls"
	"strings"
	"testing"

	"github.com/ephemeralchat/caddy-ephemeral-chat/redisstore/client"
)

func TestOptions(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		options client.Options
		fault   string // what the error names; "" if there is none
	}{
		"host and port":      {client.Options{Addrs: []string{"localhost:6380"}}, ""},
		"host":               {client.Options{Addrs: []string{"redis"}}, ""},
		"IPv6":               {client.Options{Addrs: []string{"[::1]:6379"}}, ""},
		"IPv6 without port":  {client.Options{Addrs: []string{"::1"}}, ""},
		"unix socket":        {client.Options{Addrs: []string{"/run/redis.sock"}}, ""},
		"URL":                {client.Options{Addrs: []string{"redis://anna:secret@localhost:6379/3"}}, ""},
		"URL with TLS":       {client.Options{Addrs: []string{"rediss://localhost"}, TLS: &tls.Config{MinVersion: tls.VersionTLS13}}, ""},
		"unix URL":           {client.Options{Addrs: []string{"unix://anna:secret@/run/redis.sock?db=3"}}, ""},
		"sentinels":          {sentinel("a", "b:1", "[::1]"), ""},
		"one sentinel":       {sentinel("a"), ""},
		"sentinels' secrets": {client.Options{Addrs: []string{"a"}, Sentinel: client.Sentinel{Master: "main", Username: "b", Password: "secret"}}, ""},
		"cluster":            {client.Options{Addrs: []string{"a", "b:1"}, Cluster: true}, ""},
		"cluster with user":  {client.Options{Addrs: []string{"a"}, Cluster: true, Username: "b", Password: "secret", KeyPrefix: "chat:"}, ""},
		"nothing":            {client.Options{}, "address"},
		"empty":              {client.Options{Addrs: []string{""}}, "address"},
		"several":            {client.Options{Addrs: []string{"a:1", "b:1"}}, "address"},
		"no host":            {client.Options{Addrs: []string{":6379"}}, "address"},
		"no number":          {client.Options{Addrs: []string{"a:secret"}}, "address"},
		"port zero":          {client.Options{Addrs: []string{"a:0"}}, "address"},
		"port too high":      {client.Options{Addrs: []string{"a:65536"}}, "address"},
		"too many colons":    {client.Options{Addrs: []string{"a:secret:b"}}, "address"},
		"other scheme":       {client.Options{Addrs: []string{"http://anna:secret@localhost"}}, "address"},
		"broken URL":         {client.Options{Addrs: []string{"redis://anna:secret@local host:x"}}, "address"},
		"broken database":    {client.Options{Addrs: []string{"redis://:secret@localhost/x"}}, "address"},
		"URL with options":   {client.Options{Addrs: []string{"redis://:secret@localhost?max_retries=3"}}, "address"},
		"negative database":  {client.Options{Addrs: []string{"a"}, DB: -1}, "db"},
		"database twice":     {client.Options{Addrs: []string{"redis://a/1"}, DB: 2}, "db"},
		"password twice":     {client.Options{Addrs: []string{"redis://:secret@a"}, Password: "secret"}, "password"},
		"user name twice":    {client.Options{Addrs: []string{"redis://b:secret@a"}, Username: "b"}, "user name"},
		"user, no password":  {client.Options{Addrs: []string{"a"}, Username: "b"}, "password"},
		"no sentinel":        {sentinel(), "address"},
		"sentinel twice":     {sentinel("a", "a:26379"), "address"},
		"sentinel's socket":  {sentinel("/run/redis.sock"), "address"},
		"sentinel's URL":     {sentinel("redis://:secret@a"), "address"},
		"no master":          {client.Options{Addrs: []string{"a"}, Sentinel: client.Sentinel{Password: "secret"}}, "sentinel"},
		"sentinel's user":    {client.Options{Addrs: []string{"a"}, Sentinel: client.Sentinel{Master: "main", Username: "b"}}, "sentinel password"},
		"no seed":            {client.Options{Cluster: true}, "address"},
		"empty seed":         {client.Options{Addrs: []string{"a", ""}, Cluster: true}, "address"},
		"seed twice":         {client.Options{Addrs: []string{"a", "a:6379"}, Cluster: true}, "address"},
		"seed's URL":         {client.Options{Addrs: []string{"redis://:secret@a"}, Cluster: true}, "address"},
		"cluster's database": {client.Options{Addrs: []string{"a"}, Cluster: true, DB: 1}, "db"},
		"both":               {client.Options{Addrs: []string{"a"}, Cluster: true, Sentinel: client.Sentinel{Master: "main"}}, "cluster"},
		"hash tag in prefix": {client.Options{Addrs: []string{"a"}, KeyPrefix: "{chat}"}, "key prefix"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, err := test.options.Open()
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

func sentinel(addrs ...string) client.Options {
	return client.Options{Addrs: addrs, Sentinel: client.Sentinel{Master: "main"}}
}

func TestIdentity(t *testing.T) {
	t.Parallel()
	base := func(change func(*client.Options)) client.Options {
		o := client.Options{Addrs: []string{"localhost:6379"}, Username: "chat", Password: "secret", TLS: &tls.Config{MinVersion: tls.VersionTLS12}}
		change(&o)
		return o
	}
	same := base(func(*client.Options) {}).Identity()
	for name, o := range map[string]client.Options{
		"again":      base(func(o *client.Options) { o.TLS = &tls.Config{MinVersion: tls.VersionTLS12} }),
		"no port":    base(func(o *client.Options) { o.Addrs = []string{"localhost"} }),
		"other node": base(func(o *client.Options) { o.Log = nil }),
		"as a URL": base(func(o *client.Options) {
			o.Addrs, o.Username, o.Password = []string{"redis://chat:secret@localhost"}, "", ""
		}),
	} {
		if got := o.Identity(); got != same {
			t.Errorf("%s: %s, want %s", name, got, same)
		}
	}
	for name, pair := range map[string][2]client.Options{
		"sentinels": {sentinel("a", "b"), sentinel("b:26379", "a")},
		"cluster":   {{Addrs: []string{"a", "b"}, Cluster: true}, {Addrs: []string{"b:6379", "a"}, Cluster: true}},
	} {
		if first, second := pair[0].Identity(), pair[1].Identity(); first != second {
			t.Errorf("%s in another order: %s, want %s", name, second, first)
		}
	}
	seen := map[string]string{same: "base"}
	for name, o := range map[string]client.Options{
		"host":     base(func(o *client.Options) { o.Addrs = []string{"redis:6379"} }),
		"port":     base(func(o *client.Options) { o.Addrs = []string{"localhost:6380"} }),
		"user":     base(func(o *client.Options) { o.Username = "other" }),
		"password": base(func(o *client.Options) { o.Password = "other" }),
		"database": base(func(o *client.Options) { o.DB = 1 }),
		"prefix":   base(func(o *client.Options) { o.KeyPrefix = "p" }),
		"no TLS":   base(func(o *client.Options) { o.TLS = nil }),
		"cluster":  base(func(o *client.Options) { o.Cluster = true }),
		"seed":     base(func(o *client.Options) { o.Cluster, o.Addrs = true, []string{"localhost", "redis"} }),
		"sentinel": base(func(o *client.Options) { o.Sentinel.Master = "main" }),
		"master":   base(func(o *client.Options) { o.Sentinel.Master = "other" }),
		"sentinel's password": base(func(o *client.Options) {
			o.Sentinel = client.Sentinel{Master: "main", Password: "secret"}
		}),
		"TLS name": base(func(o *client.Options) { o.TLS = &tls.Config{MinVersion: tls.VersionTLS12, ServerName: "other"} }),
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
