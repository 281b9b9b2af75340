package ephemeralchat

import (
	_ "github.com/caddyserver/caddy/v2"
	_ "github.com/dustin/go-humanize"
)
