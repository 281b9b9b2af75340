package load

import (
	"fmt"
	"io"
	"strings"
	"unicode"
)

// terminal writes what people read, or programs as JSON. It may hold words of the
// server, which is anybody's: signs that would do something to a terminal rather than
// be seen there, such as escapes and those that turn text around, are written as
// \u and four digits, as in JSON.
type terminal struct{ to io.Writer }

// Write implements io.Writer. A character must not be divided between two calls.
func (w terminal) Write(text []byte) (int, error) {
	if _, err := io.WriteString(w.to, visible(string(text))); err != nil {
		return 0, err
	}
	return len(text), nil
}

// visible returns a text without signs that are not seen, but for the ends of its
// lines and its tabs.
func visible(text string) string {
	var b strings.Builder
	for _, r := range text {
		switch {
		case r == '\n' || r == '\t' || unicode.IsPrint(r):
			b.WriteRune(r) // U+FFFD for a byte that is not UTF-8
		case r > 0xFFFF:
			b.WriteRune(unicode.ReplacementChar)
		default:
			_, _ = fmt.Fprintf(&b, `\u%04x`, r)
		}
	}
	return b.String()
}
