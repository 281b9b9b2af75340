package ephemeralchat

import (
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/ephemeralchat/caddy-ephemeral-chat/internal/apierror"
	"github.com/ephemeralchat/caddy-ephemeral-chat/room"
	"github.com/ephemeralchat/caddy-ephemeral-chat/room/message"
)

// endpoint answers a request that is well formed so far, with what the body of
// a 200 response is made of.
type endpoint func(h *Handler, r *http.Request, b *body) (any, error)

// endpoints are the paths that take POST.
var endpoints = map[string]endpoint{
	"/createRoom":   (*Handler).createRoom,
	"/joinRoom":     (*Handler).joinRoom,
	"/startChat":    (*Handler).startChat,
	"/deleteRoom":   (*Handler).deleteRoom,
	"/removeMember": (*Handler).removeMember,
	"/lockRoom":     (*Handler).lockRoom,
	"/leaveRoom":    (*Handler).leaveRoom,
	"/roomInfo":     (*Handler).roomInfo,
}

// serveEndpoint checks everything that requests have in common, in this order:
// method, origin, user, media type, size, JSON.
func (h *Handler) serveEndpoint(w http.ResponseWriter, r *http.Request, serve endpoint) {
	admitted := h.admitOrigin(w, r)
	if isPreflight(r) {
		if admitted != nil {
			h.refuse(w, r, admitted)
			return
		}
		answerPreflight(w)
		return
	}
	if !h.allowMethod(w, r, http.MethodPost) {
		return
	}
	if admitted != nil {
		h.refuse(w, r, admitted)
		return
	}
	user, err := h.identify(r)
	if err != nil {
		h.refuse(w, r, err)
		return
	}
	b, err := readBody(w, r)
	if err != nil {
		h.refuse(w, r, err)
		return
	}
	b.user = user
	defer b.wipe()
	answer, err := serve(h, r, b)
	if err != nil {
		h.refuse(w, r, err)
		return
	}
	writeJSON(w, http.StatusOK, "application/json", answer)
}

// allowMethod reports whether the request has one of the methods that its path
// takes, and refuses it if not.
func (h *Handler) allowMethod(w http.ResponseWriter, r *http.Request, methods ...string) bool {
	if takesMethod(w, r, methods...) {
		return true
	}
	h.refuse(w, r, apierror.ErrMethodNotAllowed)
	return false
}

// takesMethod reports whether the request has one of the methods, and otherwise
// sets the header that a refusal has to name them by (RFC 9110, section 15.5.6).
func takesMethod(w http.ResponseWriter, r *http.Request, methods ...string) bool {
	if slices.Contains(methods, r.Method) {
		return true
	}
	w.Header().Set("Allow", strings.Join(methods, ", "))
	return false
}

// admission is the answer to who creates a room or joins one.
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

// clock is when a room started and when it ends, null before its start.
type clock struct {
	StartedAt *string `json:"startedAt"`
	ExpiresAt *string `json:"expiresAt"`
}

func clockOf(startedAt, deadline time.Time) clock {
	return clock{StartedAt: formatTime(startedAt), ExpiresAt: formatTime(deadline)}
}

func formatTime(t time.Time) *string {
	if t.IsZero() {
		return nil
	}
	text := message.FormatTime(t)
	return &text
}

// done is the answer that says nothing but yes.
type done struct{}

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
	wanted := room.CreateRequest{
		Name:     b.text("roomName"),
		Password: b.optionalText("password"),
		Username: b.optionalText("username"),
		User:     b.user,
		TTL:      b.optionalDuration("ttl"),
	}
	if b.err != nil {
		return nil, b.err
	}
	if err := h.createLimiter.take(limitKey{client: clientOf(r)}, time.Now()); err != nil {
		return nil, err
	}
	admitted, err := h.rooms.Create(r.Context(), wanted)
	if err != nil {
		return nil, err
	}
	h.chat.tell(eventRoomCreated, admitted.Room.ID, admitted.UserID, "ttl", int64(admitted.Room.TTL/time.Second))
	return admissionOf(admitted), nil
}

