package room

import "errors"

// Every way in which a request can be refused. The table in refusal.go gives
// each its HTTP status, its problem code and its WebSocket close code.
var (
	// ErrInvalidRequest means that the request itself is wrong: a field is
	// missing, too long, of the wrong type, or not valid UTF-8.
	ErrInvalidRequest = errors.New("invalid request")
	// ErrInvalidSession means that the session does not belong to this user in
	// this room, or that its user is no longer a member.
	ErrInvalidSession = errors.New("session is not valid for this user and room")
	// ErrNotSignedIn means that the users of the room are those whom the site has
	// signed in, and that this is none of them.
	ErrNotSignedIn = errors.New("not signed in at this site")
	// ErrRemoved means that the user was removed from the room or has left it.
	ErrRemoved = errors.New("user is no longer a member of the room")
	// ErrWrongPassword means that the room has a password and this is not it.
	ErrWrongPassword = errors.New("wrong password")
	// ErrNotAdmin means that only the admin of the room may do this.
	ErrNotAdmin = errors.New("only the admin of the room may do this")
	// ErrRoomLocked means that the admin lets nobody new into the room.
	ErrRoomLocked = errors.New("room is locked")
	// ErrRoomFull means that as many users are online as the room may hold, or
	// that its membership has reached ten times that number.
	ErrRoomFull = errors.New("room is full")
	// ErrRoomNotFound means that no such room exists: it never did, or it has
	// expired, or it was deleted. A backend that cannot be asked is
	// ErrUnavailable, never this.
	ErrRoomNotFound = errors.New("room not found")
	// ErrRoomGone means that a room that the connection was in has ended.
	ErrRoomGone = errors.New("room has ended")
	// ErrMemberNotFound means that the room has no such member.
	ErrMemberNotFound = errors.New("member not found")
	// ErrMessageNotFound means that the room has no such message, or no longer
	// keeps it.
	ErrMessageNotFound = errors.New("message not found")
	// ErrTooManyRooms means that the store holds as many rooms as it may.
	ErrTooManyRooms = errors.New("too many rooms")
	// ErrRateLimited means that the client asks too often.
	ErrRateLimited = errors.New("too many requests")
	// ErrTooManyConnections means that the client has as many connections open as
	// it may.
	ErrTooManyConnections = errors.New("too many connections")
	// ErrUnavailable means that the store cannot be asked, or not in time. The
	// request may or may not have taken effect.
	ErrUnavailable = errors.New("store is not available")
	// ErrInternal means a defect in this program.
	ErrInternal = errors.New("internal error")

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
	// ErrInvalidMessage means that a message is empty.
	ErrInvalidMessage = errors.New("message is empty")
	// ErrMessageTooLong means that a message has more bytes than allowed.
	ErrMessageTooLong = errors.New("message too long")

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
