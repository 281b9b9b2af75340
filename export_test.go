package ephemeralchat

import (
	"net/netip"
	"time"
)

// Limiter lets tests turn the clock of a limiter.
type Limiter struct{ limiter *limiter }

// NewLimiter returns a limiter of this rate.
func NewLimiter(r Rate) Limiter { return Limiter{newLimiter(r)} }

// MaxKeys is how many keys a limiter knows at most.
const MaxKeys = 2 * maxKeys

// Take spends a token of a client at a time.
func (l Limiter) Take(client netip.Addr, now time.Time) error {
	return l.limiter.take(limitKey{client: client}, now)
}

// GiveBack returns a token of a client.
func (l Limiter) GiveBack(client netip.Addr) { l.limiter.giveBack(limitKey{client: client}) }

// Keys returns how many keys the limiter knows.
func (l Limiter) Keys() int { return len(l.limiter.young) + len(l.limiter.old) }

// What the command runs is made of these.
var (
	CommandHandler = commandHandler
	CommandConfig  = commandConfig
	CommandURL     = commandURL
)
