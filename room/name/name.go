package name

import (
	"errors"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// Limits of what people may call things, and of what they may keep secret.
const (
	MaxRoom     = 100 // characters
	MaxUser     = 32  // characters
	MaxSignedIn = 64  // characters, of the userId of somebody whom the site has signed in
)

// maxMarks is how many marks may be put onto one character: scripts need three or
// four, and hundreds cover what stands above and below.
const maxMarks = 4

// Clean returns a name as it is shown: in Unicode normalization form C, without
// what cannot be seen, and with single spaces between words only. So names that are
// drawn the same are the same.
func Clean(field, s string, maximum int) (string, error) {
	if !utf8.ValidString(s) {
		return "", fmt.Errorf("%s is not valid UTF-8", field)
	}
	s = norm.NFC.String(strings.Join(strings.FieldsFunc(withoutInvisible(strings.TrimSpace(s)), isSpace), " "))
	switch n := utf8.RuneCountInString(s); {
	case n == 0:
		return "", fmt.Errorf("%s is empty", field)
	case n > maximum:
		return "", fmt.Errorf("%s too long (max %d characters)", field, maximum)
	case strings.ContainsFunc(s, unicode.IsControl):
		return "", fmt.Errorf("%s contains control characters", field)
	case strings.ContainsFunc(s, isDisallowed):
		return "", fmt.Errorf("%s contains line separators, or characters without a meaning", field)
	}
	return s, checkMarks(field, s)
}

// SignedIn returns the userId of somebody whom the site has signed in, by what
// the site calls them. It fails where that would become somebody else's by being
// cleaned of what cannot be seen.
func SignedIn(name string) (string, error) {
	cleaned, err := Clean("user", name, MaxSignedIn)
	if err == nil && cleaned != norm.NFC.String(strings.TrimSpace(name)) {
		err = errors.New("user contains characters that cannot be seen, or unusual spaces")
	}
	return cleaned, err
}
