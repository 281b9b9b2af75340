package room

import "errors"

// The errors of the domain. The table in package apierror gives each its HTTP
// status, its problem code and its WebSocket close code.
var (
	// ErrInvalidRequest means that a field of the request is missing, too long, of
	// the wrong type, or not valid UTF-8.
	ErrInvalidRequest = errors.New("invalid request")
	// ErrInvalidSession means that the session was not issued to this user for this
	// room, or that its user is no longer a member.
	ErrInvalidSession = errors.New("session is not valid for this user and room")
	// ErrNotSignedIn means that the room is for users that the site has signed in,
	// and that the request is from none of them.
	ErrNotSignedIn = errors.New("not signed in at this site")
	// ErrRemoved means that the user was removed from the room or has left it.
	ErrRemoved       = errors.New("user is no longer a member of the room")
	ErrWrongPassword = errors.New("wrong password")
	ErrNotAdmin      = errors.New("only the admin of the room may do this")
	// ErrRoomLocked means that the admin has closed the room to new members.
	ErrRoomLocked = errors.New("room is locked")
	// ErrRoomFull means that the room has reached its limit of online users, or ten
	// times that number of members.
	ErrRoomFull = errors.New("room is full")
	// ErrRoomNotFound means that the room never existed, has expired, or was
	// deleted. A backend that cannot be reached is ErrUnavailable, never this.
	ErrRoomNotFound = errors.New("room not found")
	// ErrRoomEnded means that the room ended while the connection was in it.
	ErrRoomEnded      = errors.New("room has ended")
	ErrMemberNotFound = errors.New("member not found")
	// ErrMessageNotFound means that the room has no such message, or no longer
	// keeps it.
	ErrMessageNotFound = errors.New("message not found")
	ErrInvalidMessage  = errors.New("message is empty")
	ErrMessageTooLong  = errors.New("message too long")
	ErrTooManyRooms    = errors.New("too many rooms")
	ErrRateLimited     = errors.New("too many requests")
	// ErrUnavailable means that the store cannot be reached, or not in time. The
	// request may or may not have taken effect.
	ErrUnavailable = errors.New("store is not available")
	// ErrInternal means a defect in this program.
	ErrInternal = errors.New("internal error")
)
