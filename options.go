package ephemeralchat

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"golang.org/x/time/rate"

	"github.com/ephemeralchat/caddy-ephemeral-chat/api"
	"github.com/ephemeralchat/caddy-ephemeral-chat/room"
)

const (
	millisecond   = caddy.Duration(time.Millisecond)
	second        = caddy.Duration(time.Second)
	hour          = caddy.Duration(time.Hour)
	defaultMaxTTL = 24 * hour
	maxLifetime   = 10 * 365 * 24 * hour // of a room
	// noFlushInterval turns flush_interval off, as in Caddy's reverse proxy.
	noFlushInterval = caddy.Duration(-1)
)

// option is an option that has a range and a default.
type option struct {
	name       string
	unmarshal  func(*Handler, *caddyfile.Dispenser) error // from the Caddyfile
	check      func(*Handler) error                       // for configurations in JSON
	setDefault func(*Handler)
}

// options are all options with a range. The arguments of ranged are the parser, the
// minimum, the maximum, the unit and the default.
var options = []option{
	ranged("max_ttl", func(h *Handler) *caddy.Duration { return &h.MaxTTL }, parseDuration, second, maxLifetime, second, defaultMaxTTL),
	ranged("ttl", func(h *Handler) *caddy.Duration { return &h.TTL }, parseDuration, second, maxLifetime, second, hour),
	ranged("lobby", func(h *Handler) *caddy.Duration { return &h.Lobby }, parseDuration, second, maxLifetime, second, 24*hour),
	ranged("history", func(h *Handler) *int { return &h.History }, parseCount, 1, 100_000, 1, 1000),
	ranged("max_message", func(h *Handler) *int { return &h.MaxMessage }, parseSize, 1, 1<<20, 1, 4<<10),
	ranged("max_members", func(h *Handler) *int { return &h.MaxMembers }, parseCount, 1, 1_000_000, 1, 1000),
	ranged("max_rooms", func(h *Handler) *int { return &h.MaxRooms }, parseCount, 1, 1_000_000_000, 1, 100_000),
	// The default allows for many users behind one address, which they cannot change.
	ranged("max_connections", func(h *Handler) *int { return &h.MaxConnections }, parseCount, 1, 1_000_000, 1, 1000),
	ranged("ping_interval", func(h *Handler) *caddy.Duration { return &h.PingInterval }, parseDuration, second, hour, 1, 30*second),
	// Users do not notice the default delay in a busy room.
	ranged("flush_interval", func(h *Handler) *caddy.Duration { return &h.FlushInterval }, parseFlushInterval, millisecond, second, 1, 25*millisecond, noFlushInterval),
	limited("message_rate", func(h *Handler) **Rate { return &h.MessageRate }, Rate{Count: 10, Window: second}),
	limited("join_rate", func(h *Handler) **Rate { return &h.JoinRate }, Rate{Count: 600, Window: 60 * second}),
	limited("create_rate", func(h *Handler) **Rate { return &h.CreateRate }, Rate{Count: 20, Window: 60 * second}),
	limited("password_rate", func(h *Handler) **Rate { return &h.PasswordRate }, Rate{Count: 10, Window: 60 * second}),
	limited("room_password_rate", func(h *Handler) **Rate { return &h.RoomPasswordRate }, Rate{Count: 100, Window: 60 * second}),
}

// ranged returns an option that is a number. Zero means that it is not set. The value
// off, if there is one, is valid in addition to the range.
func ranged[T int | caddy.Duration](
	name string, field func(*Handler) *T, parse func(string) (T, error), least, most, unit, fallback T, off ...T,
) option {
	check := checkRange(name, least, most, unit, off...)
	return option{
		name:      name,
		unmarshal: func(h *Handler, d *caddyfile.Dispenser) error { return unmarshalValue(d, check, field(h), parse) },
		check: func(h *Handler) error {
			if *field(h) == 0 {
				return nil
			}
			return check(*field(h))
		},
		setDefault: func(h *Handler) { *field(h) = cmp.Or(*field(h), fallback) },
	}
}

// limited returns an option of a rate.
func limited(name string, field func(*Handler) **Rate, fallback Rate) option {
	return option{
		name:      name,
		unmarshal: func(h *Handler, d *caddyfile.Dispenser) error { return unmarshalRate(d, field(h)) },
		check: func(h *Handler) error {
			if err := (*field(h)).check(); err != nil {
				return fmt.Errorf("%s: %w", name, err)
			}
			return nil
		},
		setDefault: func(h *Handler) { *field(h) = cmp.Or(*field(h), new(fallback)) },
	}
}

// checkRange returns a function that returns an error if a value is out of range or not
// a multiple of the unit.
func checkRange[T int | caddy.Duration](name string, least, most, unit T, off ...T) func(T) error {
	orOff := ""
	if len(off) > 0 {
		orOff = "off or "
	}
	return func(value T) error {
		if slices.Contains(off, value) {
			return nil
		}
		if value < least || value > most {
			return fmt.Errorf("%s must be %sfrom %s to %s, not %s", name, orOff, show(least), show(most), show(value))
		}
		if value%unit != 0 {
			return fmt.Errorf("%s must be a multiple of %s, not %s", name, show(unit), show(value))
		}
		return nil
	}
}

func show[T int | caddy.Duration](value T) string {
	if d, ok := any(value).(caddy.Duration); ok {
		return time.Duration(d).String()
	}
	return fmt.Sprint(value)
}

