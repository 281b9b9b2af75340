package chaos

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// chat is a room with its clients, and what they have seen taken together.
type chat struct {
	lab     *Lab
	id      string
	kind    string
	admin   credentials
	asked   time.Time // before it was created
	dice    *dice
	talking atomic.Bool // clients say something

	running sync.WaitGroup // goroutines of the clients

	mu        sync.Mutex
	clients   []*client
	entries   map[entry]*entry
	places    map[place][]*entry   // what was seen under a number; one, but for lost messages
	texts     map[string]uint64    // where a text was seen, if nothing is ever lost
	deadlines []time.Time          // all that were told
	deleting  time.Time            // when it was first asked to be deleted
	conflicts []place              // numbers under which several messages were seen
	removed   map[string]time.Time // when somebody's removal was confirmed
}

// place is a number of a message.
type place struct {
	epoch string
	seq   uint64
}

// openRoom makes a room and lets members join it.
func (l *Lab) openRoom(ctx context.Context, kind string, ttl time.Duration, members int) (*chat, error) {
	ch := &chat{
		lab: l, kind: kind, asked: time.Now(), dice: newDice(l.o.Seed, l.people.Add(1)),
		entries: make(map[entry]*entry), places: make(map[place][]*entry), texts: make(map[string]uint64),
		removed: make(map[string]time.Time),
	}
	request := map[string]any{"roomName": kind, "username": "admin", "ttl": int(ttl.Seconds())}
	if err := l.insist(ctx, ch.dice, "/createRoom", request, &ch.admin); err != nil {
		return nil, err
	}
	ch.id = ch.admin.RoomID
	ch.add(ctx, ch.admin)
	for i := range members - 1 {
		if err := ch.invite(ctx, fmt.Sprint("m", i)); err != nil {
			return ch, err
		}
	}
	return ch, nil
}

// invite lets somebody join.
func (ch *chat) invite(ctx context.Context, name string) error {
	var who credentials
	err := ch.lab.insist(ctx, ch.dice, "/joinRoom", map[string]any{"roomId": ch.id, "username": name}, &who)
	if err != nil {
		return err
	}
	ch.add(ctx, who)
	return nil
}

func (ch *chat) add(ctx context.Context, who credentials) {
	c := &client{
		lab: ch.lab, chat: ch, me: who, dice: newDice(ch.lab.o.Seed, ch.lab.people.Add(1)), wake: make(chan struct{}, 1),
		record: record{acked: make(map[uint64]string), online: make(map[string]bool)},
	}
	c.start(ctx)
	ch.mu.Lock()
	defer ch.mu.Unlock()
	ch.clients = append(ch.clients, c)
}

func (ch *chat) everybody() []*client {
	ch.mu.Lock()
	defer ch.mu.Unlock()
	return slices.Clone(ch.clients)
}

// staying are those that have not quit, nor been removed, nor seen the end.
func (ch *chat) staying() []*client {
	return slices.DeleteFunc(ch.everybody(), func(c *client) bool { return c.isOver() })
}

// forgives reports whether what was acknowledged in the room may have been lost.
func (ch *chat) forgives() bool { return ch.forgivesSince(ch.asked) }

func (ch *chat) forgivesSince(at time.Time) bool {
	return !ch.lab.topology.lossless() && ch.lab.journal.mayHaveLost(at)
}

// intern notes what a client has seen under a number, and returns the one copy of
// it. It is called with the client's mu held.
func (ch *chat) intern(c *client, epoch string, e *entry) *entry {
	ch.mu.Lock()
	defer ch.mu.Unlock()
	ch.lab.journal.count("deliveries", 1)
	kept := ch.entries[*e]
	at := place{epoch, e.Seq}
	if kept != nil && slices.Contains(ch.places[at], kept) {
		return kept
	}
	if kept == nil {
		copied := *e
		kept = &copied
		ch.entries[*e] = kept
		ch.lab.journal.count("messages", 1)
		ch.check(c, kept)
	}
	if ch.places[at] = append(ch.places[at], kept); len(ch.places[at]) > 1 {
		ch.conflicts = append(ch.conflicts, at)
		if ch.lab.topology.lossless() {
			c.complainLocked("conflict", "message %d of %s is %q here and %q elsewhere", e.Seq, epoch, kept.Message, ch.places[at][0].Message)
		}
	}
	return kept
}

// check looks at a message that nobody has seen before. The caller holds mu.
func (ch *chat) check(c *client, e *entry) {
	var room, sender string
	var number uint64
	var said int64
	if n, _ := fmt.Sscan(e.Message, &room, &sender, &number, &said); n != 4 || room != ch.id || sender != e.UserID || number != e.ID {
		c.complainLocked("foreign", "message %d, of %s with id %d, is %q", e.Seq, e.UserID, e.ID, e.Message)
	}
	if removed, ok := ch.removed[e.UserID]; ok && said > removed.UnixNano() && !ch.forgivesSince(removed) {
		c.complainLocked("removed", "message %d was said by %s %s after the removal was confirmed", e.Seq, e.UserID,
			time.Duration(said-removed.UnixNano()))
	}
	if !ch.lab.topology.lossless() {
		return
	}
	if other, ok := ch.texts[e.Message]; ok && other != e.Seq {
		c.complainLocked("doubled", "message %d was stored before as %d: %s", e.Seq, other, e.Message)
	}
	ch.texts[e.Message] = e.Seq
}

