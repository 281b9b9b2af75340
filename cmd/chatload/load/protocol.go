package load

import (
	"context"
	"net/http"
)

// Protocol is a chat protocol over WebSockets, as far as the load tool needs it.
// Its methods are called concurrently.
type Protocol interface {
	// Path is the path of the WebSocket, relative to the base URL.
	Path() string
	// Open creates a room and admits members to it. The client may open any number
	// of connections. The room's number is unique within a run.
	Open(ctx context.Context, client *http.Client, base string, number, members int) ([]Member, error)
	// Next parses the first event in the payload of a text frame and returns the
	// rest of the payload.
	Next(payload []byte) (Event, []byte)
}

// Member holds the payloads of the text frames that a member of a room sends.
type Member struct {
	// Join is the first frame of its connection.
	Join []byte
	// Before and After enclose the text of a message, which needs no escaping.
	Before, After []byte
}

// Event is one event in a payload. Text refers to the payload.
type Event struct {
	Kind EventKind
	// Seq is the number of the message in its room; with EventJoined that of the
	// newest message.
	Seq uint64
	// Text contains the text of the message, with EventMessage; is the reason, with
	// EventRefused; or is the payload of the answer, with EventPing.
	Text []byte
}

// EventKind is the kind of an event.
type EventKind int

// The kinds of events.
const (
	EventOther   EventKind = iota
	EventJoined            // the connection is a member of its room
	EventMessage           // a member has sent a message
	EventRefused           // the server did not accept a frame of this member
	EventPing              // the server expects an answer, in addition to the pings of the WebSocket
)
