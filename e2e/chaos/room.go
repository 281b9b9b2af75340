package chaos

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/ephemeralchat/caddy-ephemeral-chat/e2e/harness"
)

// room is a room with its clients, and the union of their histories.
type room struct {
	experiment *experiment
	id         string
	kind       string
	admin      harness.Member
	requested  time.Time // before it was created
	random     *rand.Rand
	active     atomic.Bool    // clients post
	running    sync.WaitGroup // goroutines that post

	mu        sync.Mutex
	clients   []*client
	entries   map[harness.Entry]*harness.Entry
	positions map[position][]*harness.Entry // entries observed at a position: one, unless messages were lost
	texts     map[string]uint64             // sequence number of each text, if the topology is lossless
	deadlines []time.Time                   // all that clients received
	deleting  time.Time                     // when its deletion was first requested
	conflicts []position                    // with several entries
	removed   map[string]time.Time          // when each removal was confirmed
}

// position is the place of a message in the room's sequence.
type position struct {
	epoch string
	seq   uint64
}

// createRoom creates a room with a number of members. It returns the room also if
// some of them cannot join.
func (x *experiment) createRoom(ctx context.Context, kind string, ttl time.Duration, members int) (*room, error) {
	r := &room{
		experiment: x, kind: kind, requested: time.Now(), random: x.newRandom(),
		entries: make(map[harness.Entry]*harness.Entry), positions: make(map[position][]*harness.Entry), texts: make(map[string]uint64),
		removed: make(map[string]time.Time),
	}
	request := harness.Fields{"roomName": kind, "username": "admin", "ttl": int(ttl.Seconds())}
	if err := x.retry(ctx, r.random, "/createRoom", request, &r.admin); err != nil {
		return nil, err
	}
	r.id = r.admin.RoomID
	r.startClient(ctx, &r.admin)
	for i := range members - 1 {
		if err := r.join(ctx, fmt.Sprint("m", i)); err != nil {
			return r, err
		}
	}
	return r, nil
}

// join adds a member.
func (r *room) join(ctx context.Context, name string) error {
	var member harness.Member
	err := r.experiment.retry(ctx, r.random, "/joinRoom", harness.Fields{"roomId": r.id, "username": name}, &member)
	if err == nil {
		r.startClient(ctx, &member)
	}
	return err
}

func (r *room) allClients() []*client {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.clients)
}

// remaining returns the clients that have not quit, were not removed and have not
// seen the room's end.
func (r *room) remaining() []*client {
	return slices.DeleteFunc(r.allClients(), (*client).isOver)
}

// mayHaveLost reports whether acknowledged writes to the room may have been lost.
func (r *room) mayHaveLost() bool { return r.mayHaveLostSince(r.requested) }

func (r *room) mayHaveLostSince(at time.Time) bool {
	return !r.experiment.topology.lossless && r.experiment.journal.mayHaveLost(at)
}

// observe records an entry that a client received, and returns the shared copy of
// it. The caller holds the client's mu.
func (r *room) observe(c *client, epoch string, e *harness.Entry) *harness.Entry {
	r.mu.Lock()
	defer r.mu.Unlock()
	journal := r.experiment.journal
	journal.count("deliveries", 1)
	kept := r.entries[*e]
	if kept == nil {
		copied := *e
		kept = &copied
		r.entries[*e] = kept
		journal.count("messages", 1)
		r.checkEntry(c, kept)
	}
	at := position{epoch, e.Seq}
	if slices.Contains(r.positions[at], kept) {
		return kept
	}
	r.positions[at] = append(r.positions[at], kept)
	if all := r.positions[at]; len(all) > 1 {
		r.conflicts = append(r.conflicts, at)
		if r.experiment.topology.lossless {
			c.violateLocked("conflict", "message %d of %s is %q here and %q elsewhere", e.Seq, epoch, kept.Message, all[0].Message)
		}
	}
	return kept
}

// checkEntry checks an entry that no client has received before. The caller holds
// mu.
func (r *room) checkEntry(c *client, e *harness.Entry) {
	var room, sender string
	var id uint64
	var posted int64
	if n, _ := fmt.Sscan(e.Message, &room, &sender, &id, &posted); n != 4 || room != r.id || sender != e.UserID || id != e.ID {
		c.violateLocked("foreign", "message %d, of %s with id %d, is %q", e.Seq, e.UserID, e.ID, e.Message)
	}
	if removed, ok := r.removed[e.UserID]; ok && posted > removed.UnixNano() && !r.mayHaveLostSince(removed) {
		c.violateLocked("removed", "message %d was posted by %s %s after the removal was confirmed", e.Seq, e.UserID,
			time.Duration(posted-removed.UnixNano()))
	}
	if !r.experiment.topology.lossless {
		return
	}
	if other, ok := r.texts[e.Message]; ok && other != e.Seq {
		c.violateLocked("doubled", "message %d was stored before as %d: %s", e.Seq, other, e.Message)
	}
	r.texts[e.Message] = e.Seq
}

