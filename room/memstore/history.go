package memstore

import (
	"context"

	"github.com/ephemeralchat/caddy-ephemeral-chat/room"
	"github.com/ephemeralchat/caddy-ephemeral-chat/room/message"
)

// history holds the newest messages of a room, as frames, in a ring that grows as
// needed. The zero value is empty.
type history struct {
	ring   [][]byte
	head   int // index of the oldest message in ring
	count  int
	newest uint64 // number of the newest message, also when it was not kept
}

// frameSurplus is how many bytes longer a frame is than its entry.
var frameSurplus = len(message.Frame(1, nil)) - len(message.Entry(1, nil))

// first returns the number of the oldest message, or of the next one if there is none.
func (h *history) first() uint64 { return h.newest + 1 - uint64(h.count) } //nolint:gosec // G115: count is not negative

// oldest returns the number of the oldest message, zero if there is none.
func (h *history) oldest() uint64 {
	if h.count == 0 {
		return 0
	}
	return h.first()
}

// frame returns the frame of the message i places after the oldest.
func (h *history) frame(i int) []byte { return h.ring[(h.head+i)%len(h.ring)] }

// message returns the slot that holds the frame of the message seq, nil for none.
func (h *history) message(seq uint64) *[]byte {
	if seq < h.first() || seq > h.newest {
		return nil
	}
	at := int(seq - h.first()) //nolint:gosec // G115: below count
	return &h.ring[(h.head+at)%len(h.ring)]
}

// add appends the message seq, which follows the newest, and drops the oldest until
// at most keep are left.
func (h *history) add(seq uint64, frame []byte, keep int) {
	h.newest = seq
	for h.count > 0 && h.count >= keep {
		h.ring[h.head] = nil
		h.head = (h.head + 1) % len(h.ring)
		h.count--
	}
	if keep < 1 {
		return
	}
	if h.count == len(h.ring) {
		h.grow(keep)
	}
	h.ring[(h.head+h.count)%len(h.ring)] = frame
	h.count++
}

// grow makes space for one more message, in a ring of at most keep if possible.
func (h *history) grow(keep int) {
	const smallest = 8
	ring := make([][]byte, max(h.count+1, min(keep, max(smallest, 2*h.count))))
	for i := range h.count {
		ring[i] = h.frame(i)
	}
	h.ring, h.head = ring, 0
}

// before finds the newest messages below the number before, or of all if before is
// zero: within both limits, but at least one message if any matches. It returns how
// many places after the oldest they start and end.
func (h *history) before(before uint64, limit, maxBytes int) (start, end int) {
	if before != 0 && before <= h.first() {
		return 0, 0
	}
	end = h.count
	if before != 0 && before <= h.newest {
		end = int(before - h.first()) //nolint:gosec // G115: between 1 and count
	}
	start = end
	for start > 0 && end-start < max(limit, 1) {
		maxBytes -= len(h.frame(start-1)) - frameSurplus
		if maxBytes < 0 && start < end {
			break
		}
		start--
	}
	return start, end
}

// after is before for the oldest messages above the number after.
func (h *history) after(after uint64, maxBytes int) (start, end int) {
	if after >= h.newest {
		return 0, 0
	}
	if after >= h.first() {
		start = int(after-h.first()) + 1 //nolint:gosec // G115: below count
	}
	end = start
	for end < h.count {
		maxBytes -= len(h.frame(end)) - frameSurplus
		if maxBytes < 0 && end > start {
			break
		}
		end++
	}
	return start, end
}

// Post implements room.Store.
func (s *Store) Post(_ context.Context, instanceID string, post room.Post) (room.Receipt, error) {
	in, err := s.lock(instanceID)
	if err != nil {
		return room.Receipt{}, err
	}
	defer in.mu.Unlock()
	if in.memberships[post.UserID] == room.WasRemoved {
		return room.Receipt{}, room.ErrRemoved
	}
	if post.ID != 0 {
		if in.sent[post.Session] < post.Known {
			return room.Receipt{Lost: true}, nil
		}
		if post.ID <= in.sent[post.Session] {
			return room.Receipt{Duplicate: true}, nil
		}
		in.sent[post.Session] = post.ID
	}
	began := in.start()
	in.room.Seq++
	frame := message.Frame(in.room.Seq, post.Body)
	in.history.add(in.room.Seq, frame, post.History)
	in.publish(room.Event{Kind: room.EventMessage, Seq: in.room.Seq, Frame: frame})
	return room.Receipt{Seq: in.room.Seq, Began: began}, nil
}

// Retract implements room.Store.
func (s *Store) Retract(_ context.Context, instanceID string, r room.Retraction) error {
	in, err := s.lock(instanceID)
	if err != nil {
		return err
	}
	defer in.mu.Unlock()
	if in.memberships[r.UserID] == room.WasRemoved {
		return room.ErrRemoved
	}
	frame := in.history.message(r.Seq)
	switch {
	case frame == nil || r.Epoch != "" && r.Epoch != in.room.Epoch:
		return room.ErrMessageNotFound
	case !r.Any && !message.IsSentBy(*frame, r.UserID):
		return room.ErrNotAdmin
	case message.IsRetracted(*frame):
		return nil
	}
	*frame = message.WithoutText(*frame)
	in.dropRetractions()
	in.retracted.Add(r.Seq)
	in.publish(room.Event{Kind: room.EventRetracted, Seq: r.Seq, Oldest: in.history.oldest()})
	return nil
}

// Before implements room.Store.
func (s *Store) Before(_ context.Context, instanceID string, before uint64, limit, maxBytes int) (room.Page, error) {
	return s.page(instanceID, func(h *history) (start, end int) { return h.before(before, limit, maxBytes) })
}

// After implements room.Store.
func (s *Store) After(_ context.Context, instanceID string, after uint64, maxBytes int) (room.Page, error) {
	return s.page(instanceID, func(h *history) (start, end int) { return h.after(after, maxBytes) })
}

// page returns a page of the messages that find finds.
func (s *Store) page(instanceID string, find func(*history) (start, end int)) (room.Page, error) {
	in, err := s.lock(instanceID)
	if err != nil {
		return room.Page{}, err
	}
	page := room.Page{Oldest: in.history.oldest(), Newest: in.room.Seq, Epoch: in.room.Epoch}
	start, end := find(&in.history)
	if start < end {
		page.First = in.history.first() + uint64(start) //nolint:gosec // G115: start is not negative
		page.Entries = make([][]byte, 0, end-start)
	}
	for i := start; i < end; i++ {
		page.Entries = append(page.Entries, in.history.frame(i))
	}
	in.mu.Unlock()
	for i, frame := range page.Entries { // after the unlock: it copies every message
		page.Entries[i] = message.EntryOfFrame(frame)
	}
	return page, nil
}