// joinRoom lets somebody new in, or a member back in who shows a session.
func (h *Handler) joinRoom(r *http.Request, b *body) (any, error) {
	var join func() (room.Admission, error)
	client := clientOf(r)
	if b.has("sessionId") || b.user == "" && b.has("userId") {
		credentials := b.credentials()
		join = func() (room.Admission, error) { return h.rooms.Rejoin(r.Context(), credentials) }
	} else {
		newcomer := room.JoinRequest{
			RoomID:   b.text("roomId"),
			Password: b.optionalText("password"),
			Username: b.optionalText("username"),
			User:     b.user,
		}
		newcomer.Guard = h.passwordGuard(client, newcomer.RoomID)
		join = func() (room.Admission, error) {
			admitted, err := h.rooms.Join(r.Context(), newcomer)
			if err == nil && admitted.Opened {
				h.chat.tell(eventRoomCreated, admitted.Room.ID, admitted.UserID, "ttl", int64(admitted.Room.TTL/time.Second))
			}
			if err == nil && !admitted.Rejoined {
				h.chat.tell(eventMemberJoined, admitted.Room.ID, admitted.UserID)
			}
			return admitted, err
		}
	}
	if b.err != nil {
		return nil, b.err
	}
	if err := h.joinLimiter.take(limitKey{client: client}, time.Now()); err != nil {
		return nil, err
	}
	admitted, err := join()
	if err != nil {
		return nil, err
	}
	return admissionOf(admitted), nil
}

func (h *Handler) startChat(r *http.Request, b *body) (any, error) {
	credentials := b.credentials()
	if b.err != nil {
		return nil, b.err
	}
	started, err := h.rooms.Start(r.Context(), credentials)
	if err != nil {
		return nil, err
	}
	if started.Began {
		ttl := started.Deadline.Sub(started.StartedAt)
		h.chat.tell(eventRoomStarted, credentials.RoomID, credentials.UserID, "ttl", int64(ttl/time.Second))
	}
	return clockOf(started.StartedAt, started.Deadline), nil
}

func (h *Handler) deleteRoom(r *http.Request, b *body) (any, error) {
	credentials := b.credentials()
	if b.err != nil {
		return nil, b.err
	}
	if err := h.rooms.Delete(r.Context(), credentials); err != nil {
		return nil, err
	}
	h.chat.tell(eventRoomEnded, credentials.RoomID, credentials.UserID, "reason", string(room.EndDeleted))
	return done{}, nil
}

func (h *Handler) removeMember(r *http.Request, b *body) (any, error) {
	credentials, member := b.credentials(), b.text("memberId")
	if b.err != nil {
		return nil, b.err
	}
	if err := h.rooms.Remove(r.Context(), credentials, member); err != nil {
		return nil, err
	}
	h.chat.tell(eventMemberRemoved, credentials.RoomID, member, "by", credentials.UserID)
	return done{}, nil
}

func (h *Handler) lockRoom(r *http.Request, b *body) (any, error) {
	credentials, locked := b.credentials(), b.flag("locked")
	if b.err != nil {
		return nil, b.err
	}
	return done{}, h.rooms.SetLocked(r.Context(), credentials, locked)
}

func (h *Handler) leaveRoom(r *http.Request, b *body) (any, error) {
	credentials := b.credentials()
	if b.err != nil {
		return nil, b.err
	}
	if err := h.rooms.Leave(r.Context(), credentials); err != nil {
		return nil, err
	}
	h.chat.tell(eventMemberRemoved, credentials.RoomID, credentials.UserID, "by", credentials.UserID)
	return done{}, nil
}

// info is what anybody may know of a room whose id they know.
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
	found, err := h.rooms.Info(r.Context(), roomID)
	if err != nil {
		return nil, err
	}
	return info{
		PasswordRequired: found.PasswordRequired,
		Locked:           found.Locked,
		clock:            clockOf(found.StartedAt, found.Deadline),
	}, nil
}
