package api

import (
	"fmt"
	"net/netip"
	"sync"
	"time"

	"github.com/ephemeralchat/caddy-ephemeral-chat/room"
)

// Rate allows Count events in each Window. It is a token bucket: all of them may come
// at once, and one more is allowed after each Window/Count. The zero value is no limit.
type Rate struct {
	Count  int
	Window time.Duration
}

// maxKeys bounds the keys in one generation of a limiter: some 10 MB.
const maxKeys = 1 << 16

// limiter has a token bucket for each key. It uses the generic cell rate algorithm
// (ITU-T I.371), which stores only the time at which a bucket will be full again.
// golang.org/x/time/rate cannot return a spent token, which password guesses need.
//
// A bucket that was not used for a window is full and can be forgotten. So the limiter
// keeps two generations of keys and drops the older one after each window. It drops it
// early when the newer one has maxKeys, which bounds memory: a limit for each address
// does not stop a client that has so many addresses.
//
// A nil limiter limits nothing. Methods are safe for concurrent use.
type limiter struct {
	// Fixed.
	interval, window time.Duration

	mu        sync.Mutex
	young     map[limitKey]time.Time // the times at which buckets are full again
	old       map[limitKey]time.Time
	rotatedAt time.Time
}

// limitKey identifies a bucket. Limits on passwords have one for each room; the limit
// of a room for all clients has no client.
type limitKey struct {
	client netip.Addr
	roomID string
}

// newLimiter returns a limiter with full buckets, nil if the rate is no limit.
func newLimiter(r Rate) *limiter {
	if r.Count == 0 {
		return nil
	}
	interval := r.Window / time.Duration(r.Count)
	return &limiter{
		interval: interval,
		window:   interval * time.Duration(r.Count),
		young:    make(map[limitKey]time.Time),
	}
}

// take spends one token of the key. It returns a rateLimitedError if none is left.
func (l *limiter) take(key limitKey, now time.Time) error {
	if l == nil {
		return nil
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.rotate(now)
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

// giveBack returns a token that take has spent.
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

// fullAt returns the time at which the key's bucket is full again, the zero time for
// an unknown key. l.mu is held.
func (l *limiter) fullAt(key limitKey) time.Time {
	if full, ok := l.young[key]; ok {
		return full
	}
	return l.old[key]
}

// rotate drops the old generation if a window has passed or the young one is full.
// l.mu is held.
func (l *limiter) rotate(now time.Time) {
	if len(l.young) < maxKeys && now.Sub(l.rotatedAt) < l.window {
		return
	}
	l.old, l.young = l.young, make(map[limitKey]time.Time)
	l.rotatedAt = now
}

// rateLimitedError is room.ErrRateLimited with the delay before a retry can succeed.
type rateLimitedError struct{ retryAfter time.Duration }

func (e *rateLimitedError) Error() string { return room.ErrRateLimited.Error() }

func (e *rateLimitedError) Unwrap() error { return room.ErrRateLimited }

// passwordGuard returns the guard of one attempt on a room's password. It spends a
// token of the client and one of the room before the password is checked, so that
// parallel attempts count, and returns them unless the password is wrong. A client
// without tokens spends none of the room's.
func (h *Handler) passwordGuard(client netip.Addr, roomID string) room.Guard {
	return func() (func(wrong bool), error) {
		ofClient, ofRoom := limitKey{client: client, roomID: roomID}, limitKey{roomID: roomID}
		now := time.Now()
		if err := h.passwords.take(ofClient, now); err != nil {
			return nil, fmt.Errorf("%w: too many wrong passwords", err)
		}
		if err := h.roomPasswords.take(ofRoom, now); err != nil {
			h.passwords.giveBack(ofClient)
			return nil, fmt.Errorf("%w: too many wrong passwords for this room", err)
		}
		return func(wrong bool) {
			if !wrong {
				h.passwords.giveBack(ofClient)
				h.roomPasswords.giveBack(ofRoom)
			}
		}, nil
	}
}
