// Package centrifugo is the client protocol of Centrifugo for the load tool: JSON
// over a WebSocket, with several replies or pushes in a frame, separated by newlines.
package centrifugo

import (
	"bytes"
	"context"
	"fmt"
	"net/http"

	"github.com/ephemeralchat/caddy-ephemeral-chat/cmd/chatload/load"
)

// Protocol implements load.Protocol. The server must let anonymous clients subscribe
// and publish, and keep a history with recovery, so that it numbers publications.
type Protocol struct{}

// Path is the default path of the WebSocket.
func (Protocol) Path() string { return "connection/websocket" }

// Open returns members of a channel. The first subscription creates the channel.
func (Protocol) Open(_ context.Context, _ *http.Client, _ string, number, members int) ([]load.Member, error) {
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

// Next parses a line of a frame.
func (Protocol) Next(payload []byte) (load.Event, []byte) {
	line, rest, _ := bytes.Cut(payload, []byte{'\n'})
	switch {
	case len(line) == 0:
		return load.Event{}, rest
	case string(line) == "{}": // a ping, and the answer to it
		return load.Event{Kind: load.EventPing, Text: line}, rest
	case bytes.Contains(line, failure):
		return load.Event{Kind: load.EventRefused, Text: line}, rest
	case bytes.Contains(line, pub):
		return load.Event{Kind: load.EventMessage, Seq: load.NumberAfter(line, offset), Text: line}, rest
	case bytes.Contains(line, subscribe):
		return load.Event{Kind: load.EventJoined, Seq: load.NumberAfter(line, offset)}, rest
	}
	return load.Event{}, rest
}
