package apierror

import "errors"

// The errors of the transports, HTTP and WebSocket. Package room has those of the
// domain.
var (
	// ErrTooManyConnections means that the client address has reached its limit of
	// open connections.
	ErrTooManyConnections = errors.New("too many connections")
	ErrMethodNotAllowed   = errors.New("method not allowed")
	// ErrBodyTooLarge means that the request body is longer than 64 KiB.
	ErrBodyTooLarge         = errors.New("request body too large")
	ErrBodyTooSlow          = errors.New("request body has not come in time")
	ErrUnsupportedMediaType = errors.New("content type must be application/json")
	// ErrUpgradeRequired means that a request to the WebSocket endpoint is not an
	// upgrade to WebSocket version 13 (RFC 6455, section 4.2.1).
	ErrUpgradeRequired = errors.New("not an upgrade to WebSocket version 13, or a proxy has not passed it on")
	// ErrOriginNotAllowed means that the request is from a page of an unlisted origin.
	ErrOriginNotAllowed = errors.New("origin not allowed")
	ErrUnknownType      = errors.New("unknown frame type")
	// ErrInvalidFrame means that a frame is a JSON object with a field of the
	// wrong type or out of range.
	ErrInvalidFrame = errors.New("invalid frame")
	// ErrBadFrame means that a frame is not a JSON object in a text frame.
	ErrBadFrame = errors.New("frame is not a JSON object")
	// ErrNotUTF8 means that a text frame is not valid UTF-8 (RFC 6455,
	// section 8.1).
	ErrNotUTF8       = errors.New("frame is not valid UTF-8")
	ErrFrameTooLarge = errors.New("frame too large")
	// ErrJoinRequired means that the first frame of a connection is not a join.
	ErrJoinRequired = errors.New("first frame must be a join")
	ErrJoinTimeout  = errors.New("no join in time")
	ErrReplaced     = errors.New("replaced by a newer connection of the session")
	// ErrTooFast means that the client kept sending frames that were refused.
	ErrTooFast = errors.New("too many refused frames")
	// ErrTooSlow means that the client reads more slowly than the room receives
	// messages.
	ErrTooSlow = errors.New("connection cannot keep up")
	// ErrGoingAway means that this node is stopping, or that its configuration no
	// longer has the chat.
	ErrGoingAway = errors.New("server is going away")
)
