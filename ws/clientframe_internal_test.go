package ws

import (
	"encoding/json"
	"errors"
	"reflect"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/ephemeralchat/caddy-ephemeral-chat/internal/apierror"
)

// FuzzDecodeFrame checks that every frame is either refused in one of two ways, or has
// numbers that every part of the system can represent.
func FuzzDecodeFrame(f *testing.F) {
	for _, seed := range []string{
		`{"type":"join","roomId":"r","userId":"u","sessionId":"s","after":41,"epoch":"e"}`,
		`{"type":"message","message":"hi","id":1}`,
		`{"type":"message","message":"\ud83d\ude00\u0000","id":9007199254740991}`,
		`{"type":"message","message":"hi","id":9007199254740992}`,
		`{"type":"history","before":1,"limit":200}`,
		`{"type":"history","before":0,"limit":201}`,
		`{"type":"typing"}`,
		`{"TYPE":"typing","Id":-1}`,
		`{"type":5,"id":1e400}`,
		`{"id":1.0,"after":null}`,
		` {"a":[[[[{}]]]]} `,
		`null`, `[]`, `"x"`, `{`, ``, "{\"type\":\"\xff\"}", `{"type":"a"}{}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		before := string(data)
		var plain clientFrame
		if plain.decodePlain(data) && utf8.Valid(data) { // else it is not decoded at all
			if want, err := decodeJSON(data); err != nil || !reflect.DeepEqual(plain, want) {
				t.Errorf("%q was decoded as %+v, want %+v, %v", data, plain, want, err)
			}
		}
		frame, err := decodeFrame(data)
		if string(data) != before {
			t.Error("the bytes were changed")
		}
		if id := frame.id(); id > maxInteger {
			t.Errorf("id %d", id)
		}
		var object map[string]json.RawMessage
		isObject := json.Unmarshal(data, &object) == nil && strings.HasPrefix(strings.TrimLeft(before, " \t\r\n"), "{")
		switch {
		case err == nil:
			if !isObject {
				t.Errorf("%q was accepted, and is no object", data)
			}
			if frame.ID != nil && frame.id() == 0 {
				t.Error("id 0 was accepted")
			}
			if frame.After != nil && *frame.After > maxInteger {
				t.Errorf("after %d was accepted", *frame.After)
			}
			if frame.Before != nil && (*frame.Before == 0 || *frame.Before > maxInteger) {
				t.Errorf("before %d was accepted", *frame.Before)
			}
			if frame.Limit != nil && (*frame.Limit < 1 || *frame.Limit > maxHistory) {
				t.Errorf("limit %d was accepted", *frame.Limit)
			}
		case errors.Is(err, apierror.ErrInvalidFrame):
			if !isObject {
				t.Errorf("%q is no object: %v", data, err)
			}
		case errors.Is(err, apierror.ErrBadFrame):
			if isObject {
				t.Errorf("%q is an object: %v", data, err)
			}
		default:
			t.Errorf("%q: %v", data, err)
		}
	})
}

// TestNamesAreExact checks that a field has one name: a proxy that matches names exactly
// must not see another frame than the server.
func TestNamesAreExact(t *testing.T) {
	for _, data := range []string{
		`{"TYPE":"message","Message":"hi","ID":1}`,
		`{"Type":"join","ROOMID":"r","userid":"u","SessionId":"s","AFTER":1,"Epoch":"e"}`,
		`{"\u017feq":1,"me\u017fsage":"hi","se\u017f\u017fionId":"s"}`, // a long s, which folds to an s
		`{"Seq":-1,"Before":"x","LIMIT":1e400}`,
	} {
		if f, err := decodeFrame([]byte(data)); err != nil || !reflect.DeepEqual(f, clientFrame{}) {
			t.Errorf("%s is %+v, %v; want nothing", data, f, err)
		}
	}
	f, err := decodeFrame([]byte(`{"type":"message","message":"hi","TYPE":"typing","MESSAGE":5,"Message":"other"}`))
	if err != nil || f.Type != "message" || f.Message != "hi" {
		t.Errorf("beside others it is %+v, %v", f, err)
	}
}

func BenchmarkDecodeFrame(b *testing.B) {
	data := []byte(`{"type":"message","id":123456,"message":"` + strings.Repeat("all work and no play ", 8) + `"}`)
	b.ReportAllocs()
	b.SetBytes(int64(len(data)))
	for b.Loop() {
		if f, err := decodeFrame(data); err != nil || f.id() != 123456 {
			b.Fatal(f, err)
		}
	}
}
