package ephemeralchat

import (
	"fmt"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/ephemeralchat/caddy-ephemeral-chat/room"
)

// DeclaredRoom is a room that anybody may join by its id, without anybody having
// created it: the chat of a page. It comes into being when somebody joins, lives
// like any other room, and after its end begins empty again with the next who
// joins. What is changed here applies to lives that begin afterwards.
type DeclaredRoom struct {
	// The id under which it is joined: 1 to 64 characters of `A-Z a-z 0-9 - _`.
	ID string `json:"id,omitempty"`

	// What people see: 1 to 100 characters.
	Name string `json:"name,omitempty"`

	// How long it lives, from its start: whole seconds, at most `max_ttl`. Default:
	// the site's `ttl`.
	TTL caddy.Duration `json:"ttl,omitempty"`

	// What is needed to join. Placeholders are resolved when the configuration is
	// loaded. Default: nothing.
	Password string `json:"password,omitempty"`

	// What makes whoever joins with it an admin, of whom there may be several.
	// Placeholders are resolved when the configuration is loaded. Default: nobody
	// is an admin.
	AdminPassword string `json:"admin_password,omitempty"`
}

// unmarshalRoom reads a standing room, whose option is the current token. Syntax:
//
//	room <id> <name> {
//	    ttl            <duration>
//	    password       <password>
//	    admin_password <password>
//	}
//
// No password is quoted in an error.
func (h *Handler) unmarshalRoom(d *caddyfile.Dispenser) error {
	var s DeclaredRoom
	if !d.AllArgs(&s.ID, &s.Name) {
		return d.Err("room takes an id and a name, which is quoted where it has spaces")
	}
	ttl := option[caddy.Duration]{name: "room: ttl", min: second, max: maxLifetime, unit: second}
	seen := make(map[string]bool)
	for nesting := d.Nesting(); d.NextBlock(nesting); {
		name := d.Val()
		if seen[name] {
			return d.Errf("room: %s is given twice", name)
		}
		seen[name] = true
		var err error
		switch name {
		case "ttl":
			err = unmarshalValue(d, ttl.check, &s.TTL, parseDuration)
		case "password":
			err = unmarshalSecret(d, &s.Password)
		case "admin_password":
			err = unmarshalSecret(d, &s.AdminPassword)
		default:
			err = d.Errf("room: unknown option %q", name)
		}
		if err != nil {
			return err
		}
	}
	h.Rooms = append(h.Rooms, s)
	return nil
}

// unmarshalSecret reads an option of a room that has one argument. No error quotes
// it, as ArgErr would the last token.
func unmarshalSecret(d *caddyfile.Dispenser, target *string) error {
	name := d.Val()
	if !d.AllArgs(target) || *target == "" {
		return d.Errf("room: %s takes one value", name)
	}
	return noBlock(d)
}

// checkRooms reports what is wrong with standing rooms whatever placeholders stand
// for. Unset limits contradict nothing.
func (h *Handler) checkRooms() error {
	limits := room.Limits{TTL: timeOf(second), MaxTTL: timeOf(maxLifetime)}
	if h.MaxTTL != 0 {
		limits.MaxTTL = timeOf(h.MaxTTL)
	}
	known := make(map[string]bool)
	for _, s := range h.Rooms {
		if known[s.ID] {
			return fmt.Errorf("room %s is given twice", s.ID)
		}
		known[s.ID] = true
		if _, err := room.NewDeclaredRoom(s.declared(), limits); err != nil {
			return err
		}
	}
	return nil
}

func (s *DeclaredRoom) declared() room.Declaration {
	return room.Declaration{
		ID: s.ID, Name: s.Name, TTL: timeOf(s.TTL), Password: s.Password, AdminPassword: s.AdminPassword,
	}
}

// standingRooms returns the standing rooms of the site, with placeholders resolved.
func (h *Handler) standingRooms(replacer *caddy.Replacer) ([]*room.DeclaredRoom, error) {
	rooms := make([]*room.DeclaredRoom, 0, len(h.Rooms))
	for _, s := range h.Rooms {
		declared := s.declared()
		for _, secret := range []struct {
			name string
			text *string
		}{
			{"password", &declared.Password},
			{"admin_password", &declared.AdminPassword},
		} {
			resolved, err := replacer.ReplaceOrErr(*secret.text, true, true)
			if err != nil {
				return nil, fmt.Errorf("room %s: %s: %w", s.ID, secret.name, err)
			}
			*secret.text = resolved
		}
		standing, err := room.NewDeclaredRoom(declared, h.limits())
		if err != nil {
			return nil, err
		}
		rooms = append(rooms, standing)
	}
	return rooms, nil
}
