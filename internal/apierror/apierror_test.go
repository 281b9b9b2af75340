package apierror_test

import (
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"regexp"
	"strings"
	"testing"

	"github.com/ephemeralchat/caddy-ephemeral-chat/internal/apierror"
	"github.com/ephemeralchat/caddy-ephemeral-chat/room"
)

// sentinels are the errors of both errors.go files by name. TestSentinels checks
// that none is missing.
var sentinels = map[string]error{
	"ErrInvalidRequest":       room.ErrInvalidRequest,
	"ErrInvalidSession":       room.ErrInvalidSession,
	"ErrNotSignedIn":          room.ErrNotSignedIn,
	"ErrRemoved":              room.ErrRemoved,
	"ErrWrongPassword":        room.ErrWrongPassword,
	"ErrNotAdmin":             room.ErrNotAdmin,
	"ErrRoomLocked":           room.ErrRoomLocked,
	"ErrRoomFull":             room.ErrRoomFull,
	"ErrRoomNotFound":         room.ErrRoomNotFound,
	"ErrRoomEnded":            room.ErrRoomEnded,
	"ErrMemberNotFound":       room.ErrMemberNotFound,
	"ErrMessageNotFound":      room.ErrMessageNotFound,
	"ErrTooManyRooms":         room.ErrTooManyRooms,
	"ErrTooManyConnections":   apierror.ErrTooManyConnections,
	"ErrRateLimited":          room.ErrRateLimited,
	"ErrUnavailable":          room.ErrUnavailable,
	"ErrInternal":             room.ErrInternal,
	"ErrMethodNotAllowed":     apierror.ErrMethodNotAllowed,
	"ErrBodyTooLarge":         apierror.ErrBodyTooLarge,
	"ErrBodyTooSlow":          apierror.ErrBodyTooSlow,
	"ErrUnsupportedMediaType": apierror.ErrUnsupportedMediaType,
	"ErrUpgradeRequired":      apierror.ErrUpgradeRequired,
	"ErrOriginNotAllowed":     apierror.ErrOriginNotAllowed,
	"ErrUnknownType":          apierror.ErrUnknownType,
	"ErrInvalidFrame":         apierror.ErrInvalidFrame,
	"ErrInvalidMessage":       room.ErrInvalidMessage,
	"ErrMessageTooLong":       room.ErrMessageTooLong,
	"ErrBadFrame":             apierror.ErrBadFrame,
	"ErrNotUTF8":              apierror.ErrNotUTF8,
	"ErrFrameTooLarge":        apierror.ErrFrameTooLarge,
	"ErrJoinRequired":         apierror.ErrJoinRequired,
	"ErrJoinTimeout":          apierror.ErrJoinTimeout,
	"ErrReplaced":             apierror.ErrReplaced,
	"ErrTooFast":              apierror.ErrTooFast,
	"ErrTooSlow":              apierror.ErrTooSlow,
	"ErrGoingAway":            apierror.ErrGoingAway,
}

// TestSentinels reads the source: the tests know every declared sentinel.
func TestSentinels(t *testing.T) {
	declared := make(map[string]bool)
	for _, d := range declarations(t, "errors.go", "../../room/errors.go") {
		decl, ok := d.(*ast.GenDecl)
		if !ok || decl.Tok != token.VAR {
			continue
		}
		for _, s := range decl.Specs {
			spec, ok := s.(*ast.ValueSpec)
			if !ok {
				continue
			}
			for _, name := range spec.Names {
				declared[name.Name] = true
				if sentinels[name.Name] == nil {
					t.Errorf("%s is declared and not among the sentinels of this test", name.Name)
				}
			}
		}
	}
	if len(declared) < 30 {
		t.Errorf("errors.go declares %d sentinels; the test misreads it", len(declared))
	}
	for name := range sentinels {
		if !declared[name] {
			t.Errorf("%s is not declared in errors.go", name)
		}
	}
}

// declarations returns the top-level declarations of source files.
func declarations(t *testing.T, paths ...string) (all []ast.Decl) {
	t.Helper()
	for _, path := range paths {
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, file.Decls...)
	}
	return all
}

