package room

import "errors"

// The errors of the domain. The table in package apierror gives each its HTTP
// status, its problem code and its WebSocket close code.
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
	// ErrRoomEnded means that a room that the connection was in has ended.
	ErrRoomEnded = errors.New("room has ended")
	// ErrMemberNotFound means that the room has no such member.
	ErrMemberNotFound = errors.New("member not found")
	// ErrMessageNotFound means that the room has no such message, or no longer
	// keeps it.
	ErrMessageNotFound = errors.New("message not found")
	// ErrTooManyRooms means that the store holds as many rooms as it may.
	ErrTooManyRooms = errors.New("too many rooms")
	// ErrRateLimited means that the client asks too often.
	ErrRateLimited = errors.New("too many requests")
	// ErrUnavailable means that the store cannot be asked, or not in time. The
	// request may or may not have taken effect.
	ErrUnavailable = errors.New("store is not available")
	// ErrInternal means a defect in this program.
	ErrInternal = errors.New("internal error")

	// ErrInvalidMessage means that a message is empty.
	ErrInvalidMessage = errors.New("message is empty")
	// ErrMessageTooLong means that a message has more bytes than allowed.
	ErrMessageTooLong = errors.New("message too long")
)
