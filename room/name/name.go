package room

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
	MaxRoomName = 100  // characters
	MaxUsername = 32   // characters
	MaxSignedIn = 64   // characters, of the userId of somebody whom the site has signed in
	MaxPassword = 1024 // bytes
)

// invalid makes an error of what is wrong with a request.
func invalid(err error) error { return fmt.Errorf("%w: %w", ErrInvalidRequest, err) }

// maxMarks is how many marks may be put onto one character: scripts need three or
// four, and hundreds cover what stands above and below.
const maxMarks = 4

// cleanName returns a name as it is shown: in Unicode normalization form C, without
// what cannot be seen, and with single spaces between words only. So names that are
// drawn the same are the same.
func cleanName(field, s string, maximum int) (string, error) {
	if !utf8.ValidString(s) {
		return "", fmt.Errorf("%s is not valid UTF-8", field)
	}
	s = norm.NFC.String(strings.Join(strings.FieldsFunc(withoutUnseen(strings.TrimSpace(s)), isSpace), " "))
	switch n := utf8.RuneCountInString(s); {
	case n == 0:
		return "", fmt.Errorf("%s is empty", field)
	case n > maximum:
		return "", fmt.Errorf("%s too long (max %d characters)", field, maximum)
	case strings.ContainsFunc(s, unicode.IsControl):
		return "", fmt.Errorf("%s contains control characters", field)
	case strings.ContainsFunc(s, isMeaningless):
		return "", fmt.Errorf("%s contains line separators, or characters without a meaning", field)
	}
	return s, checkMarks(field, s)
}

// SignedInID returns the userId of somebody whom the site has signed in, by what
// the site calls them. It fails where that would become somebody else's by being
// cleaned of what cannot be seen.
func SignedInID(name string) (string, error) {
	cleaned, err := cleanName("user", name, MaxSignedIn)
	if err == nil && cleaned != norm.NFC.String(strings.TrimSpace(name)) {
		err = errors.New("user contains characters that cannot be seen, or unusual spaces")
	}
	return cleaned, err
}

// candidates returns the userIds that a new member may get, in order of
// preference: the username, the username with a short suffix, a UUID.
func candidates(username string) ([]string, error) {
	if username == "" {
		return []string{newUUID()}, nil
	}
	name, err := cleanName("username", username, MaxUsername)
	if err != nil {
		return nil, invalid(err)
	}
	return []string{name, name + "-" + suffix(2), name + "-" + suffix(4), name + "-" + suffix(8), newUUID()}, nil
}

// suffix returns random lower-case letters and digits of which people can tell
// each from the others.
func suffix(n int) string {
	const alphabet = "23456789abcdefghjkmnpqrstuvwxyz" // 31
	b := randomBytes(n)
	for i := range b {
		b[i] = alphabet[int(b[i])%len(alphabet)]
	}
	return string(b)
}
