package attack_test

import (
	"net/http"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/ephemeralchat/caddy-ephemeral-chat/e2e/harness"
)

// nested returns nested arrays of a size in bytes.
func nested(size int) string { return strings.Repeat("[", size/2) + strings.Repeat("]", size/2) }

// TestAttackJSON sends bodies that parsers interpret differently. Each is refused, or has
// the documented meaning.
func TestAttackJSON(t *testing.T) {
	count := newAttacks(t)
	s := harness.MemorySite(t, harness.Unlimited)
	a := s.API(0)
	for what, body := range map[string]string{
		"a byte order mark":              "\ufeff{\"roomName\":\"n\"}",
		"UTF-16":                         "{\x00\"\x00r\x00o\x00o\x00m\x00N\x00a\x00m\x00e\x00\"\x00:\x00\"\x00n\x00\"\x00}\x00",
		"an overlong slash":              "{\"roomName\":\"a\xc0\xafb\"}",
		"an overlong NUL":                "{\"roomName\":\"a\xc0\x80b\"}",
		"an overlong name of a field":    "{\"\xc1\xb2oomName\":\"n\"}",
		"a surrogate in UTF-8":           "{\"roomName\":\"a\xed\xa0\x80b\"}",
		"beyond Unicode":                 "{\"roomName\":\"a\xf5\x80\x80\x80b\"}",
		"a lone continuation":            "{\"roomName\":\"a\x80b\"}",
		"a cut character":                "{\"roomName\":\"a\xe2\x82\"}",
		"invalid UTF-8 beside the field": "{\"roomName\":\"n\",\"x\":\"\xff\"}",
		"invalid UTF-8 in another name":  "{\"roomName\":\"n\",\"\xff\":1}",
		"a NUL in the text":              "{\"roomName\":\"a\x00b\"}",
		"an escaped NUL":                 `{"roomName":"a\u0000b"}`,
		"a newline in the text":          "{\"roomName\":\"a\nb\"}",
		"an escaped newline":             `{"roomName":"a\nb"}`,
		"an unknown escape":              `{"roomName":"a\x41"}`,
		"a cut escape":                   `{"roomName":"a\u00`,
		"another case":                   `{"ROOMNAME":"n"}`,
		"another case of one letter":     `{"roomname":"n"}`,
		"an escaped case":                `{"room\u004eAME":"n"}`,
		"a name with a blank":            `{"roomName ":"n"}`,
		"a name with a NUL":              `{"roomName\u0000":"n"}`,
		"the prototype":                  `{"__proto__":{"roomName":"n"}}`,
		"in another object":              `{"x":{"roomName":"n"}}`,
		"in an array":                    `[{"roomName":"n"}]`,
		"two objects":                    `{"roomName":"n"}{"roomName":"n"}`,
		"two objects with a comma":       `{"roomName":"n"},{"roomName":"n"}`,
		"two objects on lines":           "{\"roomName\":\"n\"}\n{\"roomName\":\"n\"}",
		"text after it":                  `{"roomName":"n"}]`,
		"a NUL after it":                 "{\"roomName\":\"n\"}\x00",
		"a comment":                      `{"roomName":"n"/* */}`,
		"a comment after it":             "{\"roomName\":\"n\"}//",
		"a comma at the end":             `{"roomName":"n",}`,
		"no quotes":                      `{roomName:"n"}`,
		"single quotes":                  `{'roomName':'n'}`,
		"a separator of lines":           "{\"roomName\":\"n\"}\u2028",
		"a blank that is none":           "\u00a0{\"roomName\":\"n\"}",
		"a form feed":                    "{\f\"roomName\":\"n\"}",
		"an array for text":              `{"roomName":["n"]}`,
		"an object for text":             `{"roomName":{"toString":"n"}}`,
		"a number for text":              `{"roomName":1e5}`,
		"deep":                           `{"roomName":"n","x":` + nested(60_000) + `}`,
		"deep and open":                  `{"roomName":"n","x":` + strings.Repeat(`{"a":`, 12_000),
		"nothing but brackets":           nested(60_000),
		"not a number":                   `{"roomName":"n","ttl":NaN}`,
		"infinity":                       `{"roomName":"n","ttl":Infinity}`,
		"a number beyond all":            `{"roomName":"n","ttl":1e400}`,
		"an exponent beyond all":         `{"roomName":"n","ttl":1e999999999}`,
		"a number that wraps":            `{"roomName":"n","ttl":18446744073709551676}`,
		"a number that wraps in ns":      `{"roomName":"n","ttl":18446744074}`,
		"a long number":                  `{"roomName":"n","ttl":` + strings.Repeat("9", 60_000) + `}`,
		"minus zero":                     `{"roomName":"n","ttl":-0}`,
		"hexadecimal":                    `{"roomName":"n","ttl":0x3c}`,
		"a plus":                         `{"roomName":"n","ttl":+60}`,
		"a zero before":                  `{"roomName":"n","ttl":060}`,
		"a fraction":                     `{"roomName":"n","ttl":60.0}`,
		"an exponent":                    `{"roomName":"n","ttl":6e1}`,
		"a negative duration":            `{"roomName":"n","ttl":"-60s"}`,
		"a duration that wraps":          `{"roomName":"n","ttl":"9999999999h"}`,
	} {
		count.refused(what, a.Post(t, "/createRoom", body), 400, "invalid_request")
	}
	const field = `{"roomName":"n"}`
	count.refused("blanks", a.Post(t, "/createRoom", strings.Repeat(" ", 64<<10)+field), 413, "body_too_large")

	for what, c := range map[string]struct{ body, name string }{
		"twice":                  {`{"roomName":"a","roomName":"b"}`, "b"},
		"twice, once escaped":    {`{"roomName":"a","room\u004eame":"b"}`, "b"},
		"beside another case":    {`{"roomName":"a","ROOMNAME":"b","Roomname":7}`, "a"},
		"after another case":     {`{"ROOMNAME":"b","roomName":"a"}`, "a"},
		"the prototype":          {`{"roomName":"a","__proto__":{"roomName":"b"},"constructor":{"prototype":{}}}`, "a"},
		"half a character":       {`{"roomName":"a\ud800"}`, "a\ufffd"},
		"halves in wrong order":  {`{"roomName":"\ude00\ud83d"}`, "\ufffd\ufffd"},
		"blanks up to the limit": {strings.Repeat(" ", 64<<10-len(`{"roomName":"a"}`)) + `{"roomName":"a"}`, "a"},
	} {
		var made harness.Member
		got := a.Post(t, "/createRoom", c.body)
		if got.Status == http.StatusOK {
			got.Decode(t, &made)
		}
		count.hold(made.RoomName == c.name && utf8.Valid(got.Body), "%s: %d %s, want the name %q", what, got.Status, got.Body, c.name)
	}
	s.ExpectNoErrors(t)
}

