package ephemeralchat

import (
	"fmt"
	"net/http"
	"strings"

	"github.com/caddyserver/caddy/v2"

	"github.com/ephemeralchat/caddy-ephemeral-chat/room"
	"github.com/ephemeralchat/caddy-ephemeral-chat/room/name"
)

// checkUser reports what is wrong with the user option. Without a placeholder
// everybody would be the same user.
func checkUser(user string) error {
	opening := strings.Index(user, "{")
	if opening < 0 || !strings.Contains(user[opening:], "}") {
		return fmt.Errorf("user %q must contain a placeholder, such as {http.auth.user.id}", user)
	}
	return nil
}

// identify returns the userId of whoever the site says has sent the request: what
// the user option stands for. It is empty where clients say themselves who they
// are. ErrNotSignedIn if the site says nobody.
func (h *Handler) identify(r *http.Request) (string, error) {
	if h.User == "" {
		return "", nil
	}
	replacer, ok := r.Context().Value(caddy.ReplacerCtxKey).(*caddy.Replacer)
	if !ok {
		return "", fmt.Errorf("%w: the request has no replacer", room.ErrInternal)
	}
	// A placeholder that is not known here is nobody, as is one that is empty.
	text := strings.TrimSpace(replacer.ReplaceAll(h.User, ""))
	if text == "" {
		return "", room.ErrNotSignedIn
	}
	userID, err := name.SignedIn(text)
	if err != nil {
		return "", fmt.Errorf("%w: the site's name for the user cannot be one here: %w", room.ErrInvalidRequest, err)
	}
	return userID, nil
}
