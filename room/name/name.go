// Package name cleans the names of users and rooms, and detects names that people
// mistake for one another.
package name

import (
	"errors"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// The longest names.
const (
	MaxRoom     = 100 // characters
	MaxUser     = 32  // characters
	MaxSignedIn = 64  // characters, of the userId of a user that the site has signed in
)

// maxMarks is how many combining marks one character may carry: scripts need three
// or four, and hundreds would cover the lines above and below.
const maxMarks = 4

// Clean returns a name as it is shown: in Unicode normalization form C, without
// invisible characters, with single spaces between words. So two names that render
// the same are equal. Its error names the field.
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

// SignedIn returns the userId for a user that the site has signed in under a name:
// the name itself, without spaces around it. It is not normalized, since the site may
// distinguish names that normalization makes equal. It fails if cleaning would change
// more than that: the result could be another user's.
func SignedIn(name string) (string, error) {
	userID := strings.TrimSpace(name)
	cleaned, err := Clean("user", userID, MaxSignedIn)
	switch {
	case err != nil:
		return "", err
	case cleaned != norm.NFC.String(userID):
		return "", errors.New("user contains characters that cannot be seen, or unusual spaces")
	}
	return userID, nil
}
