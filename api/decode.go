package api

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"mime"
	"net/http"
	"os"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/ephemeralchat/caddy-ephemeral-chat/internal/apierror"
	"github.com/ephemeralchat/caddy-ephemeral-chat/room"
)

const (
	// maxBody is the maximum size of a request body in bytes.
	maxBody = 64 << 10
	// bodyTimeout bounds the time in which a body must arrive. Caddy's own time-outs
	// allow a minute for each piece of it: at a byte at a time, weeks.
	bodyTimeout = 10 * time.Second
)

// body is the JSON object of a request. Its methods return the value of a field. The
// first invalid field sets err, and from then on they return zero values: a caller
// reads all fields and then checks err.
//
// Field names are matched exactly; encoding/json ignores their case in structs.
type body struct {
	fields        map[string]json.RawMessage
	userID        string // of the user that the site has signed in, or empty
	parseDuration func(string) (time.Duration, error)
	err           error
}

// readBody reads and parses the body of a request: one JSON object in UTF-8 (RFC
// 8259, section 8.1).
func readBody(w http.ResponseWriter, r *http.Request) (*body, error) {
	if !isJSON(r.Header.Get("Content-Type")) {
		return nil, apierror.ErrUnsupportedMediaType
	}
	if r.ContentLength > maxBody {
		return nil, apierror.ErrBodyTooLarge
	}
	// Some writers cannot set deadlines; the server's own time-outs then apply.
	control := http.NewResponseController(w)
	_ = control.SetReadDeadline(time.Now().Add(bodyTimeout))
	raw, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if err != nil {
		if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
			return nil, apierror.ErrBodyTooLarge
		}
		if errors.Is(err, os.ErrDeadlineExceeded) {
			return nil, apierror.ErrBodyTooSlow
		}
		return nil, invalid("the body could not be read")
	}
	// An HTTP/1.1 server goes on reading, to notice that the client disconnects. After
	// an error the deadline stays: the connection cannot be used again.
	_ = control.SetReadDeadline(time.Time{})
	return parseBody(raw)
}

// discardBody prepares the refusal of a request whose body may be unread. An HTTP/1.1
// server reads the rest of a small body before it sends the response; the deadline
// bounds that. A client that waits for 100 Continue (RFC 9110, section 10.1.1) gets the
// response at once.
func discardBody(w http.ResponseWriter, r *http.Request) {
	_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(bodyTimeout))
	if r.ProtoMajor == 1 && r.Header.Get("Expect") != "" {
		w.Header().Set("Connection", "close")
	}
}

// isJSON reports whether a media type is application/json. JSON is always UTF-8; a
// charset parameter must not contradict that.
func isJSON(contentType string) bool {
	mediaType, parameters, err := mime.ParseMediaType(contentType)
	if err != nil || mediaType != "application/json" {
		return false
	}
	charset, ok := parameters["charset"]
	return !ok || strings.EqualFold(charset, "utf-8")
}

func parseBody(raw []byte) (*body, error) {
	// encoding/json would replace invalid UTF-8.
	if !utf8.Valid(raw) {
		return nil, invalid("the body is not valid UTF-8")
	}
	trimmed := bytes.TrimLeft(raw, " \t\r\n")
	switch {
	case len(trimmed) == 0:
		return nil, invalid("the body is empty; a JSON object is expected")
	case trimmed[0] != '{':
		return nil, invalid("the body is not a JSON object")
	}
	b := new(body)
	decoder := json.NewDecoder(bytes.NewReader(raw))
	if decoder.Decode(&b.fields) != nil {
		return nil, invalid("the body is not valid JSON")
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return nil, invalid("something follows the JSON object")
	}
	return b, nil
}

func invalid(detail string) error { return fmt.Errorf("%w: %s", room.ErrInvalidRequest, detail) }

// has reports whether an optional field is present. JSON's null means absent.
func (b *body) has(name string) bool {
	raw, ok := b.fields[name]
	return ok && string(raw) != "null"
}

// text returns a required string.
func (b *body) text(name string) string { return required[string](b, name, "a string") }

// optionalText returns an optional string.
func (b *body) optionalText(name string) string {
	if !b.has(name) {
		return ""
	}
	return b.text(name)
}

// required decodes a required field; kind describes its type for clients.
func required[T any](b *body, name, kind string) (value T) {
	switch {
	case b.err != nil:
	case !b.has(name):
		b.err = invalid(name + " is missing")
	case json.Unmarshal(b.fields[name], &value) != nil:
		b.err = invalid(name + " must be " + kind)
	}
	return value
}

// optionalDuration returns an optional duration: a whole number of seconds or a string
// such as "30m" or "1d". It returns nil if the field is absent.
func (b *body) optionalDuration(name string) *time.Duration {
	if !b.has(name) || b.err != nil {
		return nil
	}
	raw := string(b.fields[name])
	if strings.HasPrefix(raw, `"`) {
		if d, err := b.parseDuration(b.text(name)); err == nil {
			return &d
		}
	} else if seconds, err := strconv.ParseInt(raw, 10, 64); err == nil &&
		seconds >= math.MinInt64/int64(time.Second) && seconds <= math.MaxInt64/int64(time.Second) {
		d := time.Duration(seconds) * time.Second
		return &d
	}
	b.err = invalid(name + ` must be a whole number of seconds or a duration such as "30m"`)
	return nil
}

// credentials returns the fields that identify a member.
func (b *body) credentials() room.Credentials {
	c := room.Credentials{RoomID: b.text("roomId"), UserID: b.userID}
	if b.userID == "" {
		c.UserID = b.text("userId")
	}
	c.SessionID = b.text("sessionId")
	return c
}
