package ephemeralchat

import (
	"errors"
	"fmt"
	"time"

	"github.com/caddyserver/caddy/v2"
	"golang.org/x/time/rate"

	"github.com/ephemeralchat/caddy-ephemeral-chat/api"
	"github.com/ephemeralchat/caddy-ephemeral-chat/room"
)

// Defaults of the options.
const (
	defaultTTL          = caddy.Duration(time.Hour)
	defaultMaxTTL       = caddy.Duration(24 * time.Hour)
	defaultLobby        = caddy.Duration(24 * time.Hour)
	defaultHistory      = 1000
	defaultMaxMessage   = 4 << 10
	defaultMaxMembers   = 1000
	defaultMaxRooms     = 100_000
	defaultPingInterval = caddy.Duration(30 * time.Second)
	// defaultMaxConnections allows for many users behind one address, because a user
	// cannot change that.
	defaultMaxConnections = 1000
	// defaultFlushInterval is a delay that users do not notice in a busy room.
	defaultFlushInterval = caddy.Duration(25 * time.Millisecond)
)

// Ranges of the options.
const (
	second           = caddy.Duration(time.Second) // the unit of lifetimes
	maxLifetime      = caddy.Duration(10 * 365 * 24 * time.Hour)
	minFlushInterval = caddy.Duration(time.Millisecond)
	maxFlushInterval = second
	noFlushInterval  = caddy.Duration(-1) // off, as for Caddy's reverse proxy

	maxRateCount = 1_000_000
	minWindow    = caddy.Duration(time.Millisecond)
	maxWindow    = caddy.Duration(24 * time.Hour)
)

// option is an option with a range. The Caddyfile parser uses it to report the line,
// Validate for configurations in JSON.
type option[T int | caddy.Duration] struct {
	name     string
	value    func(*Handler) *T
	min, max T
	unit     T // values are multiples of it
}

var durationOptions = []option[caddy.Duration]{
	{"ttl", func(h *Handler) *caddy.Duration { return &h.TTL }, second, maxLifetime, second},
	{"max_ttl", func(h *Handler) *caddy.Duration { return &h.MaxTTL }, second, maxLifetime, second},
	{"lobby", func(h *Handler) *caddy.Duration { return &h.Lobby }, second, maxLifetime, second},
	{"ping_interval", func(h *Handler) *caddy.Duration { return &h.PingInterval }, second, 3600 * second, 1},
}

var countOptions = []option[int]{
	{"history", func(h *Handler) *int { return &h.History }, 1, 100_000, 1},
	{"max_message", func(h *Handler) *int { return &h.MaxMessage }, 1, 1 << 20, 1},
	{"max_members", func(h *Handler) *int { return &h.MaxMembers }, 1, 1_000_000, 1},
	{"max_rooms", func(h *Handler) *int { return &h.MaxRooms }, 1, 1_000_000_000, 1},
	{"max_connections", func(h *Handler) *int { return &h.MaxConnections }, 1, 1_000_000, 1},
}

var rateOptions = []struct {
	name     string
	value    func(*Handler) **Rate
	fallback Rate // the default
}{
	{"message_rate", func(h *Handler) **Rate { return &h.MessageRate }, Rate{Count: 10, Window: second}},
	{"join_rate", func(h *Handler) **Rate { return &h.JoinRate }, Rate{Count: 600, Window: 60 * second}},
	{"create_rate", func(h *Handler) **Rate { return &h.CreateRate }, Rate{Count: 20, Window: 60 * second}},
	{"password_rate", func(h *Handler) **Rate { return &h.PasswordRate }, Rate{Count: 10, Window: 60 * second}},
	{"room_password_rate", func(h *Handler) **Rate { return &h.RoomPasswordRate }, Rate{Count: 100, Window: 60 * second}},
}

// check returns an error if the value is out of the option's range.
func (o *option[T]) check(value T) error {
	if value < o.min || value > o.max {
		return fmt.Errorf("%s must be from %s to %s, not %s", o.name, show(o.min), show(o.max), show(value))
	}
	if value%o.unit != 0 {
		return fmt.Errorf("%s must be a multiple of %s, not %s", o.name, show(o.unit), show(value))
	}
	return nil
}

// checkFlushInterval returns an error if the value is out of range.
func checkFlushInterval(value caddy.Duration) error {
	if value == noFlushInterval || minFlushInterval <= value && value <= maxFlushInterval {
		return nil
	}
	return fmt.Errorf("flush_interval must be off or from %s to %s, not %s",
		show(minFlushInterval), show(maxFlushInterval), show(value))
}

