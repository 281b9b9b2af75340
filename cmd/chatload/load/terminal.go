package load

import (
	"fmt"
	"io"
	"strings"
	"unicode"
)

// terminal writes text and JSON that may quote the server, which is not trusted. It
// writes control characters, such as escape sequences and those that reverse text, as
// \u and four digits, as in JSON.
type terminal struct{ to io.Writer }

// Write implements io.Writer. A character must not be divided between two calls.
func (w terminal) Write(text []byte) (int, error) {
	if _, err := io.WriteString(w.to, visible(string(text))); err != nil {
		return 0, err
	}
	return len(text), nil
}

// visible replaces characters that are not printable, except newlines and tabs.
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
