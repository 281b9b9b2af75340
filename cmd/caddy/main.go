// Command caddy is Caddy with its standard modules and ephemeral chat.
package main

import (
	caddycmd "github.com/caddyserver/caddy/v2/cmd"
	_ "github.com/caddyserver/caddy/v2/modules/standard"

	_ "github.com/ephemeralchat/caddy-ephemeral-chat"
)

func main() { caddycmd.Main() }
