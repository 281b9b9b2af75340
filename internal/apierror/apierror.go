// Package apierror is the one table of the errors that clients see: for each, its
// HTTP status, its stable code and its WebSocket close code.
package apierror

import (
	"errors"

	"github.com/ephemeralchat/caddy-ephemeral-chat/room"
)

// Error is the answer to a request that failed.
type Error struct {
	// Status is the HTTP status of the response (RFC 9110, section 15); zero
	// where the error arises on WebSockets only.
	Status int
	// Code is the stable name of the error, in problem documents, in error
	// frames and as the reason of a close frame.
	Code string
	// Close is the WebSocket close code (RFC 6455, section 7.4); zero where the
	// error does not end a connection.
	Close int
}

// table has one row for each sentinel error. A test fails when a sentinel is
// missing from it or when two of them share a row.
var table = []struct {
	err error
	Error
}{
	{room.ErrInvalidRequest, Error{400, "invalid_request", 4400}},
	{room.ErrInvalidSession, Error{401, "invalid_session", 4401}},
	{room.ErrNotSignedIn, Error{401, "not_signed_in", 4401}},
	{room.ErrRemoved, Error{401, "invalid_session", 4403}},
	{room.ErrWrongPassword, Error{403, "wrong_password", 0}},
	{room.ErrNotAdmin, Error{403, "not_admin", 0}},
	{room.ErrRoomLocked, Error{403, "room_locked", 0}},
	{room.ErrRoomFull, Error{409, "room_full", 4413}},
	{room.ErrRoomNotFound, Error{404, "room_not_found", 4404}},
	{room.ErrRoomEnded, Error{404, "room_not_found", 4410}},
	{room.ErrMemberNotFound, Error{404, "member_not_found", 0}},
	{room.ErrMessageNotFound, Error{404, "message_not_found", 0}},
	{room.ErrTooManyRooms, Error{503, "too_many_rooms", 0}},
	{room.ErrRateLimited, Error{429, "rate_limited", 0}},
	{ErrTooManyConnections, Error{429, "too_many_connections", 0}},
	{room.ErrUnavailable, Error{503, "unavailable", 1013}},
	{room.ErrInternal, Error{500, "internal_error", 1011}},

	{ErrMethodNotAllowed, Error{405, "method_not_allowed", 0}},
	{ErrBodyTooLarge, Error{413, "body_too_large", 0}},
	{ErrBodyTooSlow, Error{408, "body_too_slow", 0}},
	{ErrUnsupportedMediaType, Error{415, "unsupported_media_type", 0}},
	{ErrUpgradeRequired, Error{426, "upgrade_required", 0}},
	{ErrOriginNotAllowed, Error{403, "origin_not_allowed", 0}},

	{ErrUnknownType, Error{0, "unknown_type", 0}},
	{ErrInvalidFrame, Error{0, "invalid_frame", 0}},
	{room.ErrInvalidMessage, Error{0, "invalid_message", 0}},
	{room.ErrMessageTooLong, Error{0, "message_too_long", 0}},

	{ErrBadFrame, Error{0, "bad_frame", 4400}},
	{ErrNotUTF8, Error{0, "invalid_utf8", 1007}},
	{ErrFrameTooLarge, Error{0, "frame_too_large", 1009}},
	{ErrJoinRequired, Error{0, "join_required", 4401}},
	{ErrJoinTimeout, Error{0, "join_timeout", 4408}},
	{ErrReplaced, Error{0, "replaced", 4409}},
	{ErrTooFast, Error{0, "too_fast", 4429}},
	{ErrTooSlow, Error{0, "too_slow", 4503}},
	{ErrGoingAway, Error{503, "unavailable", 1001}},
}

// All returns the row of every sentinel; several share a code or a close code.
func All() []Error {
	all := make([]Error, len(table))
	for i, row := range table {
		all[i] = row.Error
	}
	return all
}

// Of returns the row of the sentinel that err wraps, or that of room.ErrInternal:
// an error that wraps none of the sentinels is a defect.
func Of(err error) Error {
	e, _ := find(err)
	return e
}

// Message returns the text of err that the client may read. A failure of the
// server is reduced to its sentinel, so that clients learn nothing of its workings.
func Message(err error) string {
	e, sentinel := find(err)
	if e.Status >= 500 {
		return sentinel.Error()
	}
	return err.Error()
}

// find returns the row of the sentinel that err wraps, and that sentinel.
func find(err error) (e Error, sentinel error) {
	for _, row := range table {
		if errors.Is(err, row.err) {
			return row.Error, row.err
		}
	}
	return find(room.ErrInternal)
}
