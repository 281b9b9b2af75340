package api

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

// retryAfterOutage is the Retry-After delay of responses with status 503. Stores come
// back within seconds or after much longer.
const retryAfterOutage = 2 * time.Second

// problem is a problem document (RFC 9457). Its type is about:blank, because the code
// identifies the error and needs no page that explains it.
type problem struct {
	Type   string `json:"type"`
	Title  string `json:"title"`
	Status int    `json:"status"`
	Detail string `json:"detail"`
	Code   string `json:"code"`
}

// refuse answers a request with the problem document of err and counts it. It logs
// only defects: a client's mistake concerns the client, and a store logs its outages.
func (h *Handler) refuse(w http.ResponseWriter, r *http.Request, err error) {
	e := apierror.Of(err)
	if e.Status == 0 { // for WebSockets only; here it is a defect
		e = apierror.Of(room.ErrInternal)
	}
	if e.Status == http.StatusInternalServerError {
		h.config.Log.Error("request failed", zap.String("method", r.Method), zap.String("path", r.URL.Path), zap.Error(err))
	}
	h.config.Refusals.Add(e)
	discardBody(w, r)
	switch e.Status {
	case http.StatusTooManyRequests, http.StatusServiceUnavailable:
		w.Header().Set("Retry-After", retryAfter(err))
	}
	writeJSON(w, e.Status, "application/problem+json", problem{
		Type:   "about:blank",
		Title:  http.StatusText(e.Status),
		Status: e.Status,
		Detail: apierror.Message(err),
		Code:   e.Code,
	})
}

// retryAfter returns the value of a Retry-After header, in whole seconds (RFC 9110,
// section 10.2.3).
func retryAfter(err error) string {
	delay := retryAfterOutage
	if limited, ok := errors.AsType[*rateLimitedError](err); ok {
		delay = limited.retryAfter
	}
	return strconv.FormatInt(int64((delay+time.Second-1)/time.Second), 10)
}

// writeJSON writes a response. value must be one that always encodes.
func writeJSON(w http.ResponseWriter, status int, mediaType string, value any) {
	body, err := json.Marshal(value)
	if err != nil {
		// Responses consist of strings, numbers and booleans only.
		panic("api: response does not encode: " + err.Error())
	}
	header := w.Header()
	setPrivate(header)
	header.Set("Content-Type", mediaType)
	header.Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(status)
	_, _ = w.Write(body) // an error means that the client has disconnected
}

// setPrivate keeps a response out of caches, and browsers from guessing its type.
func setPrivate(header http.Header) {
	header.Set("Cache-Control", "no-store")
	header.Set("X-Content-Type-Options", "nosniff")
}
