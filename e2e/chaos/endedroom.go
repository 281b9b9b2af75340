package chaos

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/ephemeralchat/caddy-ephemeral-chat/redisstore/redistest/poll"
)

// endedRoom is a room that must leave no keys.
type endedRoom struct {
	id, kind string
	deadline time.Time // of its last key
}

// expectNoKeys notes that no key of a room may exist after a deadline.
func (x *experiment) expectNoKeys(r *room, deadline time.Time) {
	if r.mayHaveLost() {
		// A write that was lost may have restored the room, until its deadline or the end
		// of its lobby.
		deadline = deadline.Add(lobby + time.Minute)
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	x.ended = append(x.ended, endedRoom{r.id, r.kind, deadline})
}

// checkEndedRooms checks the rooms that must have no keys by now.
func (x *experiment) checkEndedRooms(ctx context.Context) {
	client, err := x.topology.reader(ctx)
	if err != nil {
		x.journal.log("ended rooms cannot be checked: %v", err)
		return
	}
	now := time.Now()
	var due []endedRoom
	x.mu.Lock()
	x.ended = slices.DeleteFunc(x.ended, func(e endedRoom) bool {
		isDue := now.After(e.deadline)
		if isDue {
			due = append(due, e)
		}
		return isDue
	})
	x.mu.Unlock()
	for _, e := range due {
		for _, key := range x.topology.roomKeys(e.id) {
			if n, err := client.Exists(ctx, key).Result(); err == nil && n > 0 {
				x.journal.violate("keys", fmt.Sprintf("%s of a room (%s) that has ended exists %s after its deadline; it expires in %s",
					key, e.kind, now.Sub(e.deadline).Round(time.Millisecond), client.PTTL(ctx, key).Val()), nil)
			}
		}
	}
	x.journal.count("rooms that ended", len(due))
}

// deleteAll deletes rooms in quiet, such that all clients must learn it at once.
func (x *experiment) deleteAll(ctx context.Context, rooms []*room) {
	const atOnce = 5 * time.Second
	var deleting sync.WaitGroup
	for _, r := range rooms {
		// Ends when all clients know of it, or the time is up.
		deleting.Go(func() {
			r.delete(ctx)
			err := poll.Until(ctx, atOnce+x.o.Tolerance, func(context.Context) error {
				for _, c := range r.remaining() {
					return fmt.Errorf("%s does not know that the room is deleted", c.UserID())
				}
				return nil
			})
			if err != nil && ctx.Err() == nil {
				r.violate("not-ended", err.Error(), nil)
			}
			x.expectNoKeys(r, time.Now())
		})
	}
	deleting.Wait()
}

// checkNoKeysLeft checks that no key of any room is left when all have ended.
func (x *experiment) checkNoKeysLeft(ctx context.Context) {
	var left map[string]struct{}
	begin := time.Now()
	err := poll.Until(ctx, lobby+2*time.Minute, func(ctx context.Context) (err error) {
		if left, err = x.topology.keys(ctx); err != nil {
			return err
		}
		// These may stay for a while (docs/redis.md).
		maps.DeleteFunc(left, func(key string, _ struct{}) bool {
			return strings.HasPrefix(key, "room:lobby:") || strings.HasPrefix(key, "room:{lobby}:") || strings.HasPrefix(key, "room:node:")
		})
		if len(left) > 0 {
			return fmt.Errorf("%d keys are left", len(left))
		}
		return nil
	})
	switch {
	case ctx.Err() != nil:
	case err != nil:
		x.journal.violate("keys", fmt.Sprintf("%v: %v", err, slices.Sorted(maps.Keys(left))), nil)
	default:
		x.checkEndedRooms(ctx)
		x.journal.log("no key of any room is left %s after the end of the last", time.Since(begin).Round(time.Millisecond))
	}
}