// setDefaults sets the options that the configuration omits.
func (h *Handler) setDefaults() {
	ttl, maxRooms := h.TTL, h.MaxRooms
	for _, o := range options {
		o.setDefault(h)
	}
	if ttl == 0 {
		h.TTL = min(h.TTL, h.MaxTTL)
	}
	if _, ok := h.store.(*MemoryStore); !ok {
		h.MaxRooms = maxRooms
	}
}

// checkValues returns an error if the value of an option is invalid by itself.
func (h *Handler) checkValues() error {
	for _, o := range options {
		if err := o.check(h); err != nil {
			return err
		}
	}
	if h.User != "" {
		if err := checkUser(h.User); err != nil {
			return err
		}
	}
	return checkPrefix(h.PathPrefix)
}

// checkTogether returns an error if options contradict each other. An unset option
// contradicts none.
func (h *Handler) checkTogether() error {
	if h.TTL != 0 && h.MaxTTL != 0 && h.TTL > h.MaxTTL {
		return fmt.Errorf("ttl (%s) is longer than max_ttl (%s)", show(h.TTL), show(h.MaxTTL))
	}
	if _, ok := h.store.(*MemoryStore); !ok && h.store != nil && h.MaxRooms != 0 {
		return errors.New("max_rooms is for the memory store only; remove it")
	}
	return h.checkRooms()
}

// limits returns the limits of this site's rooms.
func (h *Handler) limits() room.Limits {
	return room.Limits{
		TTL:        time.Duration(h.TTL),
		MaxTTL:     time.Duration(h.MaxTTL),
		Lobby:      time.Duration(h.Lobby),
		History:    h.History,
		MaxMessage: h.MaxMessage,
		MaxMembers: h.MaxMembers,
		SignedIn:   h.User != "",
		MaxRooms:   h.MaxRooms,
	}
}

// Rate allows a number of events in a window of time. It is a token bucket: all of
// them may come at once, and one more is allowed each time that a share of the window
// has passed.
type Rate struct {
	// The number of events, from 1 to 1000000.
	Count int `json:"count,omitempty"`

	// The window of time, from `1ms` to `24h`.
	Window caddy.Duration `json:"window,omitempty"`

	// Whether to allow any number of events. Excludes `count` and `window`. Default:
	// false.
	Off bool `json:"off,omitempty"`
}

// check returns an error if the rate is invalid.
func (r *Rate) check() error {
	switch {
	case r.Off && (r.Count != 0 || r.Window != 0):
		return errors.New("a rate that is off has neither count nor window")
	case r.Off:
		return nil
	}
	if err := checkRange("count", 1, 1_000_000, 1)(r.Count); err != nil {
		return err
	}
	return checkRange("window", millisecond, 24*hour, 1)(r.Window)
}

// limit returns the rate as package api takes it: zero if the rate is off.
func (r *Rate) limit() api.Rate { return api.Rate{Count: r.Count, Window: time.Duration(r.Window)} }

// perSecond returns the rate as golang.org/x/time/rate takes it.
func (r *Rate) perSecond() rate.Limit {
	if r.Off {
		return rate.Inf
	}
	return rate.Every(time.Duration(r.Window) / time.Duration(r.Count))
}

// DeclaredRoom is a room that clients join by its id without creating it first: the
// chat of a page. The first client that joins opens it, it lives like any other room,
// and after its end it opens anew, empty. Changes apply to rooms that open later.
type DeclaredRoom struct {
	// The id by which clients join: 1 to 64 characters of `A-Z a-z 0-9 - _`.
	ID string `json:"id,omitempty"`

	// The name that users see: 1 to 100 characters.
	Name string `json:"name,omitempty"`

	// The lifetime, from the start of the room. Whole seconds, from `1s` to
	// `max_ttl`. Default: the `ttl` of the site.
	TTL caddy.Duration `json:"ttl,omitempty"`

	// The password that clients need to join. Placeholders are resolved when the
	// configuration is loaded. Default: none.
	Password string `json:"password,omitempty"`

	// The password with which a client joins as an admin; there may be several
	// admins. Placeholders are resolved when the configuration is loaded. Default:
	// none, and the room has no admin.
	AdminPassword string `json:"admin_password,omitempty"`
}

// checkRooms returns an error if a declared room is invalid with any values of its
// placeholders. Unset limits contradict nothing.
func (h *Handler) checkRooms() error {
	limits := room.Limits{TTL: time.Second, MaxTTL: time.Duration(cmp.Or(h.MaxTTL, maxLifetime))}
	_, err := h.declaredRooms(limits, func(text string) (string, error) { return text, nil })
	return err
}

// declaredRooms returns the declared rooms of the site. resolve replaces placeholders.
func (h *Handler) declaredRooms(limits room.Limits, resolve func(string) (string, error)) ([]*room.DeclaredRoom, error) {
	known := make(map[string]bool)
	rooms := make([]*room.DeclaredRoom, 0, len(h.Rooms))
	for _, r := range h.Rooms {
		if known[r.ID] {
			return nil, fmt.Errorf("room %s is given twice", r.ID)
		}
		known[r.ID] = true
		declaration := room.Declaration{ID: r.ID, Name: r.Name, TTL: time.Duration(r.TTL)}
		var err error
		if declaration.Password, err = resolve(r.Password); err != nil {
			return nil, fmt.Errorf("room %s: password: %w", r.ID, err)
		}
		if declaration.AdminPassword, err = resolve(r.AdminPassword); err != nil {
			return nil, fmt.Errorf("room %s: admin_password: %w", r.ID, err)
		}
		declared, err := room.NewDeclaredRoom(declaration, limits)
		if err != nil {
			return nil, err
		}
		rooms = append(rooms, declared)
	}
	return rooms, nil
}
