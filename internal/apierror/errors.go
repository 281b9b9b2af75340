package apierror

import "errors"

// The errors of the transport, HTTP and WebSocket. Those of the domain are in
// package room.
var (
	// ErrTooManyConnections means that the client has as many connections open as
	// it may.
	ErrTooManyConnections = errors.New("too many connections")
	// ErrMethodNotAllowed means that the endpoint exists under another method.
	ErrMethodNotAllowed = errors.New("method not allowed")
	// ErrBodyTooLarge means that the request body is longer than 64 KiB.
	ErrBodyTooLarge = errors.New("request body too large")
	// ErrBodyTooSlow means that the request body has not come in time.
	ErrBodyTooSlow = errors.New("request body has not come in time")
	// ErrUnsupportedMediaType means that the request body is not declared as
	// application/json.
	ErrUnsupportedMediaType = errors.New("content type must be application/json")
	// ErrUpgradeRequired means that a request is not for a WebSocket, of the one
	// version that there is, though nothing else is to be had.
	ErrUpgradeRequired = errors.New("not an upgrade to WebSocket version 13, or a proxy has not passed it on")
	// ErrOriginNotAllowed means that a page of another, unlisted origin asks.
	ErrOriginNotAllowed = errors.New("origin not allowed")
	// ErrUnknownType means that a frame has a type that the protocol lacks.
	ErrUnknownType = errors.New("unknown frame type")
	// ErrInvalidFrame means that a frame is a JSON object with a field of the
	// wrong type or out of range.
	ErrInvalidFrame = errors.New("invalid frame")
	// ErrBadFrame means that a frame is not a JSON object in a text frame.
	ErrBadFrame = errors.New("frame is not a JSON object")
	// ErrNotUTF8 means that a text frame is not valid UTF-8 (RFC 6455,
	// section 8.1).
	ErrNotUTF8 = errors.New("frame is not valid UTF-8")
	// ErrFrameTooLarge means that a frame has more bytes than may be read.
	ErrFrameTooLarge = errors.New("frame too large")
	// ErrJoinRequired means that the first frame of a connection is not a join.
	ErrJoinRequired = errors.New("first frame must be a join")
	// ErrJoinTimeout means that no join came in time.
	ErrJoinTimeout = errors.New("no join in time")
	// ErrReplaced means that a newer connection of the same session took over.
	ErrReplaced = errors.New("replaced by a newer connection of the session")
	// ErrTooFast means that the client kept on sending what was refused.
	ErrTooFast = errors.New("too many refused frames")
	// ErrTooSlow means that the client does not read as fast as the room talks.
	ErrTooSlow = errors.New("connection cannot keep up")
	// ErrGoingAway means that this node is stopping or the chat was taken out
	// of its configuration.
	ErrGoingAway = errors.New("server is going away")
)
