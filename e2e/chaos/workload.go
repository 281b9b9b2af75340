package chaos

import (
	"context"
	"fmt"
	"time"
)

// liveOn has one room after the other live and die, until last is closed. While the
// laboratory rests, no new one is made.
func (l *Lab) liveOn(ctx context.Context, last <-chan struct{}, number uint64) {
	d := newDice(l.o.Seed, 1<<32+number)
	for pause(ctx, d.between(0, 2*time.Second)) {
		select {
		case <-last:
			return
		default:
			l.living.RLock()
			l.life(ctx, d)
			l.living.RUnlock()
		}
	}
}

// life is that of one room: it expires in company or alone, is deleted, or is never
// started.
func (l *Lab) life(ctx context.Context, d *dice) {
	kind := []string{"expiring", "expiring", "expiring", "abandoned", "abandoned", "deleted", "deleted", "unstarted"}[d.n(8)]
	ttl := d.between(6*time.Second, 25*time.Second)
	if kind == "deleted" {
		ttl = time.Minute
	}
	alive, cancel := context.WithCancel(ctx)
	defer cancel()
	ch, err := l.openRoom(alive, kind, ttl, 2+d.n(l.o.Members))
	switch {
	case ch == nil && ctx.Err() == nil:
		l.journal.violate("room", "cannot be made: "+err.Error(), nil)
		return
	case ch == nil:
		return
	}
	defer ch.close(cancel)
	if err != nil {
		// It has waited too long for its members, or been lost.
		if ctx.Err() == nil && !ch.unreachable(err) {
			ch.violate("room", "not to be joined: "+err.Error(), nil)
		}
		return
	}
	l.enter(ch)
	defer l.leave(ch)
	switch kind {
	case "unstarted":
		ch.awaitEnd(alive, ch.asked.Add(lobby))
		l.bury(ch, ch.asked.Add(lobby+10*time.Second))
		return
	case "deleted":
		ch.begin(alive)
		pause(alive, d.between(2*time.Second, 20*time.Second))
		if err := ch.delete(alive); err != nil && ctx.Err() == nil && !ch.unreachable(err) {
			ch.violate("room", "not to be deleted: "+err.Error(), nil)
		}
		now := time.Now()
		ch.awaitEnd(alive, now)
		l.bury(ch, now.Add(2*time.Second))
		return
	}
	ch.begin(alive)
	changed, stop := context.WithTimeout(alive, ttl/2)
	ch.change(alive, changed)
	stop()
	deadline, ok := ch.awaitDeadline(alive)
	if !ok {
		return
	}
	if kind == "abandoned" {
		pause(alive, time.Until(deadline.Add(-d.between(500*time.Millisecond, 4*time.Second))))
		for _, c := range ch.staying() {
			c.quit(d.chance(0.5))
		}
	}
	pause(alive, time.Until(deadline.Add(100*time.Millisecond)))
	l.expectGone(alive, ch)
	ch.awaitEnd(alive, deadline)
	l.bury(ch, deadline.Add(2*time.Second))
}

// unreachable reports whether an answer is explained by the end of the room: it was
// not started in time, or has expired, or may have been lost.
func (ch *chat) unreachable(err error) bool {
	if ch.forgives() {
		return true
	}
	deadline := ch.deadline()
	return isRefusal(err, "room_not_found") &&
		(!deadline.IsZero() && time.Now().After(deadline) || deadline.IsZero() && time.Since(ch.asked) > lobby)
}

// begin lets clients talk, and now and then starts the chat first.
func (ch *chat) begin(ctx context.Context) {
	if ch.dice.chance(0.3) {
		var clock struct{ ExpiresAt string }
		if err := ch.lab.insist(ctx, ch.dice, "/startChat", ch.admin, &clock); err == nil {
			ch.toldDeadline(parseTime(clock.ExpiresAt))
		}
	}
	ch.talking.Store(true)
}

// awaitDeadline waits until somebody is told the deadline. It fails when that takes
// too long.
func (ch *chat) awaitDeadline(ctx context.Context) (time.Time, bool) {
	err := until(ctx, time.Minute, func(context.Context) error {
		if ch.deadline().IsZero() && len(ch.staying()) > 0 {
			return fmt.Errorf("nobody has heard of a deadline")
		}
		return nil
	})
	if err != nil && ctx.Err() == nil {
		ch.violate("deadline", err.Error(), nil)
	}
	deadline := ch.deadline()
	return deadline, !deadline.IsZero()
}

// goneTime is how long after the end of a room a client must have heard of it, also
// one that could not be told at once.
const goneTime = 25 * time.Second

// awaitEnd waits until all clients know that the room has ended.
func (ch *chat) awaitEnd(ctx context.Context, end time.Time) {
	limit := time.NewTimer(time.Until(end.Add(goneTime)))
	defer limit.Stop()
	for _, c := range ch.everybody() {
		c.mu.Lock()
		hasQuit := c.over == "quit"
		c.mu.Unlock()
		if hasQuit {
			continue
		}
		select {
		case <-c.finished:
		case <-ctx.Done():
			return
		case <-limit.C:
			if ch.deletionLost() {
				return
			}
			ch.violate("not-ended", fmt.Sprintf("%s does not know %s after the end of the room", c.me.UserID, goneTime), c)
			return
		}
	}
}

// deletionLost reports whether the deletion of the room may have been lost with a
// server, and so with the node that knew of it.
func (ch *chat) deletionLost() bool {
	ch.mu.Lock()
	deleting := ch.deleting
	ch.mu.Unlock()
	return !deleting.IsZero() && ch.forgivesSince(deleting)
}

// expectGone asks nodes for a room that is past its deadline.
func (l *Lab) expectGone(ctx context.Context, ch *chat) {
	for _, n := range l.nodes {
		var info struct{ ExpiresAt string }
		if err := l.call(ctx, n, "/roomInfo", map[string]any{"roomId": ch.id}, &info); err == nil && !ch.forgives() {
			ch.violate("undead", fmt.Sprintf("%s knows the room after its deadline; it is to expire at %s", n.name, info.ExpiresAt), nil)
		}
	}
}

// change has people come and go, until ctx is done. They stay until alive is.
func (ch *chat) change(alive, ctx context.Context) {
	for number := 0; pause(ctx, ch.dice.exponential(6*time.Second)); number++ {
		staying := ch.staying()
		if len(staying) < 4 {
			_ = ch.invite(alive, fmt.Sprint("late", number)) // if that fails, fewer are there
			continue
		}
		c := staying[1+ch.dice.n(len(staying)-1)] // not the admin
		switch ch.dice.n(5) {
		case 0:
			ch.remove(ctx, c, false)
		case 1:
			ch.remove(ctx, c, true)
		case 2:
			c.quit(ch.dice.chance(0.5))
		default:
			_ = ch.invite(alive, fmt.Sprint("late", number)) // if that fails, fewer are there
		}
	}
}
