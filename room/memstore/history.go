package memstore

import "github.com/ephemeralchat/caddy-ephemeral-chat/room/message"

// history holds the newest messages of a room, as frames, in a ring that grows as
// needed. The zero value is empty.
type history struct {
	ring  [][]byte
	first uint64 // number of the oldest message; meaningless while count is 0
	head  int    // index of the oldest message in ring
	count int
}

// frameSurplus is how many bytes longer a frame is than its entry.
var frameSurplus = len(message.Frame(1, nil)) - len(message.Entry(1, nil))

// oldest returns the number of the oldest message, zero if there is none.
func (h *history) oldest() uint64 {
	if h.count == 0 {
		return 0
	}
	return h.first
}

// newest returns the number of the newest message. The history must not be empty.
func (h *history) newest() uint64 { return h.first + uint64(h.count) - 1 } //nolint:gosec // G115: count is not negative

// frame returns the frame of the message i places after the oldest.
func (h *history) frame(i int) []byte { return h.ring[(h.head+i)%len(h.ring)] }

// message returns the slot that holds the frame of the message seq, nil for none.
func (h *history) message(seq uint64) *[]byte {
	if h.count == 0 || seq < h.first || seq > h.newest() {
		return nil
	}
	at := int(seq - h.first) //nolint:gosec // G115: below count
	return &h.ring[(h.head+at)%len(h.ring)]
}

// add appends the message seq, which follows the newest, and drops the oldest until
// at most keep are left.
func (h *history) add(seq uint64, frame []byte, keep int) {
	for h.count > 0 && h.count >= keep {
		h.ring[h.head] = nil
		h.head = (h.head + 1) % len(h.ring)
		h.first++
		h.count--
	}
	if keep < 1 {
		return
	}
	if h.count == len(h.ring) {
		h.grow(keep)
	}
	if h.count == 0 {
		h.first = seq
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

// run is a run of consecutive messages of a history.
type run struct {
	first  uint64 // zero if there are no frames
	frames [][]byte
}

// entries returns the entries of the run. It copies every message, so callers
// unlock the room first.
func (r run) entries() [][]byte {
	if len(r.frames) == 0 {
		return nil
	}
	entries := make([][]byte, len(r.frames))
	for i, frame := range r.frames {
		entries[i] = message.EntryOfFrame(frame)
	}
	return entries
}

// before returns the newest messages below the number before, or of all if before is
// zero: within both limits, but at least one message if any matches.
func (h *history) before(before uint64, limit, maxBytes int) run {
	if h.count == 0 || before != 0 && before <= h.first {
		return run{}
	}
	end := h.count // index after the last message of the run
	if before != 0 && before <= h.newest() {
		end = int(before - h.first) //nolint:gosec // G115: between 1 and count
	}
	start := end
	for start > 0 && end-start < max(limit, 1) {
		maxBytes -= len(h.frame(start-1)) - frameSurplus
		if maxBytes < 0 && start < end {
			break
		}
		start--
	}
	return h.run(start, end)
}

// after returns the oldest messages above the number after: within the limit, but at
// least one message if any matches.
func (h *history) after(after uint64, maxBytes int) run {
	if h.count == 0 || after >= h.newest() {
		return run{}
	}
	start := 0
	if after >= h.first {
		start = int(after-h.first) + 1 //nolint:gosec // G115: below count
	}
	end := start
	for end < h.count {
		maxBytes -= len(h.frame(end)) - frameSurplus
		if maxBytes < 0 && end > start {
			break
		}
		end++
	}
	return h.run(start, end)
}

// run returns the messages from index start up to but not including end.
func (h *history) run(start, end int) run {
	frames := make([][]byte, 0, end-start)
	for i := start; i < end; i++ {
		frames = append(frames, h.frame(i))
	}
	return run{first: h.first + uint64(start), frames: frames} //nolint:gosec // G115: start is not negative
}
