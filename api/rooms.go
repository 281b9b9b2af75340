package api

import (
	"net/http"
	"time"

	"github.com/ephemeralchat/caddy-ephemeral-chat/room"
	"github.com/ephemeralchat/caddy-ephemeral-chat/room/message"
)

// admission is the answer to createRoom and joinRoom.
type admission struct {
	RoomID    string    `json:"roomId"`
	RoomName  string    `json:"roomName"`
	UserID    string    `json:"userId"`
	SessionID string    `json:"sessionId"`
	Role      room.Role `json:"role"`
	// TTL is in seconds.
	TTL int64 `json:"ttl"`
	clock
}

// clock has the times at which a room started and ends, null before its start.
type clock struct {
	StartedAt *string `json:"startedAt"`
	ExpiresAt *string `json:"expiresAt"`
}

func clockOf(startedAt, deadline time.Time) clock {
	return clock{StartedAt: FormatTime(startedAt), ExpiresAt: FormatTime(deadline)}
}

// FormatTime returns a time as JSON responses have it, nil for the zero time.
func FormatTime(t time.Time) *string {
	if t.IsZero() {
		return nil
	}
	return new(message.FormatTime(t))
}

func admissionOf(a room.Admission) admission {
	return admission{
		RoomID:    a.Room.ID,
		RoomName:  a.Room.Name,
		UserID:    a.UserID,
		SessionID: a.SessionID,
		Role:      a.Role,
		TTL:       int64(a.Room.TTL / time.Second),
		clock:     clockOf(a.Room.StartedAt, a.Room.Deadline),
	}
}

func (h *Handler) createRoom(r *http.Request, b *body) (any, error) {
	request := room.CreateRequest{
		Name:     b.text("roomName"),
		Password: b.optionalText("password"),
		Username: b.optionalText("username"),
		User:     b.userID,
		TTL:      b.optionalDuration("ttl"),
	}
	if b.err != nil {
		return nil, b.err
	}
	if err := h.creates.take(limitKey{client: h.config.ClientAddr(r)}, time.Now()); err != nil {
		return nil, err
	}
	admitted, err := h.config.Rooms.Create(r.Context(), request)
	if err != nil {
		return nil, err
	}
	h.config.Observer.RoomCreated(admitted.Room.ID, admitted.UserID, admitted.Room.TTL)
	return admissionOf(admitted), nil
}

// joinRoom admits a new member or, by its session, a member that comes back.
func (h *Handler) joinRoom(r *http.Request, b *body) (any, error) {
	client := h.config.ClientAddr(r)
	var join func() (room.Admission, error)
	if b.has("sessionId") || b.userID == "" && b.has("userId") {
		credentials := b.credentials()
		join = func() (room.Admission, error) { return h.config.Rooms.Rejoin(r.Context(), credentials) }
	} else {
		request := room.JoinRequest{
			RoomID:   b.text("roomId"),
			Password: b.optionalText("password"),
			Username: b.optionalText("username"),
			User:     b.userID,
		}
		request.Guard = h.passwordGuard(client, request.RoomID)
		join = func() (room.Admission, error) { return h.config.Rooms.Join(r.Context(), request) }
	}
	if b.err != nil {
		return nil, b.err
	}
	if err := h.joins.take(limitKey{client: client}, time.Now()); err != nil {
		return nil, err
	}
	admitted, err := join()
	if err != nil {
		return nil, err
	}
	if admitted.Opened {
		h.config.Observer.RoomCreated(admitted.Room.ID, admitted.UserID, admitted.Room.TTL)
	}
	if !admitted.Rejoined {
		h.config.Observer.MemberJoined(admitted.Room.ID, admitted.UserID)
	}
	return admissionOf(admitted), nil
}

func (h *Handler) startChat(r *http.Request, b *body) (any, error) {
	credentials := b.credentials()
	if b.err != nil {
		return nil, b.err
	}
	started, err := h.config.Rooms.Start(r.Context(), credentials)
	if err != nil {
		return nil, err
	}
	if started.Began {
		h.config.Observer.RoomStarted(credentials.RoomID, credentials.UserID, started.Deadline.Sub(started.StartedAt))
	}
	return clockOf(started.StartedAt, started.Deadline), nil
}

func (h *Handler) deleteRoom(r *http.Request, b *body) (any, error) {
	credentials := b.credentials()
	if b.err != nil {
		return nil, b.err
	}
	if err := h.config.Rooms.Delete(r.Context(), credentials); err != nil {
		return nil, err
	}
	h.config.Observer.RoomDeleted(credentials.RoomID, credentials.UserID)
	return struct{}{}, nil
}

func (h *Handler) removeMember(r *http.Request, b *body) (any, error) {
	credentials, member := b.credentials(), b.text("memberId")
	if b.err != nil {
		return nil, b.err
	}
	if err := h.config.Rooms.Remove(r.Context(), credentials, member); err != nil {
		return nil, err
	}
	h.config.Observer.MemberRemoved(credentials.RoomID, member, credentials.UserID)
	return struct{}{}, nil
}

func (h *Handler) lockRoom(r *http.Request, b *body) (any, error) {
	credentials, locked := b.credentials(), required[bool](b, "locked", "true or false")
	if b.err != nil {
		return nil, b.err
	}
	return struct{}{}, h.config.Rooms.SetLocked(r.Context(), credentials, locked)
}

func (h *Handler) leaveRoom(r *http.Request, b *body) (any, error) {
	credentials := b.credentials()
	if b.err != nil {
		return nil, b.err
	}
	if err := h.config.Rooms.Leave(r.Context(), credentials); err != nil {
		return nil, err
	}
	h.config.Observer.MemberRemoved(credentials.RoomID, credentials.UserID, credentials.UserID)
	return struct{}{}, nil
}

// info is the answer of roomInfo, which needs no session.
type info struct {
	PasswordRequired bool `json:"passwordRequired"`
	Locked           bool `json:"locked"`
	clock
}

func (h *Handler) roomInfo(r *http.Request, b *body) (any, error) {
	roomID := b.text("roomId")
	if b.err != nil {
		return nil, b.err
	}
	found, err := h.config.Rooms.Info(r.Context(), roomID)
	if err != nil {
		return nil, err
	}
	return info{
		PasswordRequired: found.PasswordRequired,
		Locked:           found.Locked,
		clock:            clockOf(found.StartedAt, found.Deadline),
	}, nil
}
