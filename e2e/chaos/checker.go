package chaos

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/ephemeralchat/caddy-ephemeral-chat/redisstore/redistest/poll"

	"github.com/ephemeralchat/caddy-ephemeral-chat/e2e/harness"
)

const (
	// convergeTimeout bounds the time from the last fault until all clients are
	// connected and agree.
	convergeTimeout = 20 * time.Second
	// maxLateness bounds the time from a room's deadline until clients receive its end.
	maxLateness = 2 * time.Second
)

// checkConvergence waits until the clients of quiet rooms agree, and compares their
// histories with Redis.
func (x *experiment) checkConvergence(ctx context.Context, rooms []*room) {
	for _, r := range rooms {
		r.active.Store(false)
		for _, c := range r.allClients() {
			c.mu.Lock()
			c.away, c.stalled = time.Time{}, time.Time{}
			c.mu.Unlock()
		}
	}
	begin := time.Now()
	var checking sync.WaitGroup
	var mu sync.Mutex
	var last string // condition that took longest; guarded by mu, as longest
	var longest time.Duration
	for _, r := range rooms {
		// Ends when all clients agree, or the time is up.
		checking.Go(func() {
			var kind, pending, before string
			err := poll.Until(ctx, convergeTimeout+x.o.Tolerance, func(context.Context) error {
				if kind, pending = r.pending(); kind != "" {
					before = pending
					return errors.New(pending)
				}
				return nil
			})
			switch {
			case ctx.Err() != nil:
				return
			case err != nil:
				r.violate(kind, fmt.Sprintf("in quiet, %v; in Redis: %s", err, r.onlineInRedis(ctx)), nil)
				return
			}
			took := time.Since(begin)
			mu.Lock()
			if took > longest {
				last, longest = before, took
			}
			mu.Unlock()
			x.mu.Lock()
			x.converged = append(x.converged, took)
			x.mu.Unlock()
			if err := r.compareWithRedis(ctx); err != nil && ctx.Err() == nil {
				r.violate("redis", err.Error(), nil)
			}
		})
	}
	checking.Wait()
	x.journal.log("all clients agree after %s; until then: %s", longest.Round(time.Millisecond), last)
}

// pending returns a condition that a quiet room does not fulfill yet; "" if it
// fulfills all.
func (r *room) pending() (kind, what string) {
	remaining := r.remaining()
	var users []string
	for _, c := range remaining {
		users = append(users, c.UserID())
	}
	slices.Sort(users)
	var first position
	for i, c := range remaining {
		c.mu.Lock()
		connected, unstored, online, at := c.Connected(), c.Pending(), slices.Sorted(maps.Keys(c.online)), position{c.epoch, c.after}
		c.mu.Unlock()
		if i == 0 {
			first = at
		}
		switch {
		case !connected:
			return "return", c.UserID() + " is not connected"
		case unstored > 0:
			return "outbox", fmt.Sprintf("%s has not seen %d of its messages stored", c.UserID(), unstored)
		case at != first:
			return "delivery", fmt.Sprintf("%s is at %v, %s at %v", c.UserID(), at, remaining[0].UserID(), first)
		case !slices.Equal(online, users):
			return "presence", fmt.Sprintf("%s takes %v to be online instead of %v", c.UserID(), online, users)
		}
	}
	return "", ""
}

// onlineInRedis describes the online users as Redis stores them, with the lease of
// the node of each.
func (r *room) onlineInRedis(ctx context.Context) string {
	client, err := r.experiment.topology.reader(ctx)
	if err != nil {
		return err.Error()
	}
	fields, err := client.HKeys(ctx, r.experiment.topology.roomKeys(r.id)[2]).Result()
	if err != nil {
		return err.Error()
	}
	slices.Sort(fields)
	var text strings.Builder
	for _, field := range fields {
		node, _, _ := strings.Cut(field, ":")
		lease, err := client.PTTL(ctx, "room:node:"+node).Result()
		fmt.Fprintf(&text, "%s (lease %s, %v) ", field, lease, err)
	}
	return text.String()
}

// storedRoom is a room as Redis stores it.
type storedRoom struct {
	epoch    string
	seq      uint64
	deadline int64 // ms; -1 if there is none
	entries  []harness.Entry
	expiry   map[string]int64 // of each key that exists, in ms; -1 if it has none
}

