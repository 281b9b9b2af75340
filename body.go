package ephemeralchat

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

	"github.com/caddyserver/caddy/v2"

	"github.com/ephemeralchat/caddy-ephemeral-chat/internal/apierror"
	"github.com/ephemeralchat/caddy-ephemeral-chat/room"
)

const (
	// maxBody is how many bytes the body of a request may have.
	maxBody = 64 << 10
	// bodyTime is how long it may take to come. Caddy waits for the head of a
	// request for a minute, and for each piece of its body for as long again: a byte
	// at a time could hold a connection for weeks.
	bodyTime = 10 * time.Second
)

// body is the JSON object that a request carries. Its methods return the value
// of a field, and the zero value after a first mistake: whoever has asked for
// all fields asks for the mistake, by err.
//
// Names of fields are matched exactly, unlike encoding/json does with structs.
type body struct {
	fields map[string]json.RawMessage
	// user is whom the site says the request is from; empty where clients say it.
	user string
	err  error
}

// readBody reads the body of a request: one JSON object in UTF-8 (RFC 8259,
// section 8.1).
func readBody(w http.ResponseWriter, r *http.Request) (*body, error) {
	if !isJSON(r.Header.Get("Content-Type")) {
		return nil, apierror.ErrUnsupportedMediaType
	}
	if r.ContentLength > maxBody {
		return nil, apierror.ErrBodyTooLarge
	}
	raw, err := readInTime(w, r)
	if err != nil {
		if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
			return nil, apierror.ErrBodyTooLarge
		}
		if errors.Is(err, os.ErrDeadlineExceeded) {
			return nil, apierror.ErrBodyTooSlow
		}
		return nil, invalid("the body could not be read")
	}
	defer clear(raw) // parseBody has copied what it needs
	return parseBody(raw)
}

// readInTime reads the body of a request within bodyTime.
func readInTime(w http.ResponseWriter, r *http.Request) ([]byte, error) {
	// Where a writer in between knows no deadlines, the server's own hold.
	control := http.NewResponseController(w)
	_ = control.SetReadDeadline(time.Now().Add(bodyTime))
	raw, err := readWhole(http.MaxBytesReader(w, r.Body, maxBody), r.ContentLength)
	if err == nil {
		// Over HTTP/1.1 the server goes on reading, to notice when the client goes. After
		// a failure it must not: the connection is of no more use.
		_ = control.SetReadDeadline(time.Time{})
	}
	return raw, err
}

// readWhole reads a body of so many bytes; -1 if that is not known. It leaves
// nothing of it anywhere but in what it returns.
func readWhole(r io.Reader, size int64) ([]byte, error) {
	if size < 0 {
		size = maxBody
	}
	raw := make([]byte, 0, size+1) // one more, to see that it is over
	for len(raw) < cap(raw) {
		n, err := r.Read(raw[len(raw):cap(raw)])
		raw = raw[:len(raw)+n]
		if errors.Is(err, io.EOF) {
			return raw, nil
		}
		if err != nil {
			clear(raw)
			return nil, err
		}
	}
	return raw, nil
}

// giveUpBody is called where the body of a request may not have been read, before it
// is refused: over HTTP/1.1 the server reads the rest of a small one before it sends
// the response. That must not take longer than a body may; and a client that waits to
// be asked for the body (RFC 9110, section 10.1.1) is told at once and not asked.
func giveUpBody(w http.ResponseWriter, r *http.Request) {
	_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(bodyTime))
	if r.ProtoMajor == 1 && r.Header.Get("Expect") != "" {
		w.Header().Set("Connection", "close")
	}
}

// isJSON reports whether a media type is application/json. The charset, which
// JSON has no use for, may only name the one that it is in.
func isJSON(contentType string) bool {
	mediaType, parameters, err := mime.ParseMediaType(contentType)
	if err != nil || mediaType != "application/json" {
		return false
	}
	charset, ok := parameters["charset"]
	return !ok || strings.EqualFold(charset, "utf-8")
}

func parseBody(raw []byte) (*body, error) {
	// encoding/json would replace what is not UTF-8.
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
	if json.Unmarshal(raw, &b.fields) == nil {
		return b, nil
	}
	// What is wrong with it is the concern of few.
	if json.NewDecoder(bytes.NewReader(raw)).Decode(&b.fields) == nil {
		return nil, invalid("something follows the JSON object")
	}
	return nil, invalid("the body is not valid JSON")
}

// wipe overwrites what the client has sent. No method may be called after it.
func (b *body) wipe() {
	for _, raw := range b.fields {
		clear(raw)
	}
	b.fields = nil
}

func invalid(detail string) error { return fmt.Errorf("%w: %s", room.ErrInvalidRequest, detail) }

// has reports whether an optional field is there. JSON's null is absence.
func (b *body) has(name string) bool {
	raw, ok := b.fields[name]
	return ok && string(raw) != "null"
}

// text returns a field that must be a string.
func (b *body) text(name string) string {
	var value string
	b.decode(name, &value, "a string")
	return value
}

// optionalText returns a field that must be a string if it is there.
func (b *body) optionalText(name string) string {
	if !b.has(name) {
		return ""
	}
	return b.text(name)
}

// flag returns a field that must be true or false.
func (b *body) flag(name string) bool {
	var value bool
	b.decode(name, &value, "true or false")
	return value
}

// optionalDuration returns a field that must be, if it is there, a whole number
// of seconds or a string such as "30m" or "1d"; nil if it is not there.
func (b *body) optionalDuration(name string) *time.Duration {
	if !b.has(name) || b.err != nil {
		return nil
	}
	raw := string(b.fields[name])
	if strings.HasPrefix(raw, `"`) {
		if d, err := caddy.ParseDuration(b.text(name)); err == nil {
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

// credentials returns the fields by which a member identifies itself.
func (b *body) credentials() room.Credentials {
	c := room.Credentials{RoomID: b.text("roomId"), UserID: b.user}
	if b.user == "" {
		c.UserID = b.text("userId")
	}
	c.SessionID = b.text("sessionId")
	return c
}

func (b *body) decode(name string, value any, kind string) {
	if b.err != nil {
		return
	}
	if !b.has(name) {
		b.err = invalid(name + " is missing")
		return
	}
	if json.Unmarshal(b.fields[name], value) != nil {
		b.err = invalid(name + " must be " + kind)
	}
}
