package privacy_test

import (
	"bytes"
	"crypto/rand"
	"encoding/base64"
	"slices"
	"strings"
	"unicode/utf16"
)

// marker is a random text, whose copies a search finds without false positives.
type marker struct {
	kind string // such as "message"
	text string
	// forms are encodings of the text. They consist of ASCII letters and digits, which
	// JSON and URLs do not escape.
	forms []form
}

// form is an encoding of a marker.
type form struct {
	name   string
	bytes  []byte
	masked bool // bytes are a result of unmask
}

// markerHalf is the length of each half of a marker. A search finds halves,
// since a reused buffer may have lost the beginning only.
const markerHalf = 12

// newMarker returns a marker that begins with a word.
func newMarker(kind, word string) *marker {
	return markerOf(kind, word+rand.Text()[:2*markerHalf])
}

// markerOf returns a marker for a text that is random already.
func markerOf(kind, text string) *marker {
	m := &marker{kind: kind, text: text}
	secret := text[len(text)-2*markerHalf:]
	for _, half := range []string{secret[:markerHalf], secret[markerHalf:]} {
		m.forms = append(m.forms,
			form{name: "UTF-8", bytes: []byte(half)},
			form{name: "UTF-16", bytes: wide(half)},
			form{name: "masked", bytes: unmask([]byte(half)), masked: true})
	}
	// Of the whole, at each offset modulo 3.
	for skip := range 3 {
		encoded := base64.RawStdEncoding.EncodeToString(append(make([]byte, skip), secret...))
		// The first characters and the last one depend on adjacent bytes.
		m.forms = append(m.forms, form{name: "base64", bytes: []byte(encoded[[]int{0, 2, 3}[skip] : len(encoded)-2])})
	}
	return m
}

// wide returns a text in UTF-16LE, which browsers use.
func wide(text string) []byte {
	var b []byte
	for _, unit := range utf16.Encode([]rune(text)) {
		b = append(b, byte(unit), byte(unit>>8))
	}
	return b
}

// unmask returns each byte XOR the fourth after it. The result is the same for bytes
// that a WebSocket client has masked with any key of four bytes (RFC 6455, section 5.3),
// and for bytes without a mask.
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

// traces are numbers of copies of markers, by their kind and form.
type traces map[string]int

// search counts the markers in data, and calls report, unless that is nil, with the
// offset of each.
func (found traces) search(data []byte, markers []*marker, report func(m *marker, f *form, at int)) {
	masked := unmask(data)
	for _, m := range markers {
		plain := make(map[int]bool) // offsets of copies without a mask
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
				found[m.kind+", "+f.name]++
				if report != nil {
					report(m, f, at)
				}
			}
		}
	}
}

// of returns the number of copies of markers of some kinds.
func (found traces) of(kinds ...string) (n int) {
	for name, count := range found {
		if kind, _, _ := strings.Cut(name, ","); slices.Contains(kinds, kind) {
			n += count
		}
	}
	return n
}
