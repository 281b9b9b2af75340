package redisstore

import (
	"context"
	"slices"

	"go.uber.org/zap"

	"github.com/ephemeralchat/caddy-ephemeral-chat/room"
	"github.com/ephemeralchat/caddy-ephemeral-chat/room/message"
)

// pageBytes is how many bytes of missed messages are read at a time.
const pageBytes = 256 << 10

// detectLoss finds out whether Redis has lost messages. If it has, a new epoch begins,
// unless another node was first, and r.Room.Epoch becomes that.
func (f *feed) detectLoss(ctx context.Context, r *snapshot) (err error) {
	f.mu.Lock()
	epoch, seq := f.epoch, f.seq
	lost := r.Room.Seq < seq ||
		(r.Entry != "" && len(f.fingerprints.hashes) > 0 && !f.fingerprints.has(seq, fingerprintOf([]byte(r.Entry))))
	restored := slices.Contains(f.pastEpochs, r.Room.Epoch)
	f.mu.Unlock()
	if r.Room.Epoch == epoch && !lost {
		return nil
	}
	if r.Room.Epoch == epoch || restored {
		next := room.NewNonce()
		current, err := f.store.scripts.NewEpoch(ctx, f.keys, r.Room.Epoch, next)
		if err != nil {
			return err
		}
		if r.Room.Epoch = current; current == next {
			f.store.logger().Warn("Redis has lost messages of a room; its numbering begins a new epoch",
				zap.Uint64("emitted", seq), zap.Uint64("kept", r.Room.Seq))
		}
	}
	r.lost = true
	r.common, err = f.lastCommon(ctx, r)
	return err
}

// lastCommon returns the newest message that is kept and the same as was emitted under
// its number. Where that is unknown, it is the one before all that are kept.
func (f *feed) lastCommon(ctx context.Context, r *snapshot) (uint64, error) {
	f.mu.Lock()
	first, last := max(r.Oldest, f.fingerprints.first()), min(r.Room.Seq, f.seq)
	f.mu.Unlock()
	common := r.Oldest - 1
	for seq := first; seq <= last; {
		page, err := f.store.After(ctx, f.keys.InstanceID, seq-1, pageBytes)
		if err != nil {
			return 0, err
		}
		if len(page.Entries) == 0 {
			break
		}
		seq = page.First
		f.mu.Lock()
		for _, entry := range page.Entries {
			if seq <= last && f.fingerprints.has(seq, fingerprintOf(entry)) {
				common = seq
			}
			seq++
		}
		f.mu.Unlock()
	}
	return common, nil
}

// replayMissed emits the start, the gap and the messages that were missed.
func (f *feed) replayMissed(ctx context.Context, r *snapshot) error {
	f.mu.Lock()
	if f.over || f.marker != r.marker {
		f.mu.Unlock()
		return errVoid
	}
	if !r.Room.Deadline.IsZero() && !r.Room.Deadline.Equal(f.clock.Deadline) {
		f.start(room.Clock{StartedAt: r.Room.StartedAt, Deadline: r.Room.Deadline})
	}
	if r.lost {
		f.pastEpochs = append(f.pastEpochs, f.epoch)
		f.epoch = r.Room.Epoch
		f.emitGap(r.common)
	}
	seq := f.seq
	f.mu.Unlock()
	for seq < r.Room.Seq {
		page, err := f.store.After(ctx, f.keys.InstanceID, seq, pageBytes)
		if err != nil {
			return err
		}
		if page.Epoch != r.Room.Epoch || len(page.Entries) == 0 {
			return errVoid
		}
		if seq, err = f.emitPage(r, page); err != nil {
			return err
		}
	}
	return nil
}

// emitGap emits that the message after seq is the next one. The caller holds mu.
func (f *feed) emitGap(seq uint64) {
	f.seq = seq
	f.fingerprints.truncate(seq)
	f.retracted.DropAbove(seq)
	f.store.counters.gaps.Add(1)
	f.emit(room.Event{Kind: room.EventGap, Epoch: f.epoch, Seq: seq})
}

// emitPage emits the messages of a page that precede the marker, and returns the number
// of the last one.
func (f *feed) emitPage(r *snapshot, page room.Page) (uint64, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.over || f.marker != r.marker {
		return 0, errVoid
	}
	if page.First > f.seq+1 {
		f.emitGap(page.First - 1) // some are no longer kept
	}
	for i, entry := range page.Entries {
		if seq := page.First + uint64(i); seq > f.seq && seq <= r.Room.Seq {
			f.emitMessage(seq, message.FrameOfEntry(entry), message.IsRetracted(entry))
		}
	}
	return max(f.seq, page.Last()), nil
}