// TestAttackFrames does the same with frames, which reach other members. Some close the
// connection, some are refused, and some are messages with the documented meaning.
func TestAttackFrames(t *testing.T) {
	harness.OnBothStores(t, harness.Unlimited, func(t *testing.T, s *harness.Site) {
		count := newAttacks(t)
		admin := s.API(0).Create(t, 600)
		tab := s.API(1).Rejoin(t, &admin)
		witness, _ := harness.Join(t, s.Base(1), &tab)
		for what, c := range map[string]struct {
			frame string
			want  any // a close code, the code of an error, or a message as a slice of its text
		}{
			"a byte order mark":         {"\ufeff{\"type\":\"message\",\"message\":\"x\"}", 4400},
			"an overlong slash":         {"{\"type\":\"message\",\"message\":\"\xc0\xaf\"}", 1007},
			"a surrogate in UTF-8":      {"{\"type\":\"message\",\"message\":\"\xed\xa0\x80\"}", 1007},
			"beyond Unicode":            {"{\"type\":\"message\",\"message\":\"\xf5\x80\x80\x80\"}", 1007},
			"a cut character":           {"{\"type\":\"message\",\"message\":\"\xe2\x82\"}", 1007},
			"invalid beside it":         {"{\"type\":\"message\",\"message\":\"x\",\"y\":\"\xff\"}", 1007},
			"a NUL in the text":         {"{\"type\":\"message\",\"message\":\"\x00\"}", 4400},
			"a newline in the text":     {"{\"type\":\"message\",\"message\":\"\n\"}", 4400},
			"two objects":               {`{"type":"message","message":"x"}{"type":"message","message":"y"}`, 4400},
			"two objects on lines":      {"{\"type\":\"message\",\"message\":\"x\"}\n{\"type\":\"message\",\"message\":\"y\"}", 4400},
			"text after it":             {`{"type":"message","message":"x"}}`, 4400},
			"a NUL after it":            {"{\"type\":\"message\",\"message\":\"x\"}\x00", 4400},
			"an array":                  {`[{"type":"message","message":"x"}]`, 4400},
			"a string":                  {`"{}"`, 4400},
			"null":                      {`null`, 4400},
			"deep":                      {`{"type":"message","message":"x","y":` + nested(60_000) + `}`, 4400},
			"deep in the text":          {`{"type":"message","message":` + nested(20_000) + `}`, 4400},
			"not a number":              {`{"type":"message","message":"x","id":NaN}`, 4400},
			"a comment":                 {`{"type":"message","message":"x"/**/}`, 4400},
			"a plus":                    {`{"type":"message","message":"x","id":+1}`, 4400},
			"a zero before":             {`{"type":"message","message":"x","id":01}`, 4400},
			"a number beyond all":       {`{"type":"message","message":"x","id":1e999999999}`, "invalid_frame"},
			"a number of 2^64+1":        {`{"type":"message","message":"x","id":18446744073709551617}`, "invalid_frame"},
			"a number of 2^53":          {`{"type":"message","message":"x","id":9007199254740992}`, "invalid_frame"},
			"a long number":             {`{"type":"message","message":"x","id":` + strings.Repeat("9", 20_000) + `}`, "invalid_frame"},
			"a fraction":                {`{"type":"message","message":"x","id":1.0}`, "invalid_frame"},
			"minus zero":                {`{"type":"message","message":"x","id":-0}`, "invalid_frame"},
			"an object for text":        {`{"type":"message","message":{"toString":"x"}}`, "invalid_frame"},
			"an array for text":         {`{"type":"message","message":["x"]}`, "invalid_frame"},
			"an array for the type":     {`{"type":["message"],"message":"x"}`, "invalid_frame"},
			"another case":              {`{"TYPE":"message","MESSAGE":"x"}`, "unknown_type"},
			"another case of the text":  {`{"type":"message","Message":"x"}`, "invalid_message"},
			"a long s":                  {`{"type":"message","me\u017fsage":"x"}`, "invalid_message"},
			"another case of the value": {`{"type":"MESSAGE","message":"x"}`, "unknown_type"},
			"a type with a NUL":         {`{"type":"message\u0000","message":"x"}`, "unknown_type"},
			"a frame of the server":     {`{"type":"ended","reason":"deleted"}`, "unknown_type"},
			"an event of the store":     {`{"type":"removed","userId":"admin"}`, "unknown_type"},
			"the prototype":             {`{"__proto__":{"type":"message","message":"x"}}`, "unknown_type"},
			"twice":                     {`{"type":"typing","type":"message","message":"x","message":"y"}`, []string{"y"}},
			"beside another case":       {`{"type":"message","message":"x","MESSAGE":"y","Type":"typing"}`, []string{"x"}},
			"half a character":          {`{"type":"message","message":"a\ud800"}`, []string{"a\ufffd"}},
			"an escaped NUL":            {`{"type":"message","message":"a\u0000b"}`, []string{"a\x00b"}},
			"separators of lines":       {"{\"type\":\"message\",\"message\":\"a\u2028b\u2029c\"}", []string{"a\u2028b\u2029c"}},
			"escaped quotes":            {`{"type":"message","message":"\",\"userId\":\"ben\",\"x\":\""}`, []string{`","userId":"ben","x":"`}},
			"more than a message":       {`{"type":"message","message":"x","userId":"ben","seq":99,"timestamp":"2000-01-01T00:00:00.000Z","session":"s"}`, []string{"x"}},
		} {
			k, _ := harness.Join(t, s.Base(0), &admin)
			k.SendRaw(t, 1, c.frame)
			switch want := c.want.(type) {
			case int:
				end := k.AwaitEnd()
				count.hold(end.Code == want, "%s: %+v after %s", what, end, k.Summary())
			case string:
				f, _ := k.Wait(harness.WaitTime, func(f *harness.Frame) bool { return f.Type == "error" || f.Type == "message" })
				count.hold(f.Type == "error" && f.Code == want, "%s: %+v", what, f)
			case []string:
				f, _ := witness.Wait(harness.WaitTime, func(f *harness.Frame) bool { return f.Type == "message" })
				count.hold(f.Message == want[0] && f.UserID == admin.UserID && f.Session == "", "%s: the other node sends %+v", what, f)
			}
			k.Close()
		}
		// Only the messages were stored and sent, without a gap.
		witness.Publish(t, "the end")
		last := witness.AwaitText(t, "the end")
		count.hold(last.Seq == 8, "the last message is %d", last.Seq)
		for _, f := range witness.Frames() {
			count.hold(f.Type != "ended" && f.Type != "removed", "received %s", f.Type)
		}
		s.ExpectNoErrors(t)
	})
}
