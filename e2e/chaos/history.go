package chaos

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/ephemeralchat/caddy-ephemeral-chat/e2e/harness"
)

// history is the observations of one client. The client's mu guards it.
type history struct {
	opened  time.Time // when the client began to connect, the last time
	session string    // its tag in messages
	joined  bool      // the client has received welcome
	epoch   string
	after   uint64
	view    []*harness.Entry  // messages that the client shows, ascending, without holes
	pending []pending         // posted messages that the client has not seen stored
	acked   map[uint64]string // epoch in which the client saw a message stored, by id
	online  map[string]bool

	knowsDeadline bool      // received on the current connection
	removing      time.Time // when the removal of this client was requested; zero if it was not
	removed       time.Time // when that was confirmed
	over          string    // why it does not reconnect; "" if it does

	violations []Violation // not yet reported
	traces     []traced    // the newest, oldest first
}

// pending is a message that the client has not seen stored.
type pending struct {
	id     uint64
	posted time.Time
}

// traced is an action or observation of a client.
type traced struct {
	at     time.Time
	format string
	args   []any
}

const keptTraces = 300

func (h *history) trace(format string, args ...any) {
	if len(h.traces) >= 2*keptTraces {
		h.traces = append(h.traces[:0], h.traces[keptTraces:]...)
	}
	h.traces = append(h.traces, traced{time.Now(), format, args})
}

func (h *history) violateLocked(kind, format string, args ...any) {
	h.violations = append(h.violations, Violation{Kind: kind, What: fmt.Sprintf(format, args...)})
}

// report hands violations to the journal. The caller holds no lock.
func (c *client) report() {
	c.mu.Lock()
	violations := c.violations
	c.violations = nil
	c.mu.Unlock()
	for _, v := range violations {
		c.room.violate(v.Kind, c.UserID()+": "+v.What, c)
	}
}

// receive records and checks a frame. The caller holds mu.
func (h *history) receive(c *client, f *harness.Frame) {
	if f.Type != "message" {
		h.trace("%s: user %s, seq %d, id %d, last id %d, epoch %s, %d messages, gap %t, %s%s%s",
			f.Type, f.UserID, f.Seq, f.ID, f.LastID, f.Epoch, len(f.Messages), f.Gap, f.Code, f.Reason, f.ExpiresAt)
	}
	switch f.Type {
	case "welcome":
		if c.Connections() > 1 {
			c.experiment.journal.count("reconnects", 1)
		}
		h.receiveWelcome(c, f)
	case "replay":
		h.receiveMessages(c, f.At, f.Messages...)
	case "message":
		h.receiveMessages(c, f.At, f.Entry)
	case "gap":
		h.receiveGap(c, f)
	case "ack":
		h.acknowledge(c, f.ID, false, f.At)
	case "error":
		if f.Code != "unavailable" {
			h.violateLocked("refused", "message %d: %s", f.ID, f.Code)
		}
	case "started":
		h.receiveDeadline(c, f.ExpiresAt)
	case "joined":
		h.online[f.UserID] = true
	case "left":
		delete(h.online, f.UserID)
	case "removed":
		if h.removing.IsZero() && !c.room.mayHaveLost() {
			h.violateLocked("membership", "received removed, without a removal")
		}
	case "ended":
		h.finish(f.Reason)
		c.room.ended(c, f.Reason, f.At)
	}
}

func (h *history) finish(reason string) {
	if h.over == "" {
		h.over = reason
	}
}

