package room

import "errors"

// Refusal is what a client is told when a request fails.
type Refusal struct {
	// Status is the HTTP status of the response (RFC 9110, section 15); zero
	// where the error can only arise on a WebSocket.
	Status int
	// Code is the stable name of the error, in problem documents, in error
	// frames and as the reason of a close frame.
	Code string
	// Close is the WebSocket close code (RFC 6455, section 7.4); zero where the
	// error does not end a connection.
	Close int
}

// refusals is the one table of errors. A test fails when a sentinel of
// errors.go is missing from it or when two of them share a row.
var refusals = []struct {
	err error
	Refusal
}{
	{ErrInvalidRequest, Refusal{400, "invalid_request", 4400}},
	{ErrInvalidSession, Refusal{401, "invalid_session", 4401}},
	{ErrNotSignedIn, Refusal{401, "not_signed_in", 4401}},
	{ErrRemoved, Refusal{401, "invalid_session", 4403}},
	{ErrWrongPassword, Refusal{403, "wrong_password", 0}},
	{ErrNotAdmin, Refusal{403, "not_admin", 0}},
	{ErrRoomLocked, Refusal{403, "room_locked", 0}},
	{ErrRoomFull, Refusal{409, "room_full", 4413}},
	{ErrRoomNotFound, Refusal{404, "room_not_found", 4404}},
	{ErrRoomGone, Refusal{404, "room_not_found", 4410}},
	{ErrMemberNotFound, Refusal{404, "member_not_found", 0}},
	{ErrMessageNotFound, Refusal{404, "message_not_found", 0}},
	{ErrTooManyRooms, Refusal{503, "too_many_rooms", 0}},
	{ErrRateLimited, Refusal{429, "rate_limited", 0}},
	{ErrTooManyConnections, Refusal{429, "too_many_connections", 0}},
	{ErrUnavailable, Refusal{503, "unavailable", 1013}},
	{ErrInternal, Refusal{500, "internal_error", 1011}},

	{ErrMethodNotAllowed, Refusal{405, "method_not_allowed", 0}},
	{ErrBodyTooLarge, Refusal{413, "body_too_large", 0}},
	{ErrBodyTooSlow, Refusal{408, "body_too_slow", 0}},
	{ErrUnsupportedMediaType, Refusal{415, "unsupported_media_type", 0}},
	{ErrUpgradeRequired, Refusal{426, "upgrade_required", 0}},
	{ErrOriginNotAllowed, Refusal{403, "origin_not_allowed", 0}},

	{ErrUnknownType, Refusal{0, "unknown_type", 0}},
	{ErrInvalidFrame, Refusal{0, "invalid_frame", 0}},
	{ErrInvalidMessage, Refusal{0, "invalid_message", 0}},
	{ErrMessageTooLong, Refusal{0, "message_too_long", 0}},

	{ErrBadFrame, Refusal{0, "bad_frame", 4400}},
	{ErrNotUTF8, Refusal{0, "invalid_utf8", 1007}},
	{ErrFrameTooLarge, Refusal{0, "frame_too_large", 1009}},
	{ErrJoinRequired, Refusal{0, "join_required", 4401}},
	{ErrJoinTimeout, Refusal{0, "join_timeout", 4408}},
	{ErrReplaced, Refusal{0, "replaced", 4409}},
	{ErrTooFast, Refusal{0, "too_fast", 4429}},
	{ErrTooSlow, Refusal{0, "too_slow", 4503}},
	{ErrGoingAway, Refusal{503, "unavailable", 1001}},
}

// Refusals returns every refusal that there is, some codes and close codes more
// than once.
func Refusals() []Refusal {
	all := make([]Refusal, len(refusals))
	for i, row := range refusals {
		all[i] = row.Refusal
	}
	return all
}

// RefusalOf returns what a client is told of err. An error that wraps none of
// the sentinels is a defect, and is answered as ErrInternal.
func RefusalOf(err error) Refusal {
	refusal, _ := lookUp(err)
	return refusal
}

// Explain returns what a client may read about err: its text, unless it is the
// server that failed, of whose inner workings clients learn nothing.
func Explain(err error) string {
	refusal, sentinel := lookUp(err)
	if refusal.Status >= 500 {
		return sentinel.Error()
	}
	return err.Error()
}

// lookUp returns the row of the table that err belongs to, whose own error is the
// sentinel.
func lookUp(err error) (refusal Refusal, sentinel error) {
	for _, row := range refusals {
		if errors.Is(err, row.err) {
			return row.Refusal, row.err
		}
	}
	return lookUp(ErrInternal)
}
