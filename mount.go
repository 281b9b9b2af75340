package ephemeralchat

import (
	"fmt"
	"strings"
)

// trimPrefix takes the mount prefix off the path of a request and reports
// whether it was there, followed by a slash. Like Caddy's path matcher it does
// not mind the case of the prefix.
func trimPrefix(path, prefix string) (string, bool) {
	if len(path) <= len(prefix) || path[len(prefix)] != '/' || !strings.EqualFold(path[:len(prefix)], prefix) {
		return "", false
	}
	return path[len(prefix):], true
}

// prefixOfMatcher returns the mount prefix that a path matcher of the
// directive stands for: `/chat/*` mounts at `/chat`.
func prefixOfMatcher(pattern string) (string, error) {
	prefix, ok := strings.CutSuffix(pattern, "/*")
	if !ok {
		return "", fmt.Errorf("path matcher %q must end in /*, because the chat is mounted there; "+
			"anything else can be said with a named matcher", pattern)
	}
	return prefix, checkPrefix(prefix)
}

// checkPrefix reports what is wrong with a mount prefix.
func checkPrefix(prefix string) error {
	if prefix == "" {
		return nil
	}
	if prefix[0] != '/' || strings.HasSuffix(prefix, "/") || strings.Contains(prefix, "//") ||
		strings.ContainsAny(prefix, "*{}%?#") {
		return fmt.Errorf("path prefix %q must begin with a slash, must not end with one, "+
			"and is taken literally: no wildcards, placeholders or escapes", prefix)
	}
	return nil
}
