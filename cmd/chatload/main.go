// Command chatload puts load on a site with ephemeral chat and reports how it
// bears it: deliveries a second, latency, loss, and what the server spends.
//
//	chatload -url http://localhost:8080/chat/ -rooms 10 -members 50 -rate 5
//
// See docs/performance.md, and chatload -help for the flags. The exit status is 1
// when something was lost, doubled or reordered or could not be measured, and 2
// when the flags make no sense.
package main

import (
	"os"

	"github.com/ephemeralchat/caddy-ephemeral-chat/cmd/chatload/load"
)

func main() { os.Exit(load.Main("chatload", os.Args[1:], load.EphemeralChat{}, os.Stdout, os.Stderr)) }
