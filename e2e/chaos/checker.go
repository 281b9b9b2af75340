package chaos

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// settle waits until everything is right in rooms that are quiet, and compares what
// their clients show with what Redis has.
func (l *Lab) settle(ctx context.Context, chats []*chat) {
	for _, ch := range chats {
		ch.talking.Store(false)
		for _, c := range ch.everybody() {
			c.mu.Lock()
			c.away, c.stalled = time.Time{}, time.Time{}
			c.mu.Unlock()
		}
	}
	begin := time.Now()
	var settling sync.WaitGroup
	var mu sync.Mutex
	last, lastTook := "", time.Duration(0) // what took longest to be right; guarded by mu
	for _, ch := range chats {
		// It ends when all is right, or the time is up.
		settling.Go(func() {
			var kind, what, before string
			err := until(ctx, quietTime+l.o.Tolerance, func(context.Context) error {
				if kind, what = ch.wrong(); kind != "" {
					before = what
					return fmt.Errorf("%s", what)
				}
				return nil
			})
			switch {
			case ctx.Err() != nil:
			case err != nil:
				ch.violate(kind, fmt.Sprintf("in quiet, %v; in Redis: %s", err, ch.crowd(ctx)), nil)
			default:
				took := time.Since(begin)
				mu.Lock()
				if took > lastTook {
					last, lastTook = before, took
				}
				mu.Unlock()
				l.mu.Lock()
				l.settled = append(l.settled, took)
				l.mu.Unlock()
				if err := ch.compare(ctx); err != nil && ctx.Err() == nil {
					ch.violate("truth", err.Error(), nil)
				}
			}
		})
	}
	settling.Wait()
	l.journal.note("all is right after %s; until then: %s", lastTook.Round(time.Millisecond), last)
}

// wrong returns what is not yet as it should be in a room that is quiet; "" if
// nothing.
func (ch *chat) wrong() (kind, what string) {
	staying := ch.staying()
	users := make([]string, 0, len(staying))
	for _, c := range staying {
		users = append(users, c.me.UserID)
	}
	slices.Sort(users)
	var epoch string
	var after uint64
	for i, c := range staying {
		c.mu.Lock()
		present, unsettled, online := c.present, len(c.outbox), slices.Sorted(maps.Keys(c.online))
		if i == 0 {
			epoch, after = c.epoch, c.after
		}
		same := c.epoch == epoch && c.after == after
		c.mu.Unlock()
		switch {
		case !present:
			return "return", c.me.UserID + " is not connected"
		case unsettled > 0:
			return "outbox", fmt.Sprintf("%s has not seen %d of its messages stored", c.me.UserID, unsettled)
		case !same:
			return "delivery", fmt.Sprintf("%s and %s are not equally far", c.me.UserID, staying[0].me.UserID)
		case !slices.Equal(online, users):
			return "presence", fmt.Sprintf("%s takes %v to be online instead of %v", c.me.UserID, online, users)
		}
	}
	return "", ""
}

// crowd tells who is online by Redis, through which node, and which of these nodes
// are alive.
func (ch *chat) crowd(ctx context.Context) string {
	client, err := ch.lab.topology.client(ctx)
	if err != nil {
		return err.Error()
	}
	fields, err := client.HKeys(ctx, roomKeys(ch.lab.topology, ch.id)[3]).Result()
	if err != nil {
		return err.Error()
	}
	slices.Sort(fields)
	var text strings.Builder
	for _, field := range fields {
		node, _, _ := strings.Cut(field, ":")
		life, err := client.PTTL(ctx, "room:node:"+node).Result()
		fmt.Fprintf(&text, "%s (life %s, %v) ", field, life, err)
	}
	return text.String()
}

// truth is a room as Redis has it.
type truth struct {
	epoch    string
	seq      uint64
	deadline int64 // ms; 0 if there is none
	entries  []entry
	expiry   map[string]int64 // by key that exists: ms, -1 if it has none
}

