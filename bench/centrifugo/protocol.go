// Package centrifugo lets the load tool speak the client protocol of Centrifugo:
// JSON over a bidirectional WebSocket, several replies or pushes to a frame,
// separated by newlines.
package centrifugo

import (
	"bytes"
	"context"
	"fmt"
	"net/http"

	"github.com/ephemeralchat/caddy-ephemeral-chat/cmd/chatload/load"
)

// Dialect is the protocol. The server must let anybody subscribe and publish, and
// keep a history with recovery, so that publications are numbered.
type Dialect struct{}

// Path is where the WebSocket is by default.
func (Dialect) Path() string { return "connection/websocket" }

// Open returns members of a channel. Channels need not be made.
func (Dialect) Open(_ context.Context, _ *http.Client, _ string, number, members int) ([]load.Member, error) {
	list := make([]load.Member, members)
	for i := range list {
		list[i] = load.Member{
			Join:   fmt.Appendf(nil, `{"id":1,"connect":{}}`+"\n"+`{"id":2,"subscribe":{"channel":"room%d"}}`, number),
			Before: fmt.Appendf(nil, `{"id":3,"publish":{"channel":"room%d","data":"`, number),
			After:  []byte(`"}}`),
		}
	}
	return list, nil
}

var (
	pub       = []byte(`"pub":{`)
	subscribe = []byte(`"subscribe":{`)
	failure   = []byte(`"error":{`)
	offset    = []byte(`"offset":`)
)

// Next reads a line of a frame.
func (Dialect) Next(payload []byte) (load.Event, []byte) {
	line, rest, _ := bytes.Cut(payload, []byte{'\n'})
	switch {
	case len(line) == 0:
		return load.Event{}, rest
	case string(line) == "{}":
		return load.Event{Kind: load.EventPing}, rest
	case bytes.Contains(line, failure):
		return load.Event{Kind: load.EventRefused, Text: line}, rest
	case bytes.Contains(line, pub):
		return load.Event{Kind: load.EventMessage, Seq: load.NumberAfter(line, offset), Text: line}, rest
	case bytes.Contains(line, subscribe):
		return load.Event{Kind: load.EventJoined, Seq: load.NumberAfter(line, offset)}, rest
	}
	return load.Event{}, rest
}

// Pong answers a ping.
func (Dialect) Pong() []byte { return []byte("{}") }
