package ws

import (
	"bytes"
	"strings"
	"testing"
	"testing/iotest"
)

// TestScratchIsWiped checks that memory for frames holds nothing of a frame when
// the next one gets it, nor when it was too small for it.
func TestScratchIsWiped(t *testing.T) {
	text := strings.Repeat("said in a room ", 200)
	s := &scratch{make([]byte, 0, minScratch)}
	first := s.bytes[:minScratch]
	if err := s.fill(iotest.HalfReader(strings.NewReader(text))); err != nil || string(s.bytes) != text {
		t.Fatalf("%q (%v)", s.bytes, err)
	}
	if bytes.Contains(first, []byte("said")) {
		t.Error("the memory that was too small still has the text")
	}
	last := s.bytes
	s.release()
	if bytes.Contains(last, []byte("said")) {
		t.Error("the text is still there after release")
	}
}

// TestWriterIsWiped checks the same of what is gathered for a system call.
func TestWriterIsWiped(t *testing.T) {
	w := takeWriter()
	long, short := textFrame([]byte(strings.Repeat("said in a room ", 20))), textFrame([]byte("hi"))
	w.batch = append(w.batch, long, long)
	data, _ := w.gather()
	w.batch = append(w.batch[:0], short, short)
	w.gather()
	all := data[:cap(data)]
	if !bytes.Contains(all, []byte("said")) {
		t.Fatal("this is not the memory of the writer")
	}
	w.release()
	if bytes.Contains(all, []byte("said")) {
		t.Error("the text is still there after release")
	}
}