// truth reads the room, by the names that docs/redis.md gives.
func (ch *chat) truth(ctx context.Context) (*truth, error) {
	client, err := ch.lab.topology.client(ctx)
	if err != nil {
		return nil, err
	}
	keys := roomKeys(ch.lab.topology, ch.id)
	fields, err := client.HGetAll(ctx, keys[0]).Result()
	if err != nil {
		return nil, err
	}
	t := &truth{epoch: fields["epoch"], expiry: make(map[string]int64)}
	t.seq, _ = strconv.ParseUint(fields["seq"], 10, 64)          // 0 if it is not there
	t.deadline, _ = strconv.ParseInt(fields["deadline"], 10, 64) // likewise
	list, err := client.LRange(ctx, keys[1], 0, -1).Result()
	if err != nil {
		return nil, err
	}
	for _, text := range list {
		var e entry
		if err := json.Unmarshal([]byte(text), &e); err != nil {
			return nil, err
		}
		t.entries = append(t.entries, e)
	}
	for _, key := range keys {
		at, err := client.Do(ctx, "PEXPIRETIME", key).Int64()
		if err != nil {
			return nil, err
		}
		if at != -2 { // no such key
			t.expiry[key] = at
		}
	}
	return t, nil
}

// compare compares what clients were told with what Redis has, in a room in which
// nothing happens.
func (ch *chat) compare(ctx context.Context) error {
	t, err := ch.truth(ctx)
	if err != nil {
		return err
	}
	for i, e := range t.entries {
		if want := t.seq - uint64(len(t.entries)-1-i); e.Seq != want {
			return fmt.Errorf("entry %d of the list has number %d instead of %d", i, e.Seq, want)
		}
	}
	for key, at := range t.expiry {
		want := t.deadline
		if want == 0 {
			want = -1 // no expiry
		}
		if at != want {
			ch.violate("expiry", fmt.Sprintf("%s expires at %d, the room at %d", key, at, t.deadline), nil)
		}
	}
	if told := ch.deadline(); t.deadline != 0 && (told.IsZero() || told.UnixMilli() != t.deadline) {
		ch.violate("deadline", fmt.Sprintf("told was %v, in Redis is %v", told, time.UnixMilli(t.deadline)), nil)
	}
	ch.compareOnce(t)
	ch.mu.Lock()
	conflicts := slices.DeleteFunc(slices.Clone(ch.conflicts), func(p place) bool { return p.epoch != t.epoch })
	ch.mu.Unlock()
	for _, p := range conflicts {
		ch.violate("conflict", fmt.Sprintf("two messages have number %d in the last epoch", p.seq), nil)
	}
	for _, c := range ch.everybody() {
		if kind, what := c.compare(t); kind != "" {
			ch.violate(kind, c.me.UserID+": "+what, c)
		}
	}
	return nil
}

// compareOnce looks for messages that are stored twice, or not in the order of
// their sender.
func (ch *chat) compareOnce(t *truth) {
	highest := make(map[string]uint64)
	texts := make(map[string]uint64)
	for i := range t.entries {
		e := &t.entries[i]
		if other, ok := texts[e.Message]; ok {
			ch.violate("doubled", fmt.Sprintf("messages %d and %d are the same: %s", other, e.Seq, e.Message), nil)
		}
		texts[e.Message] = e.Seq
		if e.ID <= highest[e.Session] {
			ch.violate("order", fmt.Sprintf("message %d has id %d, after %d of the same session", e.Seq, e.ID, highest[e.Session]), nil)
		}
		highest[e.Session] = e.ID
	}
}

// compare returns what is wrong with what the client shows, or was promised.
func (c *client) compare(t *truth) (kind, what string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	stored := make(map[uint64]bool)
	first := t.seq - uint64(len(t.entries)) + 1
	for i := range t.entries {
		if t.entries[i].Session == c.tag {
			stored[t.entries[i].ID] = true
		}
	}
	for id, epoch := range c.acked {
		if !stored[id] && (epoch == t.epoch || c.lab.topology.lossless()) {
			return "lost", fmt.Sprintf("message with id %d was acknowledged in epoch %s and is not there", id, epoch)
		}
	}
	if c.over != "" {
		return "", ""
	}
	if c.epoch != t.epoch || c.after != t.seq {
		return "delivery", fmt.Sprintf("is at %d of %s, Redis at %d of %s", c.after, c.epoch, t.seq, t.epoch)
	}
	for _, e := range c.view {
		if e.Seq >= first && *e != t.entries[e.Seq-first] {
			return "view", fmt.Sprintf("shows %q as message %d, which is %q", e.Message, e.Seq, t.entries[e.Seq-first].Message)
		}
	}
	return "", ""
}
