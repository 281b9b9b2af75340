// Command centrifugoload is chatload for Centrifugo.
package main

import (
	"os"

	"github.com/ephemeralchat/caddy-ephemeral-chat/cmd/chatload/load"

	"github.com/ephemeralchat/caddy-ephemeral-chat/bench/centrifugo"
)

func main() {
	os.Exit(load.Main("centrifugoload", os.Args[1:], centrifugo.Protocol{}, os.Stdout, os.Stderr))
}
