package e2e_test

import (
	"bytes"
	"crypto/rand"
	"encoding/base64"
	"slices"
	"unicode/utf16"
)

// marker is a piece of data that stands nowhere else, so that whoever finds it
// anywhere knows where it is from.
type marker struct {
	what string // it is, such as "message"
	text string
	// forms are what is looked for: the text in several encodings. They have letters
	// and digits of ASCII only, which JSON and URLs leave as they are.
	forms []form
}

// form is how a marker may stand somewhere.
type form struct {
	name  string
	bytes []byte
	// masked says that bytes are what newMasked makes of it.
	masked bool
}

// markerHalf is the length of each half of a marker. One half found is a marker
// found: a buffer that was written to anew has lost the beginning only.
const markerHalf = 12

// newMarker makes up a marker, which begins with a word that says what it is.
func newMarker(what, word string) *marker {
	return markerOf(what, word+rand.Text()[:2*markerHalf])
}

// markerOf makes one of a text that is random itself.
func markerOf(what, text string) *marker {
	m := &marker{what: what, text: text}
	secret := text[len(text)-2*markerHalf:]
	for _, half := range []string{secret[:markerHalf], secret[markerHalf:]} {
		m.forms = append(m.forms,
			form{name: "UTF-8", bytes: []byte(half)},
			form{name: "UTF-16", bytes: wide(half)},
			form{name: "masked", bytes: unmask([]byte(half)), masked: true})
	}
	// Of the whole, whichever of three bytes it begins at.
	for skip := range 3 {
		encoded := base64.RawStdEncoding.EncodeToString(append(make([]byte, skip), secret...))
		// The first characters, and the last one, depend on what is around.
		m.forms = append(m.forms, form{name: "base64", bytes: []byte(encoded[[]int{0, 2, 3}[skip] : len(encoded)-2])})
	}
	return m
}

// wide is a text in UTF-16LE, as browsers keep much of theirs.
func wide(text string) []byte {
	var b []byte
	for _, unit := range utf16.Encode([]rune(text)) {
		b = append(b, byte(unit), byte(unit>>8))
	}
	return b
}

// unmask makes of bytes what is the same whichever key of four bytes they are
// masked with, as those are that clients send over a WebSocket (RFC 6455, section
// 5.3): each byte against the fourth after it. That of bytes that are not masked is
// the same, too.
func unmask(b []byte) []byte {
	if len(b) <= 4 {
		return nil
	}
	out := make([]byte, len(b)-4)
	for i := range out {
		out[i] = b[i] ^ b[i+4]
	}
	return out
}

// traces are how often something of each marker was found, by what it is of and
// how.
type traces map[string]int

// add counts what stands in data, which is told of with some bytes around.
func (found traces) search(data []byte, markers []*marker, tell func(m *marker, f *form, at int)) {
	masked := unmask(data)
	for _, m := range markers {
		plain := make(map[int]bool) // where it stands as it is
		for i := range m.forms {
			f := &m.forms[i]
			where := data
			if f.masked {
				where = masked
			}
			for at := 0; ; at++ {
				next := bytes.Index(where[at:], f.bytes)
				if next < 0 {
					break
				}
				at += next
				if f.masked && plain[at] {
					continue
				}
				plain[at] = true
				found[m.what+", "+f.name]++
				if tell != nil {
					tell(m, f, at)
				}
			}
		}
	}
}

// of returns how often something was found of markers whose names are among what.
func (found traces) of(what ...string) int {
	n := 0
	for name, count := range found {
		if i := slices.IndexFunc(what, func(w string) bool { return len(name) > len(w) && name[:len(w)+1] == w+"," }); i >= 0 {
			n += count
		}
	}
	return n
}