func show[T int | caddy.Duration](value T) string {
	if d, ok := any(value).(caddy.Duration); ok {
		return time.Duration(d).String()
	}
	return fmt.Sprint(value)
}

// setDefaults sets the options that the configuration omits.
func (h *Handler) setDefaults() {
	orDefault(&h.MaxTTL, defaultMaxTTL)
	orDefault(&h.TTL, min(defaultTTL, h.MaxTTL))
	orDefault(&h.Lobby, defaultLobby)
	orDefault(&h.History, defaultHistory)
	orDefault(&h.MaxMessage, defaultMaxMessage)
	orDefault(&h.MaxMembers, defaultMaxMembers)
	orDefault(&h.MaxConnections, defaultMaxConnections)
	orDefault(&h.PingInterval, defaultPingInterval)
	orDefault(&h.FlushInterval, defaultFlushInterval)
	if _, ok := h.store.(*MemoryStore); ok {
		orDefault(&h.MaxRooms, defaultMaxRooms)
	}
	for _, o := range rateOptions {
		orDefault(o.value(h), &o.fallback)
	}
}

func orDefault[T comparable](value *T, fallback T) {
	var unset T
	if *value == unset {
		*value = fallback
	}
}

// checkValues returns an error if the value of an option is invalid by itself.
func (h *Handler) checkValues() error {
	for _, o := range durationOptions {
		if err := o.check(*o.value(h)); err != nil {
			return err
		}
	}
	for _, o := range countOptions {
		if o.name == "max_rooms" && h.MaxRooms == 0 {
			continue // the store is not the memory store
		}
		if err := o.check(*o.value(h)); err != nil {
			return err
		}
	}
	for _, o := range rateOptions {
		if err := (*o.value(h)).check(); err != nil {
			return fmt.Errorf("%s: %w", o.name, err)
		}
	}
	if err := checkFlushInterval(h.FlushInterval); err != nil {
		return err
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
	case r.Count < 1 || r.Count > maxRateCount:
		return fmt.Errorf("count must be from 1 to %d, not %d", maxRateCount, r.Count)
	case r.Window < minWindow || r.Window > maxWindow:
		return fmt.Errorf("window must be from %s to %s, not %s", show(minWindow), show(maxWindow), show(r.Window))
	}
	return nil
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

// declaration returns the room as package room takes it, placeholders included.
func (r *DeclaredRoom) declaration() room.Declaration {
	return room.Declaration{
		ID: r.ID, Name: r.Name, TTL: time.Duration(r.TTL), Password: r.Password, AdminPassword: r.AdminPassword,
	}
}

// checkRooms returns an error if a declared room is invalid with any values of its
// placeholders. Unset limits contradict nothing.
func (h *Handler) checkRooms() error {
	limits := room.Limits{TTL: time.Duration(second), MaxTTL: time.Duration(maxLifetime)}
	if h.MaxTTL != 0 {
		limits.MaxTTL = time.Duration(h.MaxTTL)
	}
	known := make(map[string]bool)
	for _, r := range h.Rooms {
		if known[r.ID] {
			return fmt.Errorf("room %s is given twice", r.ID)
		}
		known[r.ID] = true
		if _, err := room.NewDeclaredRoom(r.declaration(), limits); err != nil {
			return err
		}
	}
	return nil
}

// declaredRooms returns the declared rooms of the site with placeholders resolved.
func (h *Handler) declaredRooms(replacer *caddy.Replacer) ([]*room.DeclaredRoom, error) {
	rooms := make([]*room.DeclaredRoom, 0, len(h.Rooms))
	for _, r := range h.Rooms {
		declaration := r.declaration()
		var err error
		if declaration.Password, err = replacer.ReplaceOrErr(r.Password, true, true); err != nil {
			return nil, fmt.Errorf("room %s: password: %w", r.ID, err)
		}
		if declaration.AdminPassword, err = replacer.ReplaceOrErr(r.AdminPassword, true, true); err != nil {
			return nil, fmt.Errorf("room %s: admin_password: %w", r.ID, err)
		}
		declared, err := room.NewDeclaredRoom(declaration, h.limits())
		if err != nil {
			return nil, err
		}
		rooms = append(rooms, declared)
	}
	return rooms, nil
}
