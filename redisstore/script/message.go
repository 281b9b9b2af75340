package script

import (
	"context"

	"github.com/ephemeralchat/caddy-ephemeral-chat/redisstore/pubsub"
	"github.com/ephemeralchat/caddy-ephemeral-chat/room"
	"github.com/ephemeralchat/caddy-ephemeral-chat/room/message"
)

var (
	historyScript  = load("history")
	retractScript  = load("retract")
	newEpochScript = load("new_epoch")
)

// Directions in which History reads.
const (
	Before = "before" // the newest messages below a number, or of all if it is 0
	After  = "after"  // the oldest messages above a number
)

// History returns at most limit messages and maxBytes bytes of entries, but one message
// at least. The page is consistent in itself: clients count on from its numbers.
func (r *Runner) History(ctx context.Context, k Keys, direction string, seq uint64, limit, maxBytes int) (room.Page, error) {
	result, err := r.run(ctx, historyScript, k.names, direction, seq, limit, maxBytes, k.instance)
	if err != nil {
		return room.Page{}, err
	}
	page := room.Page{Epoch: result.text(1), Oldest: result.count(2), Newest: result.count(3), First: result.count(4)}
	entries := result.list(5)
	if page.Epoch == "" || page.Newest > maxSeq || page.Oldest > page.Newest {
		return room.Page{}, errMalformed
	}
	if len(entries) == 0 {
		page.First = 0
		return page, nil
	}
	page.Entries = make([][]byte, len(entries))
	for i := range entries {
		page.Entries[i] = []byte(entries.text(i))
		if seq, ok := message.SeqOfEntry(page.Entries[i]); !ok || seq != page.First+uint64(i) {
			return room.Page{}, errMalformed
		}
	}
	if page.Oldest == 0 || page.First < page.Oldest || page.Last() > page.Newest {
		return room.Page{}, errMalformed
	}
	return page, nil
}

// Retract deletes the text of a message.
func (r *Runner) Retract(ctx context.Context, k Keys, ret room.Retraction) error {
	_, err := r.run(ctx, retractScript, k.names, k.Channel, ret.Seq, ret.Epoch, ret.UserID,
		message.SenderField(ret.UserID), ret.Any, k.instance)
	return err
}

// NewEpoch replaces an epoch, unless another node was first. It returns the epoch of
// the room then.
func (r *Runner) NewEpoch(ctx context.Context, k Keys, from, to string) (epoch string, err error) {
	result, err := r.run(ctx, newEpochScript, k.names, k.Channel, from, to, epochEvent(to), k.instance)
	return result.text(1), err
}

func epochEvent(epoch string) string {
	return pubsub.Event{Type: pubsub.TypeEpoch, Epoch: epoch}.Encode()
}