func TestTable(t *testing.T) {
	snakeCase := regexp.MustCompile(`^[a-z][a-z0-9]*(_[a-z0-9]+)*$`)
	rows := make(map[apierror.Error]string)
	texts := make(map[string]string)
	for name, err := range sentinels {
		r := apierror.Of(err)
		if r == apierror.Of(room.ErrInternal) && !errors.Is(err, room.ErrInternal) {
			t.Errorf("%s is missing from the table", name)
			continue
		}
		if !snakeCase.MatchString(r.Code) {
			t.Errorf("%s: the code %q is not in snake case", name, r.Code)
		}
		if r.Status != 0 && (r.Status < 400 || r.Status > 599) {
			t.Errorf("%s: status %d is not an error", name, r.Status)
		}
		// RFC 6455, section 7.4: the protocol defines 1000 to 1015, and some of
		// these never stand in a frame; 4000 to 4999 are for private use.
		switch {
		case r.Close == 0, r.Close >= 4000 && r.Close <= 4999:
		case r.Close == 1001, r.Close == 1007, r.Close == 1009, r.Close == 1011, r.Close == 1013:
		default:
			t.Errorf("%s: close code %d", name, r.Close)
		}
		if len(r.Code) > 123 { // RFC 6455, section 5.5.1, less the two bytes of the code
			t.Errorf("%s: the code does not fit a close frame", name)
		}
		if r.Status == 0 && r.Close == 0 && !onlyFrames[r.Code] {
			t.Errorf("%s is neither a status nor a close code nor an error frame", name)
		}
		if other, taken := rows[r]; taken {
			t.Errorf("%s and %s share the row %+v", name, other, r)
		}
		if other, taken := texts[err.Error()]; taken {
			t.Errorf("%s and %s share the text %q", name, other, err)
		}
		rows[r], texts[err.Error()] = name, name
	}
}

// onlyFrames are the codes that stand in error frames and nowhere else.
var onlyFrames = map[string]bool{"unknown_type": true, "invalid_frame": true, "invalid_message": true, "message_too_long": true}

// TestDocumentedErrors pins what clients rely on.
func TestDocumentedErrors(t *testing.T) {
	for _, c := range []struct {
		err  error
		want apierror.Error
	}{
		{room.ErrInvalidRequest, apierror.Error{Status: 400, Code: "invalid_request", Close: 4400}},
		{room.ErrInvalidSession, apierror.Error{Status: 401, Code: "invalid_session", Close: 4401}},
		{room.ErrNotSignedIn, apierror.Error{Status: 401, Code: "not_signed_in", Close: 4401}},
		{room.ErrRemoved, apierror.Error{Status: 401, Code: "invalid_session", Close: 4403}},
		{room.ErrWrongPassword, apierror.Error{Status: 403, Code: "wrong_password"}},
		{room.ErrNotAdmin, apierror.Error{Status: 403, Code: "not_admin"}},
		{room.ErrRoomLocked, apierror.Error{Status: 403, Code: "room_locked"}},
		{room.ErrRoomNotFound, apierror.Error{Status: 404, Code: "room_not_found", Close: 4404}},
		{room.ErrRoomEnded, apierror.Error{Status: 404, Code: "room_not_found", Close: 4410}},
		{room.ErrMemberNotFound, apierror.Error{Status: 404, Code: "member_not_found"}},
		{room.ErrMessageNotFound, apierror.Error{Status: 404, Code: "message_not_found"}},
		{room.ErrRoomFull, apierror.Error{Status: 409, Code: "room_full", Close: 4413}},
		{room.ErrRateLimited, apierror.Error{Status: 429, Code: "rate_limited"}},
		{apierror.ErrTooManyConnections, apierror.Error{Status: 429, Code: "too_many_connections"}},
		{room.ErrTooManyRooms, apierror.Error{Status: 503, Code: "too_many_rooms"}},
		{room.ErrUnavailable, apierror.Error{Status: 503, Code: "unavailable", Close: 1013}},
		{apierror.ErrTooFast, apierror.Error{Code: "too_fast", Close: 4429}},
		{apierror.ErrTooSlow, apierror.Error{Code: "too_slow", Close: 4503}},
		{apierror.ErrReplaced, apierror.Error{Code: "replaced", Close: 4409}},
		{apierror.ErrJoinTimeout, apierror.Error{Code: "join_timeout", Close: 4408}},
		{apierror.ErrNotUTF8, apierror.Error{Code: "invalid_utf8", Close: 1007}},
		{apierror.ErrFrameTooLarge, apierror.Error{Code: "frame_too_large", Close: 1009}},
	} {
		if got := apierror.Of(c.err); got != c.want {
			t.Errorf("%v: %+v, want %+v", c.err, got, c.want)
		}
		if got := apierror.Of(fmt.Errorf("reading: %w (really)", c.err)); got != c.want {
			t.Errorf("%v, wrapped: %+v, want %+v", c.err, got, c.want)
		}
	}
	for _, err := range []error{errors.New("something else"), nil} {
		if got, want := apierror.Of(err), (apierror.Error{Status: 500, Code: "internal_error", Close: 1011}); got != want {
			t.Errorf("%v: %+v, want %+v", err, got, want)
		}
	}
}

func TestMessage(t *testing.T) {
	const inner = "dial tcp 10.0.0.1:6379: refused"
	for name, sentinel := range sentinels {
		err := fmt.Errorf("%w: %s", sentinel, inner)
		got := apierror.Message(err)
		if !strings.HasPrefix(got, sentinel.Error()) {
			t.Errorf("%s is explained as %q", name, got)
		}
		if ours := apierror.Of(err).Status >= 500; ours == strings.Contains(got, inner) {
			t.Errorf("%s is the server's own: %v, and is explained as %q", name, ours, got)
		}
	}
	if got := apierror.Message(errors.New(inner)); strings.Contains(got, inner) {
		t.Errorf("an unknown error is explained as %q", got)
	}
}
