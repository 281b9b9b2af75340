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
	ErrRemoved = errors.New("user is no longer a member of the room")
	// ErrWrongPassword means that the password is not the room's.
	ErrWrongPassword = errors.New("wrong password")
	// ErrNotAdmin means that only an admin of the room may do this.
	ErrNotAdmin = errors.New("only the admin of the room may do this")
	// ErrRoomLocked means that the admin has closed the room to new members.
	ErrRoomLocked = errors.New("room is locked")
	// ErrRoomFull means that the room has reached its limit of online users, or ten
	// times that number of members.
	ErrRoomFull = errors.New("room is full")
	// ErrRoomNotFound means that the room never existed, has expired, or was
	// deleted. A backend that cannot be reached is ErrUnavailable, never this.
	ErrRoomNotFound = errors.New("room not found")
	// ErrRoomEnded means that the room ended while the connection was in it.
	ErrRoomEnded = errors.New("room has ended")
	// ErrMemberNotFound means that the room has no such member.
	ErrMemberNotFound = errors.New("member not found")
	// ErrMessageNotFound means that the room has no such message, or no longer
	// keeps it.
	ErrMessageNotFound = errors.New("message not found")
	// ErrInvalidMessage means that a message is empty.
	ErrInvalidMessage = errors.New("message is empty")
	// ErrMessageTooLong means that a message has more bytes than allowed.
	ErrMessageTooLong = errors.New("message too long")
	// ErrTooManyRooms means that the store has reached its limit of rooms.
	ErrTooManyRooms = errors.New("too many rooms")
	// ErrRateLimited means that the client sends requests too often.
	ErrRateLimited = errors.New("too many requests")
	// ErrUnavailable means that the store cannot be reached, or not in time. The
	// request may or may not have taken effect.
	ErrUnavailable = errors.New("store is not available")
	// ErrInternal means a defect in this program.
	ErrInternal = errors.New("internal error")
)
