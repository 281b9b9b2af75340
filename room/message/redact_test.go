package message_test

import (
	"bytes"
	"encoding/json"
	"slices"
	"testing"
	"time"

	"github.com/ephemeralchat/caddy-ephemeral-chat/room/message"
)

// FuzzWithoutText searches for texts and names with which a retraction leaves a
// part of the text, or removes anything else.
func FuzzWithoutText(f *testing.F) {
	for _, seed := range []string{
		"", "hi", `"`, `\`, `\"`, `","timestamp":"`, `","timestamp":"x","userId":"anna"`, `"seq":1,"retracted":true,`,
		`"message":"`, `,"userId":"anna"`, "\u2028", "\xff", "a\x00b",
	} {
		f.Add(seed, seed, uint64(1))
		f.Add("hi", seed, uint64(0))
		f.Add(seed, "anna", uint64(1<<53-1))
	}
	f.Fuzz(func(t *testing.T, text, userID string, id uint64) {
		at := time.Date(2024, 2, 29, 12, 0, 0, 7e6, time.UTC)
		body := message.EncodeBody(text, at, userID, id, "tag")
		entry, frame := message.Entry(7, body), message.Frame(7, body)
		if message.IsRetracted(entry) || message.IsRetracted(frame) {
			t.Fatalf("%q counts as retracted", entry)
		}
		before := bytes.Clone(entry)
		retracted := message.WithoutText(entry)
		if !bytes.Equal(entry, before) {
			t.Fatal("the entry was changed")
		}
		if !message.IsRetracted(retracted) || !bytes.Equal(message.WithoutText(retracted), retracted) {
			t.Errorf("%q does not count as retracted", retracted)
		}
		if got := message.WithoutText(frame); !bytes.Equal(got, message.FrameOfEntry(retracted)) || !message.IsRetracted(got) {
			t.Errorf("the frame becomes %q, the entry %q", got, retracted)
		}
		var was, is map[string]any
		if err := json.Unmarshal(entry, &was); err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(retracted, &is); err != nil {
			t.Fatalf("%q: %v", retracted, err)
		}
		spoken := was["message"]
		was["message"], was["retracted"] = "", true
		if wants, err := json.Marshal(was); err != nil {
			t.Fatal(err)
		} else if got, err := json.Marshal(is); err != nil || !bytes.Equal(got, wants) {
			t.Errorf("got %s (%v), want %s", got, err, wants)
		}
		quoted, envelope := message.Parts(entry)
		var said string
		if err := json.Unmarshal(slices.Concat([]byte{'"'}, quoted, []byte{'"'}), &said); err != nil || said != spoken {
			t.Errorf("the text in %q is %q (%v), want %q", entry, quoted, err, spoken)
		}
		for _, form := range [][]byte{frame, retracted} {
			text, same := message.Parts(form)
			if !bytes.Equal(same, envelope) || !message.IsRetracted(form) && !bytes.Equal(text, quoted) || message.IsRetracted(form) && len(text) > 0 {
				t.Errorf("the parts of %q are %q and %q, those of %q %q and %q", form, text, same, entry, quoted, envelope)
			}
		}
		for _, form := range [][]byte{entry, frame, retracted} {
			if !message.IsSentBy(form, userID) || message.IsSentBy(form, userID+"x") || message.IsSentBy(form, "x"+userID) {
				t.Errorf("%q is not known for a message of %q", form, userID)
			}
		}
		if gotID, session := message.SenderOfFrame(message.FrameOfEntry(retracted)); gotID != id || id > 0 && string(session) != "tag" {
			t.Errorf("the sender's number is %d, session %q; want %d", gotID, session, id)
		}
	})
}

func TestForeignBytesHaveNoText(t *testing.T) {
	for _, b := range []string{"", "{}", `{"seq":1,`, `{"seq":1,"message":"x"}`, `{"type":"retracted","seq":1}`, `"seq":`} {
		if got := message.WithoutText([]byte(b)); string(got) != b || message.IsRetracted(got) || message.IsSentBy(got, "") {
			t.Errorf("%q became %q", b, got)
		}
	}
}
