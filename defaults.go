package ephemeralchat

import (
	"slices"

	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/caddyserver/caddy/v2/caddyconfig/httpcaddyfile"
)

func init() { httpcaddyfile.RegisterGlobalOption(directive, parseDefaults) }

// parseDefaults reads the global option, which has the options of the directive but
// for room. They apply to each site that does not say otherwise. Syntax:
//
//	{
//	    ephemeral_chat {
//	        <options>
//	    }
//	}
func parseDefaults(d *caddyfile.Dispenser, existing any) (any, error) {
	if existing != nil {
		return nil, d.Errf("%s is given twice", directive)
	}
	defaults := new(Handler)
	if err := defaults.UnmarshalCaddyfile(d); err != nil {
		return nil, err
	}
	if len(defaults.Rooms) > 0 {
		return nil, d.Errf("%s: a room belongs to a site", directive)
	}
	return defaults, nil
}

// defaultsOf returns a handler that is as the global option says.
func defaultsOf(helper httpcaddyfile.Helper) *Handler {
	defaults, ok := helper.Option(directive).(*Handler)
	if !ok {
		return new(Handler)
	}
	handler := *defaults
	handler.Origins = slices.Clone(defaults.Origins)
	return &handler
}

// forgetStore makes way for a store that is given, in the place of the default and
// of what belongs to that: max_rooms, unless it is given as well.
func (h *Handler) forgetStore(given map[string]bool) {
	h.store, h.StoreRaw = nil, nil
	if !given["max_rooms"] {
		h.MaxRooms = 0
	}
}
