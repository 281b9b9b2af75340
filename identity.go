package ephemeralchat

import (
	"fmt"
	"math"
	"net/http"
	"net/netip"
	"strings"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/ephemeralchat/caddy-ephemeral-chat/room"
	"github.com/ephemeralchat/caddy-ephemeral-chat/room/name"
)

// checkUser returns an error if the user option has no placeholder: all clients would
// be the same user.
func checkUser(user string) error {
	opening := strings.Index(user, "{")
	if opening < 0 || !strings.Contains(user[opening:], "}") {
		return fmt.Errorf("user %q must contain a placeholder, such as {http.auth.user.id}", user)
	}
	return nil
}

// identify returns the id of the user that the site has signed in: the value of the
// user option. It is empty without that option. It returns room.ErrNotSignedIn if the
// value is empty.
func (h *Handler) identify(r *http.Request) (string, error) {
	if h.User == "" {
		return "", nil
	}
	replacer, ok := r.Context().Value(caddy.ReplacerCtxKey).(*caddy.Replacer)
	if !ok {
		return "", fmt.Errorf("%w: the request has no replacer", room.ErrInternal)
	}
	// An unknown placeholder counts as an empty one.
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

// clientAddr returns the address by which clients are limited: the one that Caddy finds
// behind its trusted proxies. An IPv6 address counts by its /64, within which a host may
// choose any address (RFC 4291, section 2.5.1). Clients without an address, such as
// those of a Unix socket, have the zero address.
func clientAddr(r *http.Request) netip.Addr {
	text, _ := caddyhttp.GetVar(r.Context(), caddyhttp.ClientIPVarKey).(string)
	addr, err := netip.ParseAddr(text)
	if err != nil {
		return netip.Addr{}
	}
	addr = addr.Unmap().WithZone("")
	if addr.Is4() {
		return addr
	}
	network, _ := addr.Prefix(64) // an IPv6 address has 128 bits
	return network.Addr()
}

// suspendIdleTimeouts turns Caddy's idle time-outs off for a request that becomes a
// WebSocket. Its pings detect a dead client instead.
func suspendIdleTimeouts(r *http.Request) {
	reader, writer := caddyhttp.IdleTimeoutsFromContext(r.Context())
	if reader != nil {
		reader.Override(math.MaxInt64/2, 0)
	}
	if writer != nil {
		writer.Override(math.MaxInt64/2, 0, math.MaxInt32)
	}
}
