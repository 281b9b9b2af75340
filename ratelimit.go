package ephemeralchat

import (
	"fmt"
	"net/http"
	"net/netip"
	"sync"
	"time"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/ephemeralchat/caddy-ephemeral-chat/room"
)

// maxKeys is how many keys a generation of a limiter holds: some 10 MB.
const maxKeys = 1 << 16

// limiter is a token bucket for each key, in the form of the generic cell rate
// algorithm (ITU-T I.371): of each key it knows only the time at which its
// bucket will be full again. golang.org/x/time/rate would do, but it cannot
// take back what was spent, which password guesses need.
//
// A bucket is full again, and can be forgotten, when its key has not been seen
// for a window. So there are two generations of keys: what is not touched for a
// window falls out with the old one. When more keys come than a generation may
// hold, the old one goes early: somebody with that many addresses is not
// stopped by a limit on each of them, and memory is bounded.
//
// A nil limiter limits nothing. Methods are safe for concurrent use.
type limiter struct {
	interval, window time.Duration // fixed

	mu       sync.Mutex
	young    map[limitKey]time.Time
	old      map[limitKey]time.Time
	turnedAt time.Time
}

// limitKey is what is limited: a client, and a room where the limit is on
// what the client does to one room.
type limitKey struct {
	client netip.Addr
	roomID string
}

func newLimiter(r Rate) *limiter {
	if r.Off {
		return nil
	}
	return &limiter{
		interval: r.interval(),
		window:   r.interval() * time.Duration(r.Count),
		young:    make(map[limitKey]time.Time),
	}
}

// take spends one token of the key, or fails with a rateLimitedError.
func (l *limiter) take(key limitKey, now time.Time) error {
	if l == nil {
		return nil
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.turn(now)
	full := l.fullAt(key)
	if full.Before(now) {
		full = now
	}
	full = full.Add(l.interval)
	if wait := full.Sub(now) - l.window; wait > 0 {
		return &rateLimitedError{retryAfter: wait}
	}
	l.young[key] = full
	return nil
}

// giveBack returns a token that was taken.
func (l *limiter) giveBack(key limitKey) {
	if l == nil {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if full := l.fullAt(key); !full.IsZero() {
		l.young[key] = full.Add(-l.interval)
	}
}

// fullAt returns when the bucket of the key is full, the zero time for one that
// nothing is known of. l.mu is held.
func (l *limiter) fullAt(key limitKey) time.Time {
	if full, ok := l.young[key]; ok {
		return full
	}
	return l.old[key]
}

// turn makes room for new keys when the old generation can be, or has to be,
// forgotten. l.mu is held.
func (l *limiter) turn(now time.Time) {
	if len(l.young) < maxKeys && now.Sub(l.turnedAt) < l.window {
		return
	}
	l.old, l.young = l.young, make(map[limitKey]time.Time)
	l.turnedAt = now
}

// rateLimitedError is room.ErrRateLimited with the time after which it is worth
// trying again.
type rateLimitedError struct{ retryAfter time.Duration }

func (e *rateLimitedError) Error() string { return room.ErrRateLimited.Error() }

func (e *rateLimitedError) Unwrap() error { return room.ErrRateLimited }

// passwordGuard returns the guard of one attempt on the password of a room. A
// token of the client and one of the room are spent before the password is checked,
// so that parallel attempts count as well, and are given back unless the password
// was wrong. A client that has none left spends none of the room's.
func (h *Handler) passwordGuard(client netip.Addr, roomID string) room.Guard {
	return func() (func(wrong bool), error) {
		own, all := limitKey{client: client, roomID: roomID}, limitKey{roomID: roomID}
		now := time.Now()
		if err := h.passwordLimits.take(own, now); err != nil {
			return nil, fmt.Errorf("%w: too many wrong passwords", err)
		}
		if err := h.roomPasswordLimits.take(all, now); err != nil {
			h.passwordLimits.giveBack(own)
			return nil, fmt.Errorf("%w: too many wrong passwords for this room", err)
		}
		return func(wrong bool) {
			if !wrong {
				h.passwordLimits.giveBack(own)
				h.roomPasswordLimits.giveBack(all)
			}
		}, nil
	}
}

// clientOf returns the address that limits are counted by: what Caddy takes for
// the client, behind its trusted proxies. An IPv6 address counts by its /64,
// within which a host may take any address it likes (RFC 4291, section 2.5.1).
// Clients without an address, such as those of a Unix socket, count as one.
func clientOf(r *http.Request) netip.Addr {
	text, _ := caddyhttp.GetVar(r.Context(), caddyhttp.ClientIPVarKey).(string)
	addr, err := netip.ParseAddr(text)
	if err != nil {
		return netip.Addr{}
	}
	addr = addr.Unmap().WithZone("")
	if addr.Is4() {
		return addr
	}
	network, err := addr.Prefix(64)
	if err != nil {
		return netip.Addr{}
	}
	return network.Addr()
}
