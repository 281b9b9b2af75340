package ephemeralchat

import (
	"errors"
	"fmt"
	"time"

	"github.com/caddyserver/caddy/v2"

	"github.com/ephemeralchat/caddy-ephemeral-chat/room"
)

// What a site gets that does not say otherwise.
const (
	defaultTTL          = time.Hour
	defaultMaxTTL       = 24 * time.Hour
	defaultLobby        = 24 * time.Hour
	defaultHistory      = 1000
	defaultMaxMessage   = 4 << 10
	defaultMaxMembers   = 1000
	defaultMaxRooms     = 100_000
	defaultPingInterval = 30 * time.Second
	// defaultMaxConnections is not less than how many people there are behind one
	// address where there are many: who is refused cannot help it.
	defaultMaxConnections = 1000
	// defaultFlushInterval is a delay that nobody notices in a room where so many
	// talk that it matters.
	defaultFlushInterval = 25 * time.Millisecond
)

// The bounds of what a site may ask for.
const (
	maxHistory    = 100_000
	maxMaxMessage = 1 << 20
	maxMaxMembers = 1_000_000
	maxMaxRooms   = 1_000_000_000
	maxMaxConns   = 1_000_000
	maxLifetime   = caddy.Duration(10 * 365 * 24 * time.Hour)
	maxPing       = caddy.Duration(time.Hour)

	minFlushInterval = caddy.Duration(time.Millisecond)
	maxFlushInterval = caddy.Duration(time.Second)
	// noFlushInterval is off, as it is for Caddy's reverse proxy.
	noFlushInterval = caddy.Duration(-1)
)

// option is an option whose value has bounds. The same row serves the
// Caddyfile, which reports the line, and Validate, for configurations in JSON.
type option[T int | caddy.Duration] struct {
	name     string
	value    func(*Handler) *T
	min, max T
	// unit is what the value is a multiple of.
	unit T
}

// second is the unit of what rooms live by.
const second = caddy.Duration(time.Second)

var durationOptions = []option[caddy.Duration]{
	{"ttl", func(h *Handler) *caddy.Duration { return &h.TTL }, second, maxLifetime, second},
	{"max_ttl", func(h *Handler) *caddy.Duration { return &h.MaxTTL }, second, maxLifetime, second},
	{"lobby", func(h *Handler) *caddy.Duration { return &h.Lobby }, second, maxLifetime, second},
	{"ping_interval", func(h *Handler) *caddy.Duration { return &h.PingInterval }, second, maxPing, 1},
}

var countOptions = []option[int]{
	{"history", func(h *Handler) *int { return &h.History }, 1, maxHistory, 1},
	{"max_message", func(h *Handler) *int { return &h.MaxMessage }, 1, maxMaxMessage, 1},
	{"max_members", func(h *Handler) *int { return &h.MaxMembers }, 1, maxMaxMembers, 1},
	{"max_rooms", func(h *Handler) *int { return &h.MaxRooms }, 1, maxMaxRooms, 1},
	{"max_connections", func(h *Handler) *int { return &h.MaxConnections }, 1, maxMaxConns, 1},
}

var rateOptions = []struct {
	name  string
	value func(*Handler) **Rate
}{
	{"message_rate", func(h *Handler) **Rate { return &h.MessageRate }},
	{"join_rate", func(h *Handler) **Rate { return &h.JoinRate }},
	{"create_rate", func(h *Handler) **Rate { return &h.CreateRate }},
	{"password_rate", func(h *Handler) **Rate { return &h.PasswordRate }},
	{"room_password_rate", func(h *Handler) **Rate { return &h.RoomPasswordRate }},
}

// check reports whether a value is one that the option may have.
func (o *option[T]) check(value T) error {
	if value < o.min || value > o.max {
		return fmt.Errorf("%s must be from %s to %s, not %s", o.name, show(o.min), show(o.max), show(value))
	}
	if value%o.unit != 0 {
		return fmt.Errorf("%s must be a multiple of %s, not %s", o.name, show(o.unit), show(value))
	}
	return nil
}

// checkFlushInterval reports whether a value is one that flush_interval may have.
func checkFlushInterval(value caddy.Duration) error {
	if value == noFlushInterval || minFlushInterval <= value && value <= maxFlushInterval {
		return nil
	}
	return fmt.Errorf("flush_interval must be off or from %s to %s, not %s",
		show(minFlushInterval), show(maxFlushInterval), show(value))
}

func show[T int | caddy.Duration](value T) string {
	if d, ok := any(value).(caddy.Duration); ok {
		return timeOf(d).String()
	}
	return fmt.Sprint(value)
}

func timeOf(d caddy.Duration) time.Duration { return time.Duration(d) }

// setDefaults fills in what the configuration leaves out.
func (h *Handler) setDefaults() {
	orDefault(&h.MaxTTL, caddy.Duration(defaultMaxTTL))
	orDefault(&h.TTL, min(caddy.Duration(defaultTTL), h.MaxTTL))
	orDefault(&h.Lobby, caddy.Duration(defaultLobby))
	orDefault(&h.History, defaultHistory)
	orDefault(&h.MaxMessage, defaultMaxMessage)
	orDefault(&h.MaxMembers, defaultMaxMembers)
	orDefault(&h.MaxConnections, defaultMaxConnections)
	orDefault(&h.PingInterval, caddy.Duration(defaultPingInterval))
	orDefault(&h.FlushInterval, caddy.Duration(defaultFlushInterval))
	if _, ok := h.store.(*MemoryStore); ok {
		orDefault(&h.MaxRooms, defaultMaxRooms)
	}
	orDefault(&h.MessageRate, &Rate{Count: 10, Window: second})
	orDefault(&h.JoinRate, &Rate{Count: 600, Window: 60 * second})
	orDefault(&h.CreateRate, &Rate{Count: 20, Window: 60 * second})
	orDefault(&h.PasswordRate, &Rate{Count: 10, Window: 60 * second})
	orDefault(&h.RoomPasswordRate, &Rate{Count: 100, Window: 60 * second})
}

func orDefault[T comparable](value *T, otherwise T) {
	var unset T
	if *value == unset {
		*value = otherwise
	}
}

// checkValues reports an option whose value is out of bounds.
func (h *Handler) checkValues() error {
	for _, o := range durationOptions {
		if err := o.check(*o.value(h)); err != nil {
			return err
		}
	}
	for _, o := range countOptions {
		if o.name == "max_rooms" && h.MaxRooms == 0 {
			continue // not for this store
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

// checkTogether reports options that contradict each other. Unset ones
// contradict nothing.
func (h *Handler) checkTogether() error {
	if h.TTL != 0 && h.MaxTTL != 0 && h.TTL > h.MaxTTL {
		return fmt.Errorf("ttl (%s) is longer than max_ttl (%s)", show(h.TTL), show(h.MaxTTL))
	}
	if _, ok := h.store.(*MemoryStore); !ok && h.store != nil && h.MaxRooms != 0 {
		return errors.New("max_rooms is for the memory store only")
	}
	return h.checkRooms()
}

// limits returns the limits of this site's rooms.
func (h *Handler) limits() room.Limits {
	return room.Limits{
		TTL:        timeOf(h.TTL),
		MaxTTL:     timeOf(h.MaxTTL),
		Lobby:      timeOf(h.Lobby),
		History:    h.History,
		MaxMessage: h.MaxMessage,
		MaxMembers: h.MaxMembers,
		SignedIn:   h.User != "",
		MaxRooms:   h.MaxRooms,
	}
}
