package api

import (
	"net/netip"
	"time"
)

// Limiter is a limiter whose clock tests control.
type Limiter struct{ limiter *limiter }

// NewLimiter returns a limiter of this rate.
func NewLimiter(r Rate) Limiter { return Limiter{newLimiter(r)} }

// MaxKeys bounds the keys of a limiter.
const MaxKeys = 2 * maxKeys

// Take spends a token of a client at a time.
func (l Limiter) Take(client netip.Addr, now time.Time) error {
	return l.limiter.take(limitKey{client: client}, now)
}

// GiveBack returns a token of a client.
func (l Limiter) GiveBack(client netip.Addr) { l.limiter.giveBack(limitKey{client: client}) }

// Keys returns the number of keys in the limiter.
func (l Limiter) Keys() int { return len(l.limiter.young) + len(l.limiter.old) }