// stored reads the room by the names that docs/redis.md gives.
func (r *room) stored(ctx context.Context) (*storedRoom, error) {
	client, err := r.experiment.topology.reader(ctx)
	if err != nil {
		return nil, err
	}
	keys := r.experiment.topology.roomKeys(r.id)
	fields, err := client.HGetAll(ctx, keys[0]).Result()
	if err != nil {
		return nil, err
	}
	s := &storedRoom{epoch: fields["epoch"], deadline: -1, expiry: make(map[string]int64)}
	s.seq, _ = strconv.ParseUint(fields["seq"], 10, 64) // 0 if it does not exist
	if at, err := strconv.ParseInt(fields["deadline"], 10, 64); err == nil && at != 0 {
		s.deadline = at
	}
	list, err := client.LRange(ctx, keys[1], 0, -1).Result()
	if err != nil {
		return nil, err
	}
	for _, text := range list {
		var e harness.Entry
		if err := json.Unmarshal([]byte(text), &e); err != nil {
			return nil, err
		}
		s.entries = append(s.entries, e)
	}
	for _, key := range keys {
		at, err := client.Do(ctx, "PEXPIRETIME", key).Int64()
		if err != nil {
			return nil, err
		}
		if at != -2 { // it does not exist
			s.expiry[key] = at
		}
	}
	return s, nil
}

// compareWithRedis compares the histories of the clients with Redis. The room is
// quiet.
func (r *room) compareWithRedis(ctx context.Context) error {
	s, err := r.stored(ctx)
	if err != nil {
		return err
	}
	for i, e := range s.entries {
		if want := s.seq - uint64(len(s.entries)-1-i); e.Seq != want {
			return fmt.Errorf("entry %d of the list has number %d instead of %d", i, e.Seq, want)
		}
	}
	for key, at := range s.expiry {
		if at != s.deadline {
			r.violate("expiry", fmt.Sprintf("%s expires at %d, the room at %d", key, at, s.deadline), nil)
		}
	}
	if deadline, _ := r.deadline(); s.deadline > 0 && (deadline.IsZero() || deadline.UnixMilli() != s.deadline) {
		r.violate("deadline", fmt.Sprintf("clients received %v, Redis stores %v", deadline, time.UnixMilli(s.deadline)), nil)
	}
	r.checkOrder(s)
	r.mu.Lock()
	conflicts := slices.DeleteFunc(slices.Clone(r.conflicts), func(p position) bool { return p.epoch != s.epoch })
	r.mu.Unlock()
	for _, p := range conflicts {
		r.violate("conflict", fmt.Sprintf("two messages have number %d in the last epoch", p.seq), nil)
	}
	for _, c := range r.allClients() {
		if kind, what := c.compare(s); kind != "" {
			r.violate(kind, c.UserID()+": "+what, c)
		}
	}
	return nil
}

// checkOrder checks that each message is stored once, in the order of its sender.
func (r *room) checkOrder(s *storedRoom) {
	highest := make(map[string]uint64)
	texts := make(map[string]uint64)
	for i := range s.entries {
		e := &s.entries[i]
		if other, ok := texts[e.Message]; ok {
			r.violate("doubled", fmt.Sprintf("messages %d and %d are the same: %s", other, e.Seq, e.Message), nil)
		}
		texts[e.Message] = e.Seq
		if e.ID <= highest[e.Session] {
			r.violate("order", fmt.Sprintf("message %d has id %d, after %d of the same session", e.Seq, e.ID, highest[e.Session]), nil)
		}
		highest[e.Session] = e.ID
	}
}

// compare returns a difference between Redis and the client's view, or the
// acknowledgements that it received.
func (c *client) compare(s *storedRoom) (kind, what string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	stored := make(map[uint64]bool)
	for i := range s.entries {
		if s.entries[i].Session == c.session {
			stored[s.entries[i].ID] = true
		}
	}
	for id, epoch := range c.acked {
		if !stored[id] && (epoch == s.epoch || c.experiment.topology.lossless) {
			return "lost", fmt.Sprintf("message with id %d was acknowledged in epoch %s and is not stored", id, epoch)
		}
	}
	if c.over != "" {
		return "", ""
	}
	if c.epoch != s.epoch || c.after != s.seq {
		return "delivery", fmt.Sprintf("is at %d of %s, Redis at %d of %s", c.after, c.epoch, s.seq, s.epoch)
	}
	first := s.seq - uint64(len(s.entries)) + 1
	for _, e := range c.view {
		if e.Seq >= first && *e != s.entries[e.Seq-first] {
			return "view", fmt.Sprintf("shows %q as message %d, which is %q", e.Message, e.Seq, s.entries[e.Seq-first].Message)
		}
	}
	return "", ""
}
