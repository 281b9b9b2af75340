package message_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/ephemeralchat/caddy-ephemeral-chat/room"
	"github.com/ephemeralchat/caddy-ephemeral-chat/room/message"
)

var moment = time.Date(2026, 3, 1, 12, 30, 15, 42_999_999, time.FixedZone("", 3600))

func TestEncodeBody(t *testing.T) {
	for name, c := range map[string]struct {
		got  []byte
		want string
	}{
		"without id": {
			message.EncodeBody("hi", moment, "anna", 0, "tag"),
			`"message":"hi","timestamp":"2026-03-01T11:30:15.042Z","userId":"anna"}`,
		},
		"with id": {
			message.EncodeBody("hi", moment, "anna", 7, "tag"),
			`"message":"hi","timestamp":"2026-03-01T11:30:15.042Z","userId":"anna","id":7,"session":"tag"}`,
		},
		"html stays": {
			message.EncodeBody("<b>&amp;'", moment, "<i>", 0, ""),
			`"message":"<b>&amp;'","timestamp":"2026-03-01T11:30:15.042Z","userId":"<i>"}`,
		},
		"line separators of JavaScript": {
			message.EncodeBody("\u2028\u2029", moment, "anna", 0, ""),
			`"message":"\u2028\u2029","timestamp":"2026-03-01T11:30:15.042Z","userId":"anna"}`,
		},
		"largest id": {
			message.EncodeBody("", moment, "", math.MaxUint64, `"`),
			`"message":"","timestamp":"2026-03-01T11:30:15.042Z","userId":"","id":18446744073709551615,"session":"\""}`,
		},
	} {
		if string(c.got) != c.want {
			t.Errorf("%s: %s\nwant %s", name, c.got, c.want)
		}
	}
}

// decoded is a message as a client sees it.
type decoded struct {
	Type      string    `json:"type"`
	Seq       uint64    `json:"seq"`
	Message   string    `json:"message"`
	Timestamp time.Time `json:"timestamp"`
	UserID    string    `json:"userId"`
	ID        uint64    `json:"id"`
	Session   string    `json:"session"`
}

var hostile = []string{
	"", "hi", `"`, `\`, `\"`, "\"}", `","userId":"admin","x":"`, "\x00\x01\x1f\x7f", "\r\n\t\b\f", "\u0085\u200b\ufeff\u2028\u2029",
	"</script><!--", "🦊\U0010ffff", "\xff\xfe", "a\xc3", "\xed\xa0\x80", "\xc0\x80", strings.Repeat("\\\"\n", 1_000),
}

func TestHostileStrings(t *testing.T) {
	for _, text := range hostile {
		checkForms(t, text, text, 7, "tag")
		checkForms(t, text, "anna", 0, "")
		checkForms(t, "hi", text, 1, text)
	}
}

// checkForms checks the properties of every message, whatever its text.
func checkForms(t *testing.T, text, userID string, id uint64, session string) {
	t.Helper()
	body := message.EncodeBody(text, moment, userID, id, session)
	want := decoded{Seq: 41, Message: valid(text), Timestamp: moment.UTC().Truncate(time.Millisecond), UserID: valid(userID)}
	if id > 0 {
		want.ID, want.Session = id, valid(session)
	}
	entry, frame := message.Entry(41, body), message.Frame(41, body)
	for _, form := range [][]byte{entry, frame} {
		if !json.Valid(form) || !utf8.Valid(form) || bytes.ContainsAny(form, "\r\n\x00") {
			t.Fatalf("%q is not one line of JSON in UTF-8", form)
		}
		var got decoded
		if err := json.Unmarshal(form, &got); err != nil {
			t.Fatalf("%q: %v", form, err)
		}
		if &form[0] == &frame[0] {
			if got.Type != "message" {
				t.Errorf("the type of %q is %q", form, got.Type)
			}
			got.Type = ""
		}
		if got != want {
			t.Errorf("%q says %+v, want %+v", form, got, want)
		}
	}
	gotID, gotSession := message.SenderOfFrame(frame)
	switch {
	case id == 0 && (gotID != 0 || gotSession != nil):
		t.Errorf("%q was sent as %d by %q, want no number", frame, gotID, gotSession)
	case id > 0 && room.ValidID(session) && (gotID != id || string(gotSession) != session): // tags are base64url
		t.Errorf("%q was sent as %d by %q, want %d by %q", frame, gotID, gotSession, id, session)
	}
	if got := message.FrameOfEntry(entry); !bytes.Equal(got, frame) {
		t.Errorf("the frame of an entry is %q, want %q", got, frame)
	}
	if got := message.EntryOfFrame(frame); !bytes.Equal(got, entry) {
		t.Errorf("the entry of a frame is %q, want %q", got, entry)
	}
}

// valid puts one U+FFFD in the place of each byte that is not UTF-8.
func valid(s string) string { return string([]rune(s)) }

