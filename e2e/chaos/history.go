package chaos

import (
	"fmt"
	"maps"
	"slices"
	"time"
)

// record is what one client has been told. The client's mu guards it.
type record struct {
	opened time.Time // when the connection of the moment was
	tag    string    // of the session
	known  bool      // there was a welcome
	epoch  string
	after  uint64
	view   []*entry // what the client shows, ascending, without holes
	acked  map[uint64]string
	online map[string]bool

	toldDeadline bool      // on the connection of the moment,
	removal      time.Time // when somebody asked to remove this client; zero if nobody did
	removed      time.Time // when that was confirmed
	over         string    // why it does not come back; "" if it does

	complaints []complaint
	traces     []traced // the newest, oldest first
}

type complaint struct{ kind, what string }

// traced is something that a client did or heard.
type traced struct {
	at   time.Time
	what string
	a, b uint64
	text string
}

const keptTraces = 300

func (r *record) trace(what string, a, b uint64, text string) {
	if len(r.traces) >= 2*keptTraces {
		r.traces = append(r.traces[:0], r.traces[keptTraces:]...)
	}
	r.traces = append(r.traces, traced{time.Now(), what, a, b, text})
}

func (r *record) complainLocked(kind, format string, args ...any) {
	r.complaints = append(r.complaints, complaint{kind, fmt.Sprintf(format, args...)})
}

func (c *client) complain(kind, format string, args ...any) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.complainLocked(kind, format, args...)
}

// report hands complaints to the journal. The caller holds nothing.
func (c *client) report() {
	c.mu.Lock()
	complaints := c.complaints
	c.complaints = nil
	c.mu.Unlock()
	for _, found := range complaints {
		c.chat.violate(found.kind, c.me.UserID+": "+found.what, c)
	}
}

// hear takes a frame in. The caller holds mu.
func (r *record) hear(c *client, f *frame, now time.Time) {
	switch f.Type {
	case "welcome":
		r.hearWelcome(c, f, now)
	case "replay":
		r.trace("replay of", uint64(len(f.Messages)), 0, "")
		for i := range f.Messages {
			r.hearMessage(c, &f.Messages[i], now)
		}
	case "message":
		r.hearMessage(c, &f.entry, now)
	case "gap":
		r.hearGap(c, f)
	case "ack":
		r.trace("ack", f.ID, 0, "")
		r.settle(c, f.ID, false, now)
	case "error":
		r.trace("error", f.ID, 0, f.Code)
		if f.Code != "unavailable" {
			r.complainLocked("refused", "message %d: %s", f.ID, f.Code)
		} else if f.ID > 0 {
			c.retry(f.ID)
		}
	case "started":
		r.trace("started", 0, 0, f.ExpiresAt)
		r.hearDeadline(c, f.ExpiresAt)
	case "joined":
		r.trace("joined", 0, 0, f.UserID)
		r.online[f.UserID] = true
	case "left":
		r.trace("left", 0, 0, f.UserID)
		delete(r.online, f.UserID)
	case "removed":
		r.trace("removed", 0, 0, "")
		if r.removal.IsZero() && !c.chat.forgives() {
			r.complainLocked("membership", "told removed, though nobody has removed this client")
		}
	case "ended":
		r.trace("ended", 0, 0, f.Reason)
		r.finish(f.Reason)
		c.chat.ended(c, f.Reason, now)
	}
}

func (r *record) finish(reason string) {
	if r.over == "" {
		r.over = reason
	}
}

