package storetest

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ephemeralchat/caddy-ephemeral-chat/room"
	"github.com/ephemeralchat/caddy-ephemeral-chat/room/message"
)

// verify replays a record from its snapshot and checks the contract of Store.Watch:
// messages without a hole and each once, no event that the snapshot or an earlier
// event contains, nothing after the end.
func (w *watch) verify(t *testing.T) {
	t.Helper()
	for _, fault := range w.faults {
		t.Errorf("node %d: %s", w.node, fault)
	}
	events := w.events()
	if fault := replay(w.snapshot, events); fault != "" {
		t.Errorf("node %d: %s; the snapshot: seq %d, started %v, locked %v, online %q; what came: %s", w.node, fault,
			w.snapshot.Room.Seq, w.snapshot.Room.Started(), w.snapshot.Room.Locked, w.snapshot.Online, describe(events))
	}
}

// replay returns the first fault in the events that followed a snapshot.
func replay(s room.Snapshot, events []arrival) string {
	seq, started, locked, deadline := s.Room.Seq, s.Room.Started(), s.Room.Locked, s.Room.Deadline
	online := make(map[string]bool)
	for _, userID := range s.Online {
		if online[userID] {
			return fmt.Sprintf("the snapshot lists %q twice", userID)
		}
		online[userID] = true
	}
	retracted := slices.Clone(s.Retracted)
	if !slices.IsSorted(retracted) {
		return fmt.Sprintf("the snapshot lists the retractions %v", retracted)
	}
	for i, e := range events {
		if i > 0 && events[i-1].Kind == room.EventEnded {
			return fmt.Sprintf("%s came after the end", name(e))
		}
		switch e.Kind {
		case room.EventMessage:
			if !started {
				return fmt.Sprintf("message %d came before the start", e.Seq)
			}
			if e.Seq != seq+1 {
				return fmt.Sprintf("message %d came after %d", e.Seq, seq)
			}
			if fault := frameFault(e.Frame, e.Seq); fault != "" {
				return fault
			}
			if e.Retracted != message.IsRetracted(e.Frame) {
				return fmt.Sprintf("message %d, retracted %v, has the frame %q", e.Seq, e.Retracted, e.Frame)
			}
			seq = e.Seq
			if e.Retracted {
				retracted.Add(seq)
			}
		case room.EventRetracted:
			if e.Seq > seq || e.Seq < e.Oldest || e.Oldest == 0 {
				return fmt.Sprintf("message %d was retracted when %d was the newest and %d the oldest", e.Seq, seq, e.Oldest)
			}
			if !retracted.Add(e.Seq) {
				return fmt.Sprintf("message %d was retracted twice", e.Seq)
			}
		case room.EventStarted:
			if started {
				return "the start was told twice"
			}
			if got := e.Deadline.Sub(e.StartedAt); got != s.Room.TTL {
				return fmt.Sprintf("the deadline is %v after the start, want %v", got, s.Room.TTL)
			}
			started, deadline = true, e.Deadline
		case room.EventJoined:
			if online[e.UserID] {
				return fmt.Sprintf("%q joined while online", e.UserID)
			}
			online[e.UserID] = true
		case room.EventLeft:
			if !online[e.UserID] {
				return fmt.Sprintf("%q left without being online", e.UserID)
			}
			delete(online, e.UserID)
		case room.EventLocked:
			if e.Locked == locked {
				return fmt.Sprintf("locked=%v was told without a change", locked)
			}
			locked = e.Locked
		case room.EventEnded:
			if e.Reason == room.EndExpired && started && e.at.Before(deadline) {
				return fmt.Sprintf("the room expired %v before its deadline", deadline.Sub(e.at))
			}
		case room.EventOpened:
			if e.UserID == "" || e.SocketID == "" {
				return fmt.Sprintf("opened without a name: user %q, socket %q", e.UserID, e.SocketID)
			}
		case room.EventTyping, room.EventRemoved:
			if e.UserID == "" {
				return name(e) + " came without a user"
			}
		case room.EventGap:
			return "a gap came though nothing was lost"
		default:
			return fmt.Sprintf("an event of the unknown kind %d came", e.Kind)
		}
	}
	return ""
}

// frameFault returns the fault of a message's frame.
func frameFault(frame []byte, seq uint64) string {
	if got, ok := message.SeqOfFrame(frame); !ok || got != seq {
		return fmt.Sprintf("the frame of message %d begins otherwise: %.60q", seq, frame)
	}
	var fields struct {
		Type      string
		Seq       uint64
		Message   *string
		Timestamp time.Time
		UserID    string
	}
	if err := json.Unmarshal(frame, &fields); err != nil {
		return fmt.Sprintf("the frame of message %d is not a JSON object: %v", seq, err)
	}
	if fields.Type != "message" || fields.Seq != seq || fields.Message == nil || fields.Timestamp.IsZero() || fields.UserID == "" {
		return fmt.Sprintf("the frame of message %d lacks a field: %.200q", seq, frame)
	}
	return ""
}

var kindNames = map[room.EventKind]string{
	room.EventMessage:   "message",
	room.EventStarted:   "started",
	room.EventJoined:    "joined",
	room.EventLeft:      "left",
	room.EventOpened:    "opened",
	room.EventTyping:    "typing",
	room.EventLocked:    "locked",
	room.EventRemoved:   "removed",
	room.EventRetracted: "retracted",
	room.EventGap:       "gap",
	room.EventEnded:     "ended",
}

// name formats an event for people.
func name(e arrival) string {
	text := kindNames[e.Kind]
	switch e.Kind {
	case room.EventMessage, room.EventRetracted, room.EventGap:
		return fmt.Sprintf("%s %d", text, e.Seq)
	case room.EventJoined, room.EventLeft, room.EventOpened, room.EventTyping, room.EventRemoved:
		return text + " " + e.UserID
	case room.EventLocked:
		return fmt.Sprintf("%s %v", text, e.Locked)
	case room.EventEnded:
		return text + " " + string(e.Reason)
	default:
		return text
	}
}

// describe formats events for people, runs of messages as one.
func describe(events []arrival) string {
	if len(events) == 0 {
		return "nothing"
	}
	var b strings.Builder
	for i := 0; i < len(events); i++ {
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString(name(events[i]))
		first := i
		for i+1 < len(events) && events[i].Kind == room.EventMessage && events[i+1].Kind == room.EventMessage &&
			events[i+1].Seq == events[i].Seq+1 {
			i++
		}
		if i > first {
			fmt.Fprintf(&b, "..%d", events[i].Seq)
		}
	}
	return b.String()
}

// names formats each event for people.
func names(events []arrival) []string {
	all := make([]string, len(events))
	for i, e := range events {
		all[i] = name(e)
	}
	return all
}