func TestSeq(t *testing.T) {
	body := message.EncodeBody("hi", moment, "anna", 0, "")
	for _, seq := range []uint64{1, 9, 10, 99_999, 1 << 53, math.MaxUint64} {
		entry, frame := message.Entry(seq, body), message.Frame(seq, body)
		if got, ok := message.SeqOfEntry(entry); !ok || got != seq {
			t.Errorf("the seq of entry %d is %d, %v", seq, got, ok)
		}
		if got, ok := message.SeqOfFrame(frame); !ok || got != seq {
			t.Errorf("the seq of frame %d is %d, %v", seq, got, ok)
		}
		if got, ok := message.SeqOfEntry(frame); ok {
			t.Errorf("a frame is taken for entry %d", got)
		}
		if got, ok := message.SeqOfFrame(entry); ok {
			t.Errorf("an entry is taken for frame %d", got)
		}
	}
	for _, text := range []string{
		"", "{", `{"seq":`, `{"seq":7`, `{"seq":7}`, `{"seq":,`, `{"seq":0,`, `{"seq":-1,`, `{"seq":+1,`, `{"seq":1.5,`, `{"seq":1e3,`,
		`{"seq":"7",`, `{"seq": 7,`, `{ "seq":7,`, `{"seq":18446744073709551616,`, `{"Seq":7,`, `{"message":"x","seq":7,`, `null`,
	} {
		if seq, ok := message.SeqOfEntry([]byte(text)); ok {
			t.Errorf("%q is taken for entry %d", text, seq)
		}
		frame := strings.Replace(text, `{"seq"`, `{"type":"message","seq"`, 1)
		if seq, ok := message.SeqOfFrame([]byte(frame)); ok {
			t.Errorf("%q is taken for frame %d", frame, seq)
		}
	}
}

func FuzzSeq(f *testing.F) {
	body := message.EncodeBody("hi", moment, "anna", 7, "tag")
	f.Add(message.Entry(7, body))
	f.Add(message.Frame(1<<63, body))
	f.Add([]byte(`{"seq":007,}`))
	f.Add([]byte(`{"type":"message","seq":18446744073709551616,`))
	f.Fuzz(func(t *testing.T, b []byte) {
		before := bytes.Clone(b)
		if seq, ok := message.SeqOfEntry(b); ok {
			if frame := message.FrameOfEntry(b); !bytes.Equal(message.EntryOfFrame(frame), b) {
				t.Fatalf("entry %q became frame %q and did not come back", b, frame)
			} else if got, ok := message.SeqOfFrame(frame); !ok || got != seq {
				t.Fatalf("entry %q is number %d, its frame is %d, %v", b, seq, got, ok)
			}
		}
		if seq, ok := message.SeqOfFrame(b); ok {
			if entry := message.EntryOfFrame(b); !bytes.Equal(message.FrameOfEntry(entry), b) {
				t.Fatalf("frame %q became entry %q and did not come back", b, entry)
			} else if got, ok := message.SeqOfEntry(entry); !ok || got != seq {
				t.Fatalf("frame %q is number %d, its entry is %d, %v", b, seq, got, ok)
			}
		}
		if !bytes.Equal(b, before) {
			t.Fatal("the bytes were changed")
		}
	})
}

// TestTextIsEscapedLikeJSON compares with encoding/json, which clients may use.
func TestTextIsEscapedLikeJSON(t *testing.T) {
	var all strings.Builder
	for r := range rune(0x3000) {
		all.WriteRune(r)
	}
	for _, text := range append(hostile, all.String(), "\xff \xe2\x80 \ufffd 😀") {
		var want bytes.Buffer
		encoder := json.NewEncoder(&want)
		encoder.SetEscapeHTML(false)
		if err := encoder.Encode(text); err != nil {
			t.Fatal(err)
		}
		body := message.EncodeBody(text, moment, "anna", 0, "")
		if !bytes.HasPrefix(body, append([]byte(`"message":`), bytes.TrimSpace(want.Bytes())...)) {
			t.Errorf("%q, want %s", body, want.Bytes())
		}
	}
}

func FuzzEncodeBody(f *testing.F) {
	for i, text := range hostile {
		f.Add(text, "anna", uint64(i), "tag")
		f.Add("hi", text, uint64(i), text)
	}
	f.Fuzz(func(t *testing.T, text, userID string, id uint64, session string) {
		checkForms(t, text, userID, id, session)
	})
}

func BenchmarkEncodeBody(b *testing.B) {
	for _, size := range []int{60, 4_096} {
		b.Run(fmt.Sprintf("bytes=%d", size), func(b *testing.B) {
			text := strings.Repeat("See you at eight, then. ", size/24+1)[:size]
			b.ReportAllocs()
			for b.Loop() {
				message.EncodeBody(text, moment, "anna", 7, "wPZ1x8Cq0k3T")
			}
		})
	}
}

func BenchmarkFrame(b *testing.B) {
	body := message.EncodeBody("See you at eight, then, at the usual place.", moment, "anna", 7, "wPZ1x8Cq0k3T")
	b.ReportAllocs()
	for b.Loop() {
		message.Frame(123_456, body)
	}
}