func (r *record) hearWelcome(c *client, f *frame, now time.Time) {
	r.trace(fmt.Sprintf("welcome with %d messages, gap %t, last id", len(f.Messages), f.Gap), f.LastID, f.Seq, f.Epoch)
	if !r.removed.IsZero() && r.opened.After(r.removed) && !c.chat.forgives() {
		r.complainLocked("removed", "welcome, though removed %s before", now.Sub(r.removed))
	}
	if r.tag != "" && r.tag != f.Session {
		r.complainLocked("session", "the tag of the session has changed")
	}
	if f.UserID != c.me.UserID {
		r.complainLocked("session", "welcomed as %q", f.UserID)
	}
	r.tag = f.Session
	switch {
	case !r.known:
		r.known, r.epoch = true, f.Epoch
		r.begin(f)
	case f.Gap:
		if !c.chat.forgives() {
			r.complainLocked("gap", "welcome with gap after %d of %s", r.after, r.epoch)
		}
		r.epoch = f.Epoch
		r.begin(f)
	case f.Epoch != r.epoch:
		r.complainLocked("epoch", "welcome with epoch %s and no gap after %d of %s", f.Epoch, r.after, r.epoch)
		r.epoch = f.Epoch
		r.begin(f)
	}
	for i := range f.Messages {
		r.hearMessage(c, &f.Messages[i], now)
	}
	r.settle(c, f.LastID, false, now)
	r.online = make(map[string]bool, len(f.Online))
	for _, user := range f.Online {
		r.online[user] = true
	}
	r.hearDeadline(c, f.Room.ExpiresAt)
}

// begin forgets what the client shows: the messages of a welcome take its place.
func (r *record) begin(f *frame) {
	r.view, r.after = nil, 0
	if len(f.Messages) > 0 {
		r.after = f.Messages[0].Seq - 1
	} else if f.Gap {
		r.after = f.Seq
	}
}

func (r *record) hearMessage(c *client, e *entry, now time.Time) {
	if e.Seq != r.after+1 {
		r.complainLocked("order", "message %d after %d, without gap", e.Seq, r.after)
		r.view = nil
	}
	r.after = e.Seq
	kept := c.chat.intern(c, r.epoch, e)
	r.view = append(r.view, kept)
	own := uint64(0)
	if e.Session == r.tag && e.ID > 0 {
		own = e.ID
		r.settle(c, e.ID, true, now)
	}
	r.trace("message", e.Seq, own, e.UserID)
}

func (r *record) hearGap(c *client, f *frame) {
	r.trace("gap to", f.Seq, r.after, f.Epoch)
	if !c.chat.forgives() {
		r.complainLocked("gap", "gap to %d of %s, after %d of %s", f.Seq, f.Epoch, r.after, r.epoch)
	}
	keep := 0
	if f.Seq <= r.after && f.Epoch == r.epoch {
		keep = max(0, len(r.view)-int(r.after-f.Seq))
	}
	// Under a new epoch, nothing of what was told before is certain.
	r.view = slices.Clip(r.view[:keep])
	r.after, r.epoch = f.Seq, f.Epoch
	if len(c.outbox) > 0 {
		c.retry(c.outbox[0].ID)
	}
	c.lab.journal.count("gaps", 1)
}

func (r *record) hearDeadline(c *client, text string) {
	at := parseTime(text)
	if at.IsZero() {
		return
	}
	r.toldDeadline = true
	if others := c.chat.toldDeadline(at); len(others) > 1 && !c.chat.forgives() {
		r.complainLocked("deadline", "told %s, and somebody was told otherwise: %v", text, others)
	}
}

// settle notes that the messages up to an id are stored. Where messages can be lost,
// only the echo of one says that for certain: what was lost unheard, before one that
// was not, is taken for a duplicate of it.
func (r *record) settle(c *client, id uint64, echo bool, now time.Time) {
	for len(c.outbox) > 0 && c.outbox[0].ID <= id {
		o := c.outbox[0]
		if o.ID == id && echo || c.lab.topology.lossless() {
			r.acked[o.ID] = r.epoch
		}
		c.lab.journal.waited(o.first, now)
		c.outbox = c.outbox[1:]
	}
}

// state describes the client, for who has to find out what went wrong.
func (c *client) state(start time.Time) []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	lines := []string{fmt.Sprintf("%s: connected %t to node %d, %d visits, over %q, after %d of %s, %d shown, %d not settled, said %d, online %v",
		c.me.UserID, c.present, c.node, c.visits, c.over, c.after, c.epoch, len(c.view), len(c.outbox), c.said,
		slices.Sorted(maps.Keys(c.online)))}
	for _, t := range c.traces[max(0, len(c.traces)-keptTraces):] {
		lines = append(lines, fmt.Sprintf("  %9.3f %s %d %d %s", t.at.Sub(start).Seconds(), t.what, t.a, t.b, t.text))
	}
	return lines
}
