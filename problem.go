package ephemeralchat

import (
	"encoding/json"
	"errors"
	"net/http"
	"strconv"
	"time"

	"go.uber.org/zap"

	"github.com/ephemeralchat/caddy-ephemeral-chat/internal/apierror"
	"github.com/ephemeralchat/caddy-ephemeral-chat/room"
)

// retryAfterOutage is when a client may try again after a 503. Stores come back
// within seconds or after much longer.
const retryAfterOutage = 2 * time.Second

// problem is a problem document (RFC 9457). Its type is about:blank: the code
// says what the status does not, and needs no page to say it.
type problem struct {
	Type   string `json:"type"`
	Title  string `json:"title"`
	Status int    `json:"status"`
	Detail string `json:"detail"`
	Code   string `json:"code"`
}

// refuse answers a request with the problem that err is. Only defects are
// logged: what clients do wrong is their affair, and a store logs its own
// outages.
func (h *Handler) refuse(w http.ResponseWriter, r *http.Request, err error) {
	refusal := apierror.Of(err)
	if refusal.Status == 0 { // arises on WebSockets only, so it is a defect here
		refusal = apierror.Of(room.ErrInternal)
	}
	if refusal.Status == http.StatusInternalServerError {
		h.logger.Error("request failed", zap.String("method", r.Method), zap.String("path", r.URL.Path), zap.Error(err))
	}
	h.chat.refused.Add(refusal)
	giveUpBody(w, r)
	switch refusal.Status {
	case http.StatusTooManyRequests, http.StatusServiceUnavailable:
		w.Header().Set("Retry-After", retryAfter(err))
	}
	writeJSON(w, refusal.Status, "application/problem+json", problem{
		Type:   "about:blank",
		Title:  http.StatusText(refusal.Status),
		Status: refusal.Status,
		Detail: apierror.Message(err),
		Code:   refusal.Code,
	})
}

// retryAfter returns the delay of a Retry-After header, in whole seconds (RFC
// 9110, section 10.2.3).
func retryAfter(err error) string {
	delay := retryAfterOutage
	if limited, ok := errors.AsType[*rateLimitedError](err); ok {
		delay = limited.retryAfter
	}
	return strconv.FormatInt(int64((delay+time.Second-1)/time.Second), 10)
}

// writeJSON writes a response whose body is a value that always encodes.
func writeJSON(w http.ResponseWriter, status int, mediaType string, value any) {
	body, err := json.Marshal(value)
	if err != nil {
		// No response holds anything but strings, numbers and booleans.
		panic("ephemeralchat: response does not encode: " + err.Error())
	}
	header := w.Header()
	setPrivate(header)
	header.Set("Content-Type", mediaType)
	header.Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(status)
	// An error means that the client has gone, and nobody is left to be told.
	_, _ = w.Write(body)
}

// setPrivate says that a response is for this client now and is what it says
// that it is.
func setPrivate(header http.Header) {
	header.Set("Cache-Control", "no-store")
	header.Set("X-Content-Type-Options", "nosniff")
}
