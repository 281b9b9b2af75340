package room_test

import (
	"bytes"
	"encoding/json"
	"slices"
	"testing"
	"time"

	"github.com/ephemeralchat/caddy-ephemeral-chat/room"
)

// FuzzWithoutText looks for texts and names that make a retraction leave
// something of the text, or take something else away.
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
		body := room.EncodeBody(text, at, userID, id, "tag")
		entry, frame := room.Entry(7, body), room.Frame(7, body)
		if room.IsRetracted(entry) || room.IsRetracted(frame) {
			t.Fatalf("%q counts as retracted", entry)
		}
		before := bytes.Clone(entry)
		retracted := room.WithoutText(entry)
		if !bytes.Equal(entry, before) {
			t.Fatal("the entry was changed")
		}
		if !room.IsRetracted(retracted) || !bytes.Equal(room.WithoutText(retracted), retracted) {
			t.Errorf("%q does not count as retracted", retracted)
		}
		if got := room.WithoutText(frame); !bytes.Equal(got, room.FrameOfEntry(retracted)) || !room.IsRetracted(got) {
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
		quoted, envelope := room.Parts(entry)
		var said string
		if err := json.Unmarshal(slices.Concat([]byte{'"'}, quoted, []byte{'"'}), &said); err != nil || said != spoken {
			t.Errorf("the text in %q is %q (%v), want %q", entry, quoted, err, spoken)
		}
		for _, form := range [][]byte{frame, retracted} {
			text, same := room.Parts(form)
			if !bytes.Equal(same, envelope) || !room.IsRetracted(form) && !bytes.Equal(text, quoted) || room.IsRetracted(form) && len(text) > 0 {
				t.Errorf("the parts of %q are %q and %q, those of %q %q and %q", form, text, same, entry, quoted, envelope)
			}
		}
		for _, form := range [][]byte{entry, frame, retracted} {
			if !room.IsSentBy(form, userID) || room.IsSentBy(form, userID+"x") || room.IsSentBy(form, "x"+userID) {
				t.Errorf("%q is not known for a message of %q", form, userID)
			}
		}
		if gotID, session := room.SenderOfFrame(room.FrameOfEntry(retracted)); gotID != id || id > 0 && string(session) != "tag" {
			t.Errorf("the sender's number is %d, session %q; want %d", gotID, session, id)
		}
	})
}

func TestForeignBytesHaveNoText(t *testing.T) {
	for _, b := range []string{"", "{}", `{"seq":1,`, `{"seq":1,"message":"x"}`, `{"type":"retracted","seq":1}`, `"seq":`} {
		if got := room.WithoutText([]byte(b)); string(got) != b || room.IsRetracted(got) || room.IsSentBy(got, "") {
			t.Errorf("%q became %q", b, got)
		}
	}
}

func TestRetractions(t *testing.T) {
	var r room.Retractions
	for _, seq := range []uint64{5, 3, 9, 3, 7, 5, 1} {
		there := r.Has(seq)
		if r.Add(seq) == there || !r.Has(seq) {
			t.Errorf("adding %d, there %v", seq, there)
		}
	}
	for _, c := range []struct {
		first, last uint64
		want        []uint64
	}{
		{0, 100, []uint64{1, 3, 5, 7, 9}},
		{1, 9, []uint64{1, 3, 5, 7, 9}},
		{2, 8, []uint64{3, 5, 7}},
		{3, 3, []uint64{3}},
		{4, 4, nil},
		{10, 20, nil},
		{8, 2, nil},
		{0, 0, nil},
	} {
		if got := r.Between(c.first, c.last); !slices.Equal(got, c.want) {
			t.Errorf("between %d and %d: %v, want %v", c.first, c.last, got, c.want)
		}
	}
	r.DropBelow(3)
	if !slices.Equal(r, []uint64{3, 5, 7, 9}) {
		t.Errorf("from 3 on: %v", r)
	}
	r.DropBelow(4)
	r.DropAbove(8)
	if !slices.Equal(r, []uint64{5, 7}) {
		t.Errorf("from 4 to 8: %v", r)
	}
	r.DropAbove(7)
	r.DropBelow(5)
	if !slices.Equal(r, []uint64{5, 7}) || r.Has(6) {
		t.Errorf("from 5 to 7: %v", r)
	}
	r.DropAbove(0)
	if len(r) > 0 {
		t.Errorf("none are left: %v", r)
	}
	r.DropBelow(10)
	r.DropAbove(10)
	if r.Has(0) || !r.Add(2) {
		t.Errorf("anew: %v", r)
	}
}
