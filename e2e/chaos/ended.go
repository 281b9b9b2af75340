package chaos

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"
)

// bury notes that nothing of a room may be left after a moment.
func (l *Lab) bury(ch *chat, gone time.Time) {
	if ch.forgives() {
		// What was lost with a server may have brought it back, until the deadline or
		// the end of the lobby.
		gone = gone.Add(lobby + time.Minute)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.graves = append(l.graves, grave{ch.id, ch.kind, gone})
}

// inspectGraves looks for keys of rooms that are gone.
func (l *Lab) inspectGraves(ctx context.Context) {
	client, err := l.topology.client(ctx)
	if err != nil {
		l.journal.note("graves cannot be inspected: %v", err)
		return
	}
	now := time.Now()
	l.mu.Lock()
	var due []grave
	l.graves = slices.DeleteFunc(l.graves, func(g grave) bool {
		isDue := now.After(g.gone)
		if isDue {
			due = append(due, g)
		}
		return isDue
	})
	l.mu.Unlock()
	for _, g := range due {
		for _, key := range roomKeys(l.topology, g.id) {
			if n, err := client.Exists(ctx, key).Result(); err == nil && n > 0 {
				expiry := client.PTTL(ctx, key).Val()
				l.journal.violate("keys", fmt.Sprintf("%s of a room (%s) that has ended is there %s after it must be gone; it expires in %s",
					key, g.kind, now.Sub(g.gone).Round(time.Millisecond), expiry), nil)
			}
		}
	}
	l.journal.count("rooms that ended", len(due))
}

// endAll deletes rooms, which everybody must be told at once: it is quiet.
func (l *Lab) endAll(ctx context.Context, chats []*chat) {
	const atOnce = 5 * time.Second
	var ending sync.WaitGroup
	for _, ch := range chats {
		// It ends when all clients have been told, or the time is up.
		ending.Go(func() {
			if err := ch.delete(ctx); err != nil && ctx.Err() == nil && !ch.unreachable(err) {
				ch.violate("room", "not to be deleted: "+err.Error(), nil)
			}
			err := until(ctx, atOnce+l.o.Tolerance, func(context.Context) error {
				for _, c := range ch.staying() {
					return fmt.Errorf("%s has not been told that the room is deleted", c.me.UserID)
				}
				return nil
			})
			if err != nil && ctx.Err() == nil {
				ch.violate("not-ended", err.Error(), nil)
			}
			l.bury(ch, time.Now())
		})
	}
	ending.Wait()
}

// buryAll looks for keys that are left when all rooms have ended.
func (l *Lab) buryAll(ctx context.Context) {
	var left map[string]struct{}
	begin := time.Now()
	err := until(ctx, lobby+2*time.Minute, func(ctx context.Context) error {
		keys, err := l.topology.keys(ctx)
		if err != nil {
			return err
		}
		left = keys
		for key := range keys {
			// These may stay for a while (docs/redis.md).
			if strings.HasPrefix(key, "room:lobby:") || strings.HasPrefix(key, "room:{lobby}:") || strings.HasPrefix(key, "room:node:") {
				delete(keys, key)
			}
		}
		if len(keys) > 0 {
			return fmt.Errorf("%d keys are left", len(keys))
		}
		return nil
	})
	if ctx.Err() != nil {
		return
	}
	if err != nil {
		l.journal.violate("keys", fmt.Sprintf("%v: %v", err, slices.Sorted(maps.Keys(left))), nil)
		return
	}
	l.inspectGraves(ctx)
	l.journal.note("no key is left of any room %s after the last has ended", time.Since(begin).Round(time.Millisecond))
}
