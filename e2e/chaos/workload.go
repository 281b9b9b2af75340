package chaos

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/ephemeralchat/caddy-ephemeral-chat/redisstore/redistest/poll"

	"github.com/ephemeralchat/caddy-ephemeral-chat/e2e/harness"
)

// runShortLivedRooms runs one short-lived room after the other, until last is
// closed. While the nodes are measured, it creates none.
func (x *experiment) runShortLivedRooms(ctx context.Context, last <-chan struct{}, number uint64) {
	r := newRandom(x.o.Seed, 1<<32+number)
	for poll.Pause(ctx, between(r, 0, 2*time.Second)) {
		select {
		case <-last:
			return
		default:
			x.shortLived.RLock()
			x.runShortLivedRoom(ctx, r)
			x.shortLived.RUnlock()
		}
	}
}

// runShortLivedRoom runs a room that expires with or without clients, is deleted, or
// is never started.
func (x *experiment) runShortLivedRoom(ctx context.Context, random *rand.Rand) {
	kind := []string{"expiring", "expiring", "expiring", "abandoned", "abandoned", "deleted", "deleted", "unstarted"}[random.IntN(8)]
	ttl := between(random, 6*time.Second, 25*time.Second)
	if kind == "deleted" {
		ttl = time.Minute
	}
	alive, cancel := context.WithCancel(ctx)
	defer cancel()
	r, err := x.createRoom(alive, kind, ttl, 2+random.IntN(x.o.Members))
	if r == nil {
		if ctx.Err() == nil {
			x.journal.violate("room", "not to be created: "+err.Error(), nil)
		}
		return
	}
	defer r.close(cancel)
	if err != nil {
		if ctx.Err() == nil && !r.mayHaveEnded(err) {
			r.violate("room", "not to be joined: "+err.Error(), nil)
		}
		return
	}
	x.setOpen(r, true)
	defer x.setOpen(r, false)
	switch kind {
	case "unstarted":
		r.awaitEnd(alive, r.requested.Add(lobby))
		x.expectNoKeys(r, r.requested.Add(lobby+10*time.Second))
		return
	case "deleted":
		r.start(alive)
		poll.Pause(alive, between(random, 2*time.Second, 20*time.Second))
		r.delete(alive)
		now := time.Now()
		r.awaitEnd(alive, now)
		x.expectNoKeys(r, now.Add(2*time.Second))
		return
	}
	r.start(alive)
	changing, stop := context.WithTimeout(alive, ttl/2)
	r.changeMembers(alive, changing)
	stop()
	deadline := r.awaitDeadline(alive)
	if deadline.IsZero() {
		return
	}
	if kind == "abandoned" {
		poll.Pause(alive, time.Until(deadline.Add(-between(random, 500*time.Millisecond, 4*time.Second))))
		for _, c := range r.remaining() {
			c.quit(random.IntN(2) == 0)
		}
	}
	poll.Pause(alive, time.Until(deadline.Add(100*time.Millisecond)))
	r.expectNotServed(alive)
	r.awaitEnd(alive, deadline)
	x.expectNoKeys(r, deadline.Add(2*time.Second))
}

// mayHaveEnded reports whether the end of the room explains an error of the API: it
// has expired, or was not started in time, or may have been lost.
func (r *room) mayHaveEnded(err error) bool {
	if r.mayHaveLost() {
		return true
	}
	deadline, _ := r.deadline()
	if deadline.IsZero() {
		deadline = r.requested.Add(lobby)
	}
	return hasCode(err, "room_not_found") && time.Now().After(deadline)
}

// start makes clients post, and sometimes starts the room before.
func (r *room) start(ctx context.Context) {
	if r.random.IntN(10) < 3 {
		var clock struct{ ExpiresAt string }
		if err := r.experiment.retry(ctx, r.random, "/startChat", r.admin.Credentials(), &clock); err == nil {
			if at, err := harness.Time(clock.ExpiresAt); err == nil {
				r.observeDeadline(at)
			}
		}
	}
	r.active.Store(true)
}

// awaitDeadline returns the deadline as soon as a client has received it; zero if all
// clients have gone before.
func (r *room) awaitDeadline(ctx context.Context) (deadline time.Time) {
	err := poll.Until(ctx, time.Minute, func(context.Context) error {
		if deadline, _ = r.deadline(); deadline.IsZero() && len(r.remaining()) > 0 {
			return errors.New("no client has received a deadline")
		}
		return nil
	})
	if err != nil && ctx.Err() == nil {
		r.violate("deadline", err.Error(), nil)
	}
	return deadline
}

// awaitEnd waits until all clients know that the room has ended.
func (r *room) awaitEnd(ctx context.Context, end time.Time) {
	// Long enough for clients that could not receive it at once.
	const limit = 25 * time.Second
	timeout := time.NewTimer(time.Until(end.Add(limit)))
	defer timeout.Stop()
	for _, c := range r.allClients() {
		c.mu.Lock()
		hasQuit := c.over == "quit"
		c.mu.Unlock()
		if hasQuit {
			continue
		}
		select {
		case <-c.Finished():
		case <-ctx.Done():
			return
		case <-timeout.C:
			// A deletion may have been lost with the node and the server that knew of it.
			if _, deleting := r.deadline(); deleting.IsZero() || !r.mayHaveLostSince(deleting) {
				r.violate("not-ended", fmt.Sprintf("%s does not know %s after the end of the room", c.UserID(), limit), c)
			}
			return
		}
	}
}

// expectNotServed checks that no node serves the room after its deadline.
func (r *room) expectNotServed(ctx context.Context) {
	for _, n := range r.experiment.nodes {
		var info struct{ ExpiresAt string }
		if err := r.experiment.call(ctx, n, "/roomInfo", harness.Fields{"roomId": r.id}, &info); err == nil && !r.mayHaveLost() {
			r.violate("served", fmt.Sprintf("%s serves the room after its deadline, and says that it expires at %s", n.name, info.ExpiresAt), nil)
		}
	}
}

// changeMembers adds and removes clients until ctx is done. They run until alive is.
func (r *room) changeMembers(alive, ctx context.Context) {
	for number := 0; poll.Pause(ctx, exponential(r.random, 6*time.Second)); number++ {
		remaining := r.remaining()
		action := 3
		if len(remaining) >= 4 {
			action = r.random.IntN(5)
		}
		var c *client
		if action < 3 {
			c = remaining[1+r.random.IntN(len(remaining)-1)] // not the admin
		}
		switch action {
		case 0, 1:
			r.remove(ctx, c, action == 1)
		case 2:
			c.quit(r.random.IntN(2) == 0)
		default:
			_ = r.join(alive, fmt.Sprint("late", number)) // if that fails, the room has fewer members
		}
	}
}
