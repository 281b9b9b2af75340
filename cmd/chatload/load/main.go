package load

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"unicode"
)

// Main runs the command line and returns the exit status.
func Main(name string, args []string, protocol Protocol, stdout, stderr io.Writer) int {
	stdout, stderr = terminal{stdout}, terminal{stderr}
	fail := func(err error, status int) int {
		_, _ = fmt.Fprintf(stderr, "%s: %v\n", name, err)
		return status
	}
	o, err := ParseOptions(name, args, stderr)
	if errors.Is(err, flag.ErrHelp) {
		return 0
	}
	if err != nil {
		return fail(err, 2)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	result, err := Run(ctx, o, protocol, stderr)
	if err != nil {
		return fail(err, 1)
	}
	if o.JSON {
		encoder := json.NewEncoder(stdout)
		encoder.SetIndent("", "  ")
		err = encoder.Encode(result)
	} else {
		_, err = io.WriteString(stdout, result.String())
	}
	if err != nil {
		return fail(err, 1)
	}
	if !result.Faultless() {
		return 1
	}
	return 0
}

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
