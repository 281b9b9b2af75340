// Command chatload puts load on a site with ephemeral chat. It reports deliveries
// per second, latency, lost messages, and the CPU time and memory of the server.
//
//	chatload -url http://localhost:8080/chat/ -rooms 10 -members 50 -rate 5
//
// See docs/performance.md, and chatload -help for the flags. The exit status is 1
// if a message was lost, doubled or reordered or the measurement failed, and 2 if
// the flags are invalid.
package main

import (
	"os"

	"github.com/ephemeralchat/caddy-ephemeral-chat/cmd/chatload/load"
)

func main() { os.Exit(load.Main("chatload", os.Args[1:], load.EphemeralChat{}, os.Stdout, os.Stderr)) }
