package suite

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// caddyfile turns off the limits that a load would exceed. The admin endpoint
// collects garbage before memory is measured; it costs nothing while idle.
const caddyfile = `{
	admin %[1]s
	persist_config off
	auto_https disable_redirects
	skip_install_trust
	default_bind 127.0.0.1
	log {
		output discard
	}
}
%[2]s {
	%[3]s
	ephemeral_chat {
		%[4]s
		message_rate off
		join_rate off
		create_rate off
		password_rate off
		max_connections 1000000
		max_members 1000000
	}
}
`

// startOurs starts our nodes, with rooms in Redis or in memory.
func startOurs(redis bool) func(context.Context, *server) error {
	return func(ctx context.Context, s *server) error {
		store := "max_rooms 1000000"
		if redis {
			address, err := s.runRedis(ctx)
			if err != nil {
				return err
			}
			store = "redis " + address
		}
		options := strings.Join(append(s.options, store), "\n\t\t")
		for i := range s.nodes {
			if err := startNode(ctx, s, fmt.Sprintf("caddy%d", i), options); err != nil {
				return err
			}
		}
		return nil
	}
}

func startNode(ctx context.Context, s *server, name, options string) error {
	listen, err := freeAddress()
	if err != nil {
		return err
	}
	admin, err := freeAddress()
	if err != nil {
		return err
	}
	certificate := ""
	if s.tls {
		certificate = "tls internal"
	}
	config := filepath.Join(s.dir, name+".caddyfile")
	text := fmt.Sprintf(caddyfile, admin, s.url(listen), certificate, options)
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		return err
	}
	program := cmp.Or(s.target.caddy, s.program("caddy"))
	return s.runSite(ctx, name, listen, "http://"+admin, program, "run", "--config", config, "--adapter", "caddyfile")
}