// toldDeadline notes a deadline that somebody was told, and returns all of them.
func (ch *chat) toldDeadline(at time.Time) []time.Time {
	ch.mu.Lock()
	defer ch.mu.Unlock()
	if !slices.ContainsFunc(ch.deadlines, at.Equal) {
		ch.deadlines = append(ch.deadlines, at)
		slices.SortFunc(ch.deadlines, time.Time.Compare)
	}
	return slices.Clone(ch.deadlines)
}

// deadline is the earliest that was told; zero if none was.
func (ch *chat) deadline() time.Time {
	ch.mu.Lock()
	defer ch.mu.Unlock()
	if len(ch.deadlines) == 0 {
		return time.Time{}
	}
	return ch.deadlines[0]
}

// ended checks the end that a client is told. It is called with the client's mu
// held.
func (ch *chat) ended(c *client, reason string, now time.Time) {
	deadline := ch.deadline()
	ch.mu.Lock()
	deleting := ch.deleting
	ch.mu.Unlock()
	switch {
	case reason == "deleted":
		if deleting.IsZero() && !ch.forgives() {
			c.complainLocked("end", "told deleted, though nobody has deleted the room")
		}
	case reason != "expired":
		c.complainLocked("end", "told ended for %q", reason)
	case deadline.IsZero():
		if now.Before(ch.asked.Add(lobby)) {
			c.complainLocked("early", "told expired %s after it was created; lobby is %s", now.Sub(ch.asked), lobby)
		}
	case now.Before(deadline):
		c.complainLocked("early", "told expired %s before the deadline", deadline.Sub(now))
	case deleting.IsZero() && c.toldDeadline && c.opened.Before(deadline.Add(-2*time.Second)) && !ch.lab.disturbed(c, deadline, now):
		late := now.Sub(deadline)
		ch.lab.journal.lateness(late)
		if late > lateAfter+ch.lab.o.Tolerance {
			c.complainLocked("late", "told expired %s after the deadline", late)
		}
	}
}

// violate notes a violation with all that is known of the room. The caller holds
// no client's mu.
func (ch *chat) violate(kind, what string, first *client) {
	ch.mu.Lock()
	context := []string{fmt.Sprintf("room %s (%s) asked for at %.3f, deadlines %v, deletion asked for at %v, conflicts %v",
		ch.id, ch.kind, ch.asked.Sub(ch.lab.journal.start).Seconds(), ch.deadlines, ch.deleting, ch.conflicts)}
	ch.mu.Unlock()
	if first != nil {
		context = append(context, first.state(ch.lab.journal.start)...)
	}
	for i, c := range ch.everybody() {
		if c != first && i < 12 {
			context = append(context, c.state(ch.lab.journal.start)...)
		}
	}
	ch.lab.journal.violate(kind, fmt.Sprintf("room %s (%s): %s", ch.id, ch.kind, what), context)
}

// delete deletes the room, by its admin.
func (ch *chat) delete(ctx context.Context) error {
	ch.mu.Lock()
	ch.deleting = time.Now()
	ch.mu.Unlock()
	err := ch.lab.insist(ctx, ch.dice, "/deleteRoom", ch.admin, nil)
	if isRefusal(err, "room_not_found") {
		return nil // it was deleted by a call whose answer was lost, or has expired
	}
	return err
}

// remove removes a member, by the admin or by itself.
func (ch *chat) remove(ctx context.Context, c *client, byItself bool) {
	c.mu.Lock()
	c.removal = time.Now()
	c.trace("is being removed", 0, 0, "")
	c.mu.Unlock()
	endpoint, body := "/removeMember", any(struct {
		credentials
		MemberID string `json:"memberId"`
	}{ch.admin, c.me.UserID})
	if byItself {
		endpoint, body = "/leaveRoom", c.me
	}
	err := ch.lab.insist(ctx, ch.dice, endpoint, body, nil)
	done := err == nil || isRefusal(err, "member_not_found") || byItself && isRefusal(err, "invalid_session")
	if !done {
		return // the room has ended, or the laboratory
	}
	now := time.Now()
	c.mu.Lock()
	c.removed = now
	c.trace("has been removed", 0, 0, "")
	c.mu.Unlock()
	ch.mu.Lock()
	defer ch.mu.Unlock()
	ch.removed[c.me.UserID] = now
}

// close ends all clients and waits for them.
func (ch *chat) close(cancel context.CancelFunc) {
	cancel()
	ch.running.Wait()
	for _, c := range ch.everybody() {
		c.report()
	}
}
