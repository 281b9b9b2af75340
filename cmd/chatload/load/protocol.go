package load

import (
	"context"
	"net/http"
)

// Dialect is a protocol of a chat over WebSockets, as far as load is made of it.
// Its methods are called concurrently.
type Dialect interface {
	// Path is where the WebSocket is, relative to the base URL.
	Path() string
	// Open makes a room and admits members to it, using a client that may have
	// any number of connections. The room's number is unique within a run.
	Open(ctx context.Context, client *http.Client, base string, number, members int) ([]Member, error)
	// Next takes the first event off the payload of a text frame and returns what
	// follows it, empty if nothing does.
	Next(payload []byte) (Event, []byte)
	// Pong is the payload of the answer to EventPing.
	Pong() []byte
}

// Member is what a member of a room sends. These are payloads of text frames.
type Member struct {
	// Join is the first frame of its connection.
	Join []byte
	// Before and After enclose the text of a message, which needs no escaping.
	Before, After []byte
}

// Event is what a payload tells. Text refers to the payload.
type Event struct {
	Kind EventKind
	// Seq is the number of the message in its room; with EventJoined that of the
	// newest message there is.
	Seq uint64
	// Text is anything that contains the text of the message, with EventMessage;
	// with EventRefused it says why.
	Text []byte
}

// EventKind is the kind of an event.
type EventKind int

// The kinds of events.
const (
	EventOther   EventKind = iota
	EventJoined            // the connection is a member of its room
	EventMessage           // somebody has said something
	EventRefused           // something that the member has sent was not accepted
	EventPing              // the server wants an answer, above the pings of the WebSocket
)
