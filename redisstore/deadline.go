package redisstore

import (
	"context"
	"time"

	"github.com/ephemeralchat/caddy-ephemeral-chat/room"
)

// patience is how long after a deadline, by this node's clock, Redis may take to
// confirm it. Then the room ends without.
const patience = 200 * time.Millisecond

// arm sets the timer to the deadline. The caller holds mu.
func (f *feed) arm() {
	if f.timer != nil {
		f.timer.Stop()
	}
	if f.over || f.deadline.IsZero() {
		return
	}
	// At the first moment at which it may be over by Redis's clock.
	f.armIn(f.deadline.Sub(f.store.Now()) - f.store.clock.slack())
}

func (f *feed) armIn(d time.Duration) {
	// Runs at most once; what it starts ends with the store.
	f.timer = time.AfterFunc(max(0, d)+time.Millisecond, func() { f.store.spawn(f.expire) })
}

// expire ends the room if Redis agrees that its deadline has passed, or cannot
// be asked.
func (f *feed) expire(ctx context.Context) {
	f.mu.Lock()
	over, deadline := f.over, f.deadline
	f.mu.Unlock()
	if over || deadline.IsZero() {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, max(deadline.Sub(f.store.Now())+patience, patience/4))
	defer cancel()
	r, err := f.store.runTimed(ctx, scriptFinish, f.keys.keys, f.keys.channel, encodeEnded(room.EndExpired),
		deadline.UnixMilli(), f.keys.life)
	f.mu.Lock()
	defer f.mu.Unlock()
	switch {
	case f.over || !f.deadline.Equal(deadline):
	case err == nil && r.status() == replyGone:
		f.end(room.EndExpired)
	case err == nil:
		f.armIn(deadline.Sub(r.time(1))) // it was too early
	case f.store.Now().Before(deadline):
		f.arm()
	default:
		f.store.ended.add(f.instanceID)
		f.end(room.EndExpired)
	}
}