func (h *history) receiveWelcome(c *client, f *harness.Frame) {
	if !h.removed.IsZero() && h.opened.After(h.removed) && !c.room.mayHaveLost() {
		h.violateLocked("removed", "welcome %s after the removal", f.At.Sub(h.removed))
	}
	if h.session != "" && h.session != f.Session {
		h.violateLocked("session", "the tag of the session has changed")
	}
	if f.UserID != c.UserID() {
		h.violateLocked("session", "welcomed as %q", f.UserID)
	}
	h.session = f.Session
	if !h.joined || f.Gap || f.Epoch != h.epoch {
		switch {
		case !h.joined:
		case !f.Gap:
			h.violateLocked("epoch", "welcome with epoch %s and no gap after %d of %s", f.Epoch, h.after, h.epoch)
		case !c.room.mayHaveLost():
			h.violateLocked("gap", "welcome with gap after %d of %s", h.after, h.epoch)
		}
		// The messages of this welcome replace the view.
		h.joined, h.epoch, h.view, h.after = true, f.Epoch, nil, 0
		if len(f.Messages) > 0 {
			h.after = f.Messages[0].Seq - 1
		} else if f.Gap {
			h.after = f.Seq
		}
	}
	h.receiveMessages(c, f.At, f.Messages...)
	h.acknowledge(c, f.LastID, false, f.At)
	h.online = make(map[string]bool, len(f.Online))
	for _, user := range f.Online {
		h.online[user] = true
	}
	if f.Room.ExpiresAt != nil {
		h.receiveDeadline(c, *f.Room.ExpiresAt)
	}
}

func (h *history) receiveMessages(c *client, at time.Time, messages ...harness.Entry) {
	for i := range messages {
		e := &messages[i]
		if e.Seq != h.after+1 {
			h.violateLocked("order", "message %d after %d, without gap", e.Seq, h.after)
			h.view = nil
		}
		h.after = e.Seq
		h.view = append(h.view, c.room.observe(c, h.epoch, e))
		if e.Session == h.session && e.ID > 0 {
			h.acknowledge(c, e.ID, true, at)
		}
		h.trace("message %d of %s with id %d", e.Seq, e.UserID, e.ID)
	}
}

func (h *history) receiveGap(c *client, f *harness.Frame) {
	if !c.room.mayHaveLost() {
		h.violateLocked("gap", "gap to %d of %s, after %d of %s", f.Seq, f.Epoch, h.after, h.epoch)
	}
	keep := 0 // under a new epoch, no earlier message is certain
	if f.Seq <= h.after && f.Epoch == h.epoch {
		keep = max(0, len(h.view)-int(h.after-f.Seq))
	}
	h.view = slices.Clip(h.view[:keep])
	h.after, h.epoch = f.Seq, f.Epoch
	c.experiment.journal.count("gaps", 1)
}

func (h *history) receiveDeadline(c *client, text string) {
	at, err := harness.Time(text)
	if err != nil {
		h.violateLocked("deadline", "received %v", err)
		return
	}
	h.knowsDeadline = true
	if all := c.room.observeDeadline(at); len(all) > 1 && !c.room.mayHaveLost() {
		h.violateLocked("deadline", "received %s, other clients received others: %v", text, all)
	}
}

// acknowledge notes that the messages up to an id are stored. Where messages can be
// lost, only the echo of one proves that: the server takes a lost message with a
// lower id than a stored one for a duplicate.
func (h *history) acknowledge(c *client, id uint64, echo bool, now time.Time) {
	for len(h.pending) > 0 && h.pending[0].id <= id {
		m := h.pending[0]
		if m.id == id && echo || c.experiment.topology.lossless {
			h.acked[m.id] = h.epoch
		}
		c.experiment.journal.stored(m.posted, now)
		h.pending = h.pending[1:]
	}
}

// state describes the client, as the context of a violation.
func (c *client) state() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	lines := []string{
		c.String(),
		fmt.Sprintf("  to node %d, over %q, after %d of %s, %d shown, online %v",
			c.node, c.over, c.after, c.epoch, len(c.view), slices.Sorted(maps.Keys(c.online))),
	}
	for _, t := range c.traces[max(0, len(c.traces)-keptTraces):] {
		lines = append(lines, fmt.Sprintf("  %9.3f ", c.experiment.journal.since(t.at))+fmt.Sprintf(t.format, t.args...))
	}
	return lines
}
