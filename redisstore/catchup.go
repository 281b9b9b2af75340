package redisstore

import (
	"context"

	"go.uber.org/zap"

	"github.com/ephemeralchat/caddy-ephemeral-chat/room"
	"github.com/ephemeralchat/caddy-ephemeral-chat/room/message"
)

// pageBytes is how much of the missed messages is read at a time.
const pageBytes = 256 << 10

// gap says from where on messages are told anew.
type gap struct {
	lost  bool
	epoch string
	seq   uint64 // the last message that is as it was told
}

// compare finds out whether Redis has lost messages. If it has, the numbering
// gets a new epoch, unless another node was first.
func (f *feed) compare(ctx context.Context, r *reading) (gap, error) {
	f.mu.Lock()
	epoch, seq := f.epoch, f.seq
	lost := r.room.Seq < seq || (r.entry != "" && len(f.recent.hashes) > 0 && !f.recent.holds(seq, hashOf([]byte(r.entry))))
	stale := false
	for _, past := range f.past {
		stale = stale || past == r.room.Epoch
	}
	f.mu.Unlock()
	if r.room.Epoch == epoch && !lost {
		return gap{}, nil
	}
	if r.room.Epoch == epoch || stale {
		next := room.NewNonce()
		reply, err := f.store.run(ctx, scriptEpoch, f.keys.keys, f.keys.channel, r.room.Epoch, next, encodeEpoch(next),
			f.keys.life)
		if err != nil {
			return gap{}, err
		}
		if reply.status() != replyOK {
			return gap{}, errUnsettled
		}
		if r.room.Epoch = reply.text(1); r.room.Epoch == next {
			f.store.logger().Warn("Redis has lost messages of a room; its numbering begins a new epoch",
				zap.Uint64("told", seq), zap.Uint64("kept", r.room.Seq))
		}
	}
	common, err := f.common(ctx, r)
	return gap{true, r.room.Epoch, common}, err
}

// common returns the newest message that is kept and is what was told under its
// number. Where that cannot be known, it is the one before all that are kept.
func (f *feed) common(ctx context.Context, r *reading) (uint64, error) {
	f.mu.Lock()
	first, last := max(r.oldest, f.recent.first()), min(r.room.Seq, f.seq)
	f.mu.Unlock()
	common := r.oldest - 1
	for number := first; number <= last; {
		page, err := f.store.After(ctx, f.instanceID, number-1, pageBytes)
		if err != nil {
			return 0, err
		}
		if len(page.Entries) == 0 {
			break
		}
		number = page.First
		f.mu.Lock()
		for _, entry := range page.Entries {
			if number <= last && f.recent.holds(number, hashOf(entry)) {
				common = number
			}
			number++
		}
		f.mu.Unlock()
	}
	return common, nil
}

// catchUp tells the start, the gap and the messages that were missed.
func (f *feed) catchUp(ctx context.Context, r *reading, g gap) error {
	f.mu.Lock()
	if f.over || f.mark != r.mark {
		f.mu.Unlock()
		return errUnlinked
	}
	if !r.room.Deadline.IsZero() && !r.room.Deadline.Equal(f.deadline) {
		f.begin(room.Clock{StartedAt: r.room.StartedAt, Deadline: r.room.Deadline})
	}
	if g.lost {
		f.past = append(f.past, f.epoch)
		f.epoch = g.epoch
		f.tellGap(g.seq)
	}
	seq := f.seq
	f.mu.Unlock()
	for seq < r.room.Seq {
		page, err := f.store.After(ctx, f.instanceID, seq, pageBytes)
		if err != nil {
			return err
		}
		if page.Epoch != r.room.Epoch || len(page.Entries) == 0 {
			return errUnsettled
		}
		if seq, err = f.tellPage(r, page); err != nil {
			return err
		}
	}
	return nil
}

// tellGap says that the message after seq is the next one that is told. The
// caller holds mu.
func (f *feed) tellGap(seq uint64) {
	f.seq = seq
	f.recent.cut(seq)
	f.retracted.DropAbove(seq)
	f.store.counters.gaps.Add(1)
	f.tell(room.Event{Kind: room.EventGap, Epoch: f.epoch, Seq: seq})
}

// tellPage tells the messages of a page that are part of a reading, and returns
// the number of the last one.
func (f *feed) tellPage(r *reading, page room.Page) (uint64, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.over || f.mark != r.mark {
		return 0, errUnlinked
	}
	if page.First > f.seq+1 {
		f.tellGap(page.First - 1) // some are not kept any more
	}
	for i, entry := range page.Entries {
		number := page.First + uint64(i)
		if seq, ok := message.SeqOfEntry(entry); !ok || seq != number {
			return 0, errUnsettled
		}
		if number > f.seq && number <= r.room.Seq {
			f.deliver(number, message.FrameOfEntry(entry), message.IsRetracted(entry))
		}
	}
	return max(f.seq, page.Last()), nil
}
