package redisstore

import (
	"context"
	"errors"
	"slices"

	"github.com/ephemeralchat/caddy-ephemeral-chat/room"
	"github.com/ephemeralchat/caddy-ephemeral-chat/room/message"
)

// Retract implements room.Store.
func (s *Store) Retract(ctx context.Context, instanceID string, r room.Retraction) error {
	return s.retract(ctx, s.keys.room(instanceID), instanceID, r)
}

func (s *Store) retract(ctx context.Context, k roomKeys, instanceID string, r room.Retraction) error {
	whose := 0
	if r.Any {
		whose = 1
	}
	reply, err := s.run(ctx, scriptRetract, k.keys, k.channel, r.Seq, r.Epoch, r.UserID, message.SenderField(r.UserID), whose,
		k.life)
	if err != nil {
		return err
	}
	return s.refusal(reply.status(), instanceID)
}

// applyRetracted tells a retraction, unless it was told. The caller holds mu.
func (f *feed) applyRetracted(seq, oldest uint64) {
	if seq > f.seq {
		f.resync() // the message itself was missed
		return
	}
	f.retracted.DropBelow(oldest)
	if f.retracted.Add(seq) {
		f.tell(room.Event{Kind: room.EventRetracted, Seq: seq, Oldest: oldest})
	}
}

// retractAgain retracts what Redis has lost the retraction of. What follows the
// gap is not what it was, and is left alone.
func (f *feed) retractAgain(ctx context.Context, r *reading, g gap) error {
	f.mu.Lock()
	newest := f.seq
	if g.lost {
		newest = g.seq
	}
	told := slices.Clone(f.retracted.Between(r.oldest, newest))
	f.mu.Unlock()
	for _, seq := range told {
		if r.retracted.Has(seq) {
			continue
		}
		again := room.Retraction{Seq: seq, Epoch: r.room.Epoch, Any: true}
		err := f.store.retract(ctx, f.keys, f.instanceID, again)
		if err != nil && !errors.Is(err, room.ErrMessageNotFound) {
			return err
		}
	}
	return nil
}