// observeDeadline records a deadline that a client received, and returns all of
// them, the earliest first.
func (r *room) observeDeadline(at time.Time) []time.Time {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !slices.ContainsFunc(r.deadlines, at.Equal) {
		r.deadlines = append(r.deadlines, at)
		slices.SortFunc(r.deadlines, time.Time.Compare)
	}
	return slices.Clone(r.deadlines)
}

// deadline returns the earliest that a client received, zero if none did, and when
// the room's deletion was requested.
func (r *room) deadline() (deadline, deleting time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.deadlines) > 0 {
		deadline = r.deadlines[0]
	}
	return deadline, r.deleting
}

// ended checks the end that a client received. The caller holds the client's mu.
func (r *room) ended(c *client, reason string, now time.Time) {
	deadline, deleting := r.deadline()
	x := r.experiment
	// The client could receive the end in time.
	reachable := func() bool {
		from := deadline.Add(-readTimeout)
		return c.knowsDeadline && c.opened.Before(deadline.Add(-2*time.Second)) && !c.stalled.After(from) &&
			!x.journal.disturbed(from, now, clientsOf(c.node), nodeNamed(c.node))
	}
	switch {
	case reason == "deleted":
		if deleting.IsZero() && !r.mayHaveLost() {
			c.violateLocked("end", "received deleted, without a deletion")
		}
	case reason != "expired":
		c.violateLocked("end", "received ended for %q", reason)
	case deadline.IsZero():
		if now.Before(r.requested.Add(lobby)) {
			c.violateLocked("early", "received expired %s after the creation; lobby is %s", now.Sub(r.requested), lobby)
		}
	case now.Before(deadline):
		c.violateLocked("early", "received expired %s before the deadline", deadline.Sub(now))
	case deleting.IsZero() && reachable():
		late := now.Sub(deadline)
		x.journal.ended(late)
		if late > maxLateness+x.o.Tolerance {
			c.violateLocked("late", "received expired %s after the deadline", late)
		}
	}
}

// violate records a violation with the histories of the room's clients, that of
// first first. The caller holds the mu of no client.
func (r *room) violate(kind, what string, first *client) {
	journal := r.experiment.journal
	r.mu.Lock()
	context := []string{fmt.Sprintf("room %s (%s) requested at %.3f, deadlines %v, deletion requested at %v, conflicts %v",
		r.id, r.kind, journal.since(r.requested), r.deadlines, r.deleting, r.conflicts)}
	r.mu.Unlock()
	if first != nil {
		context = append(context, first.state()...)
	}
	for i, c := range r.allClients() {
		if c != first && i < 12 {
			context = append(context, c.state()...)
		}
	}
	journal.violate(kind, fmt.Sprintf("room %s (%s): %s", r.id, r.kind, what), context)
}

// delete deletes the room.
func (r *room) delete(ctx context.Context) {
	r.mu.Lock()
	r.deleting = time.Now()
	r.mu.Unlock()
	err := r.experiment.retry(ctx, r.random, "/deleteRoom", r.admin.Credentials(), nil)
	// A call whose response was lost may have deleted it, or it has expired.
	if err != nil && !hasCode(err, "room_not_found") && ctx.Err() == nil && !r.mayHaveEnded(err) {
		r.violate("room", "not to be deleted: "+err.Error(), nil)
	}
}

// remove removes a member, by the admin or by itself.
func (r *room) remove(ctx context.Context, c *client, byItself bool) {
	c.mu.Lock()
	c.removing = time.Now()
	c.trace("is being removed")
	c.mu.Unlock()
	endpoint, body := "/removeMember", r.admin.Credentials("memberId", c.UserID())
	if byItself {
		endpoint, body = "/leaveRoom", c.member.Credentials()
	}
	err := r.experiment.retry(ctx, r.random, endpoint, body, nil)
	wasRemoved := hasCode(err, "member_not_found") || byItself && hasCode(err, "invalid_session")
	if err != nil && !wasRemoved {
		return // the room or the experiment has ended
	}
	now := time.Now()
	c.mu.Lock()
	c.removed = now
	c.trace("has been removed")
	c.mu.Unlock()
	r.mu.Lock()
	defer r.mu.Unlock()
	r.removed[c.UserID()] = now
}

// close ends all clients and waits for them.
func (r *room) close(cancel context.CancelFunc) {
	cancel()
	r.running.Wait()
	for _, c := range r.allClients() {
		<-c.Finished()
	}
}
