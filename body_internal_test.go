package ephemeralchat

import (
	"bytes"
	"strings"
	"testing"
)

// TestBodyIsWiped checks that nothing of a request is left in the memory for it.
func TestBodyIsWiped(t *testing.T) {
	const text = `{"password":"open sesame"}`
	for _, size := range []int64{int64(len(text)), -1} {
		raw, err := readWhole(strings.NewReader(text), size)
		if err != nil || string(raw) != text {
			t.Fatalf("%q (%v)", raw, err)
		}
		b, err := parseBody(raw)
		if err != nil {
			t.Fatal(err)
		}
		kept := b.fields["password"]
		if got := b.text("password"); got != "open sesame" {
			t.Errorf("the password is %q", got)
		}
		b.wipe()
		if bytes.Contains(kept, []byte("sesame")) {
			t.Error("the field is still there")
		}
	}
}
